/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference: TFLM, reference/integer_ops/depthwise_conv.h, DepthwiseConvPerChannel, on weights
 * unpacked to int8.
 */
#include "tinyflow_requantize.h"
#include "tinyflow_windows.h"

/* Output channel `filter` at one position, as the input's row and column may lie outside. */
static int32_t accumulate(const tinyflow_window_params *params, const uint8_t *weights,
                          const int8_t *input, int32_t filter, int32_t row, int32_t column)
{
    const int32_t channel = filter / params->filters_per_group;
    size_t weight = (size_t)filter;
    int32_t sum = 0;
    for (int32_t y = 0; y < params->kernel[0]; ++y) {
        const int32_t in_y = row + y * params->dilation[0];
        for (int32_t x = 0; x < params->kernel[1]; ++x, weight += (size_t)params->kernel[2]) {
            const int32_t in_x = column + x * params->dilation[1];
            if (in_y < 0 || in_y >= params->input[1] || in_x < 0 || in_x >= params->input[2]) {
                continue;
            }
            const int32_t pixel = (in_y * params->input[2] + in_x) * params->input[3];
            sum += (input[pixel + channel] + params->input_offset)
                   * tinyflow_unpack_s4(weights, weight);
        }
    }
    return sum;
}

void tinyflow_depthwise_conv_s4(const tinyflow_window_params *params, const uint8_t *weights,
                                const int8_t *input, int8_t *output)
{
    for (int32_t batch = 0; batch < params->output[0]; ++batch) {
        for (int32_t y = 0; y < params->output[1]; ++y) {
            for (int32_t x = 0; x < params->output[2]; ++x) {
                for (int32_t i = 0; i < params->output[3]; ++i) {
                    const int32_t sum = accumulate(params, weights, input, i,
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
