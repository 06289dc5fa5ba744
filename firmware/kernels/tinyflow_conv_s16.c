/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/conv.h, ConvPerChannel of 16-bit data. */
#include "tinyflow_requantize.h"
#include "tinyflow_s16.h"

/* One filter at one position: the input's row and column of its first element may lie outside. */
static int64_t accumulate(const tinyflow_conv_s16_params *params, const int16_t *image,
                          const int8_t *filter, int32_t row, int32_t column)
{
    int64_t sum = 0;
    for (int32_t y = 0; y < params->kernel[0]; ++y) {
        const int32_t in_y = row + y * params->dilation[0];
        for (int32_t x = 0; x < params->kernel[1]; ++x, filter += params->kernel[2]) {
            const int32_t in_x = column + x * params->dilation[1];
            if (in_y < 0 || in_y >= params->input[1] || in_x < 0 || in_x >= params->input[2]) {
                continue;
            }
            const int16_t *pixel = &image[(in_y * params->input[2] + in_x) * params->input[3]];
            for (int32_t c = 0; c < params->kernel[2]; ++c) {
                sum += pixel[c] * filter[c];
            }
        }
    }
    return sum;
}

static int32_t requantize(const tinyflow_conv_s16_params *params, int64_t sum, int32_t filter)
{
    const int32_t multiplier = params->multiplier[filter], shift = params->shift[filter];
    return params->narrow ? tinyflow_requantize((int32_t)sum, multiplier, shift)
                          : tinyflow_requantize_wide(sum, multiplier, shift);
}

static int16_t *convolve(const tinyflow_conv_s16_params *params, const int16_t *input,
                         int16_t *output)
{
    const int32_t filter_size = params->kernel[0] * params->kernel[1] * params->kernel[2];
    for (int32_t y = 0; y < params->output[1]; ++y) {
        for (int32_t x = 0; x < params->output[2]; ++x) {
            for (int32_t i = 0; i < params->output[3]; ++i) {
                const int32_t group = i / params->filters_per_group;
                const int64_t sum =
                    accumulate(params, &input[group * params->kernel[2]],
                               &params->weights[i * filter_size],
                               y * params->stride[0] - params->padding[0],
                               x * params->stride[1] - params->padding[1])
                    + params->bias[i];
                *output++ = (int16_t)tinyflow_clamp(requantize(params, sum, i), params->minimum,
                                                    params->maximum);
            }
        }
    }
    return output;
}

void tinyflow_conv_s16(const tinyflow_conv_s16_params *params, const int16_t *input,
                       int16_t *output)
{
    for (int32_t batch = 0; batch < params->output[0]; ++batch) {
        output = convolve(params, input, output);
        input += params->input[1] * params->input[2] * params->input[3];
    }
}
