/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference: TFLM, reference/resize_bilinear.h, ResizeBilinearInteger. That one multiplies in 64
 * bits; weights are at most 1.5 in magnitude with 20 fractional bits, so that 32 hold every sum.
 */
#include "tinyflow_windows.h"

enum { UNIT = 1 << 10 };

typedef struct {
    int32_t before; /* the element before the position, and the one after it */
    int32_t after;
    int32_t fraction; /* of the way from one to the other; negative ahead of the first */
} sample;

static sample sample_at(const tinyflow_resize_axis *axis, int32_t index)
{
    const int32_t position = index * axis->scale + axis->offset;
    const int32_t above = (position + UNIT - 1) / UNIT;
    sample result;
    result.before = position > 0 ? position / UNIT : 0;
    result.after = above < axis->input ? above : axis->input - 1;
    result.fraction = position - UNIT * result.before;
    return result;
}

void tinyflow_resize_bilinear_s8(const tinyflow_resize_params *params, const int8_t *input,
                                 int8_t *output)
{
    const int32_t width = params->width.input, channels = params->channels;
    for (int32_t batch = 0; batch < params->batches; ++batch) {
        for (int32_t i = 0; i < params->height.output; ++i) {
            const sample y = sample_at(&params->height, i);
            for (int32_t j = 0; j < params->width.output; ++j) {
                const sample x = sample_at(&params->width, j);
                const int8_t *top_left = &input[(y.before * width + x.before) * channels];
                const int8_t *top_right = &input[(y.before * width + x.after) * channels];
                const int8_t *low_left = &input[(y.after * width + x.before) * channels];
                const int8_t *low_right = &input[(y.after * width + x.after) * channels];
                for (int32_t c = 0; c < channels; ++c) {
                    const int32_t top =
                        top_left[c] * (UNIT - x.fraction) + top_right[c] * x.fraction;
                    const int32_t low =
                        low_left[c] * (UNIT - x.fraction) + low_right[c] * x.fraction;
                    const int32_t sum = top * (UNIT - y.fraction) + low * y.fraction;
                    const int32_t half = sum > 0 ? UNIT * UNIT / 2 : -(UNIT * UNIT / 2);
                    *output++ = (int8_t)((sum + half) / (UNIT * UNIT));
                }
            }
        }
        input += params->height.input * width * channels;
    }
}
