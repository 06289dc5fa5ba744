/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/resize_bilinear.h. */
#include "tinyflow_unquantised.h"

/* Two neighbouring rows or columns, and how far from the first the place lies. */
typedef struct {
    int32_t first;
    int32_t second;
    float rest;
} place;

static place place_of(const tinyflow_resize_f32_params *params, int32_t axis, int32_t index)
{
    const int32_t source = params->input[axis], extent = params->output[axis];
    const int32_t corners = params->align_corners && extent > 1 ? 1 : 0;
    const float scale = (float)(source - corners) / (float)(extent - corners);
    const float at = params->half_pixel_centers ? ((float)index + 0.5f) * scale - 0.5f
                                                : (float)index * scale;
    const int32_t below = (int32_t)floorf(at), above = (int32_t)ceilf(at);
    place found = {
        .first = below > 0 ? below : 0,
        .second = above < source - 1 ? above : source - 1,
    };
    found.rest = at - (float)found.first;
    return found;
}

void tinyflow_resize_bilinear_f32(const tinyflow_resize_f32_params *params, const float *input,
                                  float *output)
{
    const int32_t channels = params->channels, row = params->input[1] * channels;
    for (int32_t batch = 0; batch < params->batches; ++batch) {
        for (int32_t i = 0; i < params->output[0]; ++i) {
            const place y = place_of(params, 0, i);
            const float *above = &input[y.first * row], *below = &input[y.second * row];
            for (int32_t j = 0; j < params->output[1]; ++j) {
                const place x = place_of(params, 1, j);
                for (int32_t c = 0; c < channels; ++c) {
                    const int32_t left = x.first * channels + c, right = x.second * channels + c;
                    *output++ = above[left] * (1.0f - y.rest) * (1.0f - x.rest) +
                                below[left] * y.rest * (1.0f - x.rest) +
                                above[right] * (1.0f - y.rest) * x.rest +
                                below[right] * y.rest * x.rest + 0.0f;
                }
            }
        }
        input += params->input[0] * row;
    }
}
