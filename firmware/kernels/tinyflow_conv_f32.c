/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/conv.h and reference/depthwiseconv_float.h. */
#include "tinyflow_unquantised.h"

/* One filter at one position: the input's row and column of its first element may lie outside. */
static float accumulate(const tinyflow_conv_f32_params *params, const float *image,
                        const float *filter, int32_t row, int32_t column)
{
    float sum = 0.0f;
    for (int32_t y = 0; y < params->kernel[0]; ++y) {
        const int32_t in_y = row + y * params->dilation[0];
        for (int32_t x = 0; x < params->kernel[1]; ++x, filter += params->kernel[2]) {
            const int32_t in_x = column + x * params->dilation[1];
            if (in_y < 0 || in_y >= params->input[1] || in_x < 0 || in_x >= params->input[2]) {
                continue;
            }
            const float *pixel = &image[(in_y * params->input[2] + in_x) * params->input[3]];
            for (int32_t c = 0; c < params->kernel[2]; ++c) {
                sum += pixel[c] * filter[c];
            }
        }
    }
    return sum;
}

void tinyflow_conv_f32(const tinyflow_conv_f32_params *params, const float *input, float *output)
{
    const int32_t filter_size = params->kernel[0] * params->kernel[1] * params->kernel[2];
    for (int32_t batch = 0; batch < params->output[0]; ++batch) {
        for (int32_t y = 0; y < params->output[1]; ++y) {
            for (int32_t x = 0; x < params->output[2]; ++x) {
                for (int32_t i = 0; i < params->output[3]; ++i) {
                    const int32_t group = i / params->filters_per_group;
                    const float total = accumulate(params, &input[group * params->kernel[2]],
                                                   &params->weights[i * filter_size],
                                                   y * params->stride[0] - params->padding[0],
                                                   x * params->stride[1] - params->padding[1]);
                    *output++ = tinyflow_clamp_f32(total + params->bias[i], &params->bounds);
                }
            }
        }
        input += params->input[1] * params->input[2] * params->input[3];
    }
}
