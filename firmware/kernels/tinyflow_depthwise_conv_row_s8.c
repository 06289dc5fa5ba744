/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/depthwise_conv.h, DepthwiseConvPerChannel. */
#include "tinyflow_requantize.h"
#include "tinyflow_window_rows.h"

/* Output channel `filter` at one position, whose first column may lie outside. */
static int32_t accumulate(const tinyflow_window_params *params, const int8_t *const *rows,
                          int32_t filter, int32_t column)
{
    const int32_t channel = filter / params->filters_per_group;
    const int8_t *weight = &params->weights[filter];
    int32_t sum = 0;
    for (int32_t y = 0; y < params->kernel[0]; ++y) {
        for (int32_t x = 0; x < params->kernel[1]; ++x, weight += params->kernel[2]) {
            const int32_t in_x = column + x * params->dilation[1];
            if (rows[y] != NULL && in_x >= 0 && in_x < params->input[2]) {
                const int32_t value = rows[y][in_x * params->input[3] + channel];
                sum += (value + params->input_offset) * *weight;
            }
        }
    }
    return sum;
}

void tinyflow_depthwise_conv_row_s8(const tinyflow_window_params *params, const int8_t *const *rows,
                                    int8_t *output)
{
    for (int32_t x = 0; x < params->output[2]; ++x) {
        for (int32_t i = 0; i < params->output[3]; ++i) {
            const int32_t sum =
                accumulate(params, rows, i, x * params->stride[1] - params->padding[1]);
            const int32_t result =
                tinyflow_requantize(sum + params->bias[i], params->multiplier[i], params->shift[i])
                + params->output_offset;
            *output++ = (int8_t)tinyflow_clamp(result, params->minimum, params->maximum);
        }
    }
}
