/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/add.h and reference/sub.h. */
#include "tinyflow_elementwise.h"

enum {
    LEFT_SHIFT = 20, /* headroom of the operands */
};

void tinyflow_sum_s8(const tinyflow_sum_params *params, const int8_t *left, const int8_t *right,
                     int8_t *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int32_t a = tinyflow_scale_operand(left[at.left + i * loops->left[TINYFLOW_INNER]],
                                                     &params->left, LEFT_SHIFT);
            const int32_t b = tinyflow_scale_operand(right[at.right + i * loops->right[TINYFLOW_INNER]],
                                                     &params->right, LEFT_SHIFT);
            *output++ = tinyflow_scale_output(a + params->sign * b, &params->output, params->minimum,
                                              params->maximum);
        }
    } while (tinyflow_next(loops, &at));
}
