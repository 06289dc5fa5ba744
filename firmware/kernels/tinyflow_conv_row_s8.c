/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/conv.h, ConvPerChannel. */
#include "tinyflow_requantize.h"
#include "tinyflow_window_rows.h"

/* One filter; the column of its first element may lie outside, `first` is its first channel. */
static int32_t accumulate(const tinyflow_window_params *params, const int8_t *const *rows,
                          const int8_t *filter, int32_t column, int32_t first)
{
    int32_t sum = 0;
    for (int32_t y = 0; y < params->kernel[0]; ++y) {
        for (int32_t x = 0; x < params->kernel[1]; ++x, filter += params->kernel[2]) {
            const int32_t in_x = column + x * params->dilation[1];
            if (rows[y] == NULL || in_x < 0 || in_x >= params->input[2]) {
                continue;
            }
            const int8_t *pixel = &rows[y][in_x * params->input[3] + first];
            for (int32_t c = 0; c < params->kernel[2]; ++c) {
                sum += (pixel[c] + params->input_offset) * filter[c];
            }
        }
    }
    return sum;
}

void tinyflow_conv_row_s8(const tinyflow_window_params *params, const int8_t *const *rows,
                          int8_t *output)
{
    const int32_t filter_size = params->kernel[0] * params->kernel[1] * params->kernel[2];
    for (int32_t x = 0; x < params->output[2]; ++x) {
        for (int32_t i = 0; i < params->output[3]; ++i) {
            const int32_t group = i / params->filters_per_group;
            const int32_t sum = accumulate(params, rows, &params->weights[i * filter_size],
                                           x * params->stride[1] - params->padding[1],
                                           group * params->kernel[2]);
            const int32_t result =
                tinyflow_requantize(sum + params->bias[i], params->multiplier[i], params->shift[i])
                + params->output_offset;
            *output++ = (int8_t)tinyflow_clamp(result, params->minimum, params->maximum);
        }
    }
}
