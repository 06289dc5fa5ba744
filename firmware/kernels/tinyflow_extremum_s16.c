/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/maximum_minimum.h. */
#include "tinyflow_elementwise.h"

void tinyflow_maximum_s16(const tinyflow_broadcast *loops, const int16_t *left,
                          const int16_t *right, int16_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int16_t a = left[at.left + i * loops->left[TINYFLOW_INNER]];
            const int16_t b = right[at.right + i * loops->right[TINYFLOW_INNER]];
            *output++ = a > b ? a : b;
        }
    } while (tinyflow_next(loops, &at));
}

void tinyflow_minimum_s16(const tinyflow_broadcast *loops, const int16_t *left,
                          const int16_t *right, int16_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int16_t a = left[at.left + i * loops->left[TINYFLOW_INNER]];
            const int16_t b = right[at.right + i * loops->right[TINYFLOW_INNER]];
            *output++ = a < b ? a : b;
        }
    } while (tinyflow_next(loops, &at));
}
