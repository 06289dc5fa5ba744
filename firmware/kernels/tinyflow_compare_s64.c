/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/comparisons.h. */
#include "tinyflow_unquantised.h"

static bool holds(tinyflow_relation relation, int64_t left, int64_t right)
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

void tinyflow_compare_s64(const tinyflow_broadcast *loops, tinyflow_relation relation,
                          const int64_t *left, const int64_t *right, uint8_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int64_t a = left[at.left + i * loops->left[TINYFLOW_INNER]];
            const int64_t b = right[at.right + i * loops->right[TINYFLOW_INNER]];
            *output++ = holds(relation, a, b) ? 1 : 0;
        }
    } while (tinyflow_next(loops, &at));
}
