/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, micro/kernels/squared_difference.cc. */
#include "tinyflow_elementwise.h"

enum {
    LEFT_SHIFT = 7, /* so that the square of a difference stays within 32 bits */
};

void tinyflow_squared_difference_s8(const tinyflow_squared_difference_params *params,
                                    const int8_t *left, const int8_t *right, int8_t *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int32_t a = tinyflow_scale_operand(left[at.left + i * loops->left[TINYFLOW_INNER]],
                                                     &params->left, LEFT_SHIFT);
            const int32_t b = tinyflow_scale_operand(right[at.right + i * loops->right[TINYFLOW_INNER]],
                                                     &params->right, LEFT_SHIFT);
            *output++ = tinyflow_scale_output((a - b) * (a - b), &params->output, INT8_MIN, INT8_MAX);
        }
    } while (tinyflow_next(loops, &at));
}
