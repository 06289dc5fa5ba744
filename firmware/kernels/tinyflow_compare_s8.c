/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/comparisons.h, ComparisonWithScaling. */
#include "tinyflow_elementwise.h"

enum {
    LEFT_SHIFT = 8, /* fractional bits kept of the scaled operands */
};

static bool holds(tinyflow_relation relation, int32_t a, int32_t b)
{
    switch (relation) {
    case TINYFLOW_EQUAL:
        return a == b;
    case TINYFLOW_NOT_EQUAL:
        return a != b;
    case TINYFLOW_GREATER:
        return a > b;
    case TINYFLOW_GREATER_EQUAL:
        return a >= b;
    case TINYFLOW_LESS:
        return a < b;
    case TINYFLOW_LESS_EQUAL:
    default:
        return a <= b;
    }
}

void tinyflow_compare_s8(const tinyflow_compare_params *params, const int8_t *left,
                         const int8_t *right, uint8_t *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int32_t a = tinyflow_scale_operand(left[at.left + i * loops->left[TINYFLOW_INNER]],
                                                     &params->left, LEFT_SHIFT);
            const int32_t b = tinyflow_scale_operand(right[at.right + i * loops->right[TINYFLOW_INNER]],
                                                     &params->right, LEFT_SHIFT);
            *output++ = holds(params->relation, a, b) ? 1 : 0;
        }
    } while (tinyflow_next(loops, &at));
}
