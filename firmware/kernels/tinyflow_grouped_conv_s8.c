/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/conv.h, ConvPerChannel. */
#include "tinyflow_requantize.h"
#include "tinyflow_windows.h"

/* One filter at one position: the input's row and column of its first element may lie outside. */
static int32_t accumulate(const tinyflow_window_params *params, const int8_t *image,
                          const int8_t *filter, int32_t row, int32_t column)
{
    int32_t sum = 0;
    for (int32_t y = 0; y < params->kernel[0]; ++y) {
        const int32_t in_y = row + y * params->dilation[0];
        for (int32_t x = 0; x < params->kernel[1]; ++x, filter += params->kernel[2]) {
            const int32_t in_x = column + x * params->dilation[1];
            if (in_y < 0 || in_y >= params->input[1] || in_x < 0 || in_x >= params->input[2]) {
                continue;
            }
            const int8_t *pixel = &image[(in_y * params->input[2] + in_x) * params->input[3]];
            for (int32_t c = 0; c < params->kernel[2]; ++c) {
                sum += (pixel[c] + params->input_offset) * filter[c];
            }
        }
    }
    return sum;
}

void tinyflow_grouped_conv_s8(const tinyflow_window_params *params, const int8_t *input,
                              int8_t *output)
{
    const int32_t filter_size = params->kernel[0] * params->kernel[1] * params->kernel[2];
    for (int32_t batch = 0; batch < params->output[0]; ++batch) {
        for (int32_t y = 0; y < params->output[1]; ++y) {
            for (int32_t x = 0; x < params->output[2]; ++x) {
                for (int32_t i = 0; i < params->output[3]; ++i) {
                    const int32_t group = i / params->filters_per_group;
                    const int32_t sum =
                        accumulate(params, &input[group * params->kernel[2]],
                                   &params->weights[i * filter_size],
                                   y * params->stride[0] - params->padding[0],
                                   x * params->stride[1] - params->padding[1]);
                    const int32_t result =
                        tinyflow_requantize(sum + params->bias[i], params->multiplier[i],
                                            params->shift[i])
                        + params->output_offset;
                    *output++ = (int8_t)tinyflow_clamp(result, params->minimum, params->maximum);
                }
            }
        }
        input += params->input[1] * params->input[2] * params->input[3];
    }
}
