/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference: TFLM, reference/integer_ops/transpose_conv.h. That one scatters each element of the
 * input into sums of the output's size; here each element of the output gathers its own sum, for
 * which no buffer is needed.
 */
#include "tinyflow_requantize.h"
#include "tinyflow_s16.h"

/*
 * One filter at one element of the output. `row` and `column` count from the padded output's
 * corner: the filter's element y meets the input's row (row - y) / stride where that is whole.
 */
static int64_t gather(const tinyflow_conv_s16_params *params, const int16_t *image,
                      const int8_t *filter, int32_t row, int32_t column)
{
    const int32_t *stride = params->stride;
    int64_t sum = 0;
    int32_t in_y = row / stride[0];
    for (int32_t y = row % stride[0]; y < params->kernel[0] && in_y >= 0; y += stride[0], --in_y) {
        int32_t in_x = column / stride[1];
        if (in_y >= params->input[1]) {
            continue;
        }
        for (int32_t x = column % stride[1]; x < params->kernel[1] && in_x >= 0;
             x += stride[1], --in_x) {
            if (in_x >= params->input[2]) {
                continue;
            }
            const int16_t *pixel = &image[(in_y * params->input[2] + in_x) * params->input[3]];
            const int8_t *weight = &filter[(y * params->kernel[1] + x) * params->kernel[2]];
            for (int32_t c = 0; c < params->kernel[2]; ++c) {
                sum += pixel[c] * weight[c];
            }
        }
    }
    return sum;
}

void tinyflow_transpose_conv_s16(const tinyflow_conv_s16_params *params, const int16_t *input,
                                 int16_t *output)
{
    const int32_t filter_size = params->kernel[0] * params->kernel[1] * params->kernel[2];
    for (int32_t batch = 0; batch < params->output[0]; ++batch) {
        for (int32_t y = 0; y < params->output[1]; ++y) {
            for (int32_t x = 0; x < params->output[2]; ++x) {
                for (int32_t i = 0; i < params->output[3]; ++i) {
                    const int64_t sum = gather(params, input, &params->weights[i * filter_size],
                                               y + params->padding[0], x + params->padding[1])
                                        + params->bias[i];
                    const int32_t result =
                        tinyflow_requantize_wide(sum, params->multiplier[i], params->shift[i]);
                    *output++ = (int16_t)tinyflow_clamp(result, params->minimum, params->maximum);
                }
            }
        }
        input += params->input[1] * params->input[2] * params->input[3];
    }
}
