/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/select.h. */
#include "tinyflow_unquantised.h"

void tinyflow_select_32(const tinyflow_select_params *params, const uint8_t *condition,
                        const void *left, const void *right, void *output)
{
    const tinyflow_broadcast *loops = &params->values;
    const uint32_t *a = left, *b = right;
    uint32_t *to = output;
    tinyflow_position at = {0}, choice = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const bool chosen = condition[choice.left + i * params->condition.left[TINYFLOW_INNER]] != 0;
            *to++ = chosen ? a[at.left + i * loops->left[TINYFLOW_INNER]]
                           : b[at.right + i * loops->right[TINYFLOW_INNER]];
        }
        (void)tinyflow_next(&params->condition, &choice);
    } while (tinyflow_next(loops, &at));
}
