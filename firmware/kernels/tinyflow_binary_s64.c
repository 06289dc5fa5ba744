/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/maximum_minimum.h. */
#include "tinyflow_unquantised.h"

void tinyflow_maximum_s64(const tinyflow_broadcast *loops, const int64_t *left,
                          const int64_t *right, int64_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int64_t a = left[at.left + i * loops->left[TINYFLOW_INNER]];
            const int64_t b = right[at.right + i * loops->right[TINYFLOW_INNER]];
            *output++ = a > b ? a : b;
        }
    } while (tinyflow_next(loops, &at));
}

void tinyflow_minimum_s64(const tinyflow_broadcast *loops, const int64_t *left,
                          const int64_t *right, int64_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int64_t a = left[at.left + i * loops->left[TINYFLOW_INNER]];
            const int64_t b = right[at.right + i * loops->right[TINYFLOW_INNER]];
            *output++ = a < b ? a : b;
        }
    } while (tinyflow_next(loops, &at));
}
