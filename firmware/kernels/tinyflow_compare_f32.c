/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/comparisons.h. */
#include "tinyflow_unquantised.h"

static bool holds(tinyflow_relation relation, float left, float right)
{
    switch (relation) {
    case TINYFLOW_EQUAL:
        return left == right;
    case TINYFLOW_NOT_EQUAL:
        return left != right;
    case TINYFLOW_GREATER:
        return left > right;
    case TINYFLOW_GREATER_EQUAL:
        return left >= right;
    case TINYFLOW_LESS:
        return left < right;
    default:
        return left <= right;
    }
}

void tinyflow_compare_f32(const tinyflow_broadcast *loops, tinyflow_relation relation,
                          const float *left, const float *right, uint8_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const float a = left[at.left + i * loops->left[TINYFLOW_INNER]];
            const float b = right[at.right + i * loops->right[TINYFLOW_INNER]];
            *output++ = holds(relation, a, b) ? 1 : 0;
        }
    } while (tinyflow_next(loops, &at));
}
