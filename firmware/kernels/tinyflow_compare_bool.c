/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/comparisons.h. */
#include "tinyflow_unquantised.h"

/* EQUAL and NOT_EQUAL of booleans. */
void tinyflow_compare_bool(const tinyflow_broadcast *loops, tinyflow_relation relation,
                           const uint8_t *left, const uint8_t *right, uint8_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const bool alike = left[at.left + i * loops->left[TINYFLOW_INNER]] ==
                               right[at.right + i * loops->right[TINYFLOW_INNER]];
            *output++ = alike == (relation == TINYFLOW_EQUAL) ? 1 : 0;
        }
    } while (tinyflow_next(loops, &at));
}
