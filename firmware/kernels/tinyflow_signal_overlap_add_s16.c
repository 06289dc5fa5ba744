/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/overlap_add.cc. */
#include "tinyflow_signal.h"

#include <string.h>

static int16_t saturated(int32_t value)
{
    return (int16_t)(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
}

void tinyflow_signal_overlap_add_s16(const tinyflow_overlap_params *params, const int16_t *input,
                                     int16_t *sums, int16_t *output)
{
    const size_t size = params->size, step = params->step;
    for (size_t row = 0; row < params->rows; ++row, sums += size) {
        for (size_t frame = 0; frame < params->frames; ++frame) {
            for (size_t i = 0; i < size; ++i) {
                sums[i] = saturated(sums[i] + input[i]);
            }
            memcpy(output, sums, step * sizeof *sums);
            memmove(sums, sums + step, (size - step) * sizeof *sums);
            memset(sums + size - step, 0, step * sizeof *sums);
            input += size;
            output += step;
        }
    }
}
