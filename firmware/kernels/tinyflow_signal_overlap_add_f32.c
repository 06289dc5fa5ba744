/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/overlap_add.cc. */
#include "tinyflow_signal.h"

#include <string.h>

void tinyflow_signal_overlap_add_f32(const tinyflow_overlap_params *params, const float *input,
                                     float *sums, float *output)
{
    const size_t size = params->size, step = params->step;
    for (size_t row = 0; row < params->rows; ++row, sums += size) {
        for (size_t frame = 0; frame < params->frames; ++frame) {
            for (size_t i = 0; i < size; ++i) {
                sums[i] = sums[i] + input[i];
            }
            memcpy(output, sums, step * sizeof *sums);
            memmove(sums, sums + step, (size - step) * sizeof *sums);
            memset(sums + size - step, 0, step * sizeof *sums);
            input += size;
            output += step;
        }
    }
}
