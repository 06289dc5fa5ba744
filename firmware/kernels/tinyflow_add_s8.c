/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/add.h. */
#include "tinyflow_kernels.h"
#include "tinyflow_requantize.h"

void tinyflow_add_s8(const tinyflow_add_params *params, const int8_t *left, const int8_t *right,
                     int8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        const int32_t a = tinyflow_shift_left(left[i] + params->left.offset, params->left_shift);
        const int32_t b = tinyflow_shift_left(right[i] + params->right.offset, params->left_shift);
        const int32_t sum = tinyflow_requantize(a, params->left.multiplier, params->left.shift)
                            + tinyflow_requantize(b, params->right.multiplier, params->right.shift);
        const int32_t scaled =
            tinyflow_requantize(sum, params->output.multiplier, params->output.shift);
        output[i] = (int8_t)tinyflow_clamp(scaled + params->output.offset, params->minimum,
                                           params->maximum);
    }
}
