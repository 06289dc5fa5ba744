/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/pad.h. */
#include "tinyflow_kernels.h"

#include <string.h>

static int8_t *fill(int8_t *output, int8_t value, size_t elements)
{
    memset(output, value, elements);
    return output + elements;
}

void tinyflow_pad_s8(const tinyflow_pad_params *params, const int8_t *input, int8_t *output)
{
    const size_t *shape = params->shape, *before = params->before, *after = params->after;
    /* elements of one padded row, plane and volume */
    const size_t row = before[3] + shape[3] + after[3];
    const size_t plane = (before[2] + shape[2] + after[2]) * row;
    const size_t volume = (before[1] + shape[1] + after[1]) * plane;

    output = fill(output, params->value, before[0] * volume);
    for (size_t n = 0; n < shape[0]; ++n) {
        output = fill(output, params->value, before[1] * plane);
        for (size_t h = 0; h < shape[1]; ++h) {
            output = fill(output, params->value, before[2] * row);
            for (size_t w = 0; w < shape[2]; ++w) {
                output = fill(output, params->value, before[3]);
                memcpy(output, input, shape[3]);
                output += shape[3];
                input += shape[3];
                output = fill(output, params->value, after[3]);
            }
            output = fill(output, params->value, after[2] * row);
        }
        output = fill(output, params->value, after[1] * plane);
    }
    fill(output, params->value, after[0] * volume);
}
