/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/select.h. */
#include "tinyflow_elementwise_s16.h"

void tinyflow_select_s16(const tinyflow_select_params *params, const uint8_t *condition,
                         const int16_t *left, const int16_t *right, int16_t *output)
{
    const tinyflow_broadcast *values = &params->values;
    tinyflow_position at = {0};
    tinyflow_position which = {0};
    do {
        for (size_t i = 0; i < values->extent[TINYFLOW_INNER]; ++i) {
            const int16_t a = left[at.left + i * values->left[TINYFLOW_INNER]];
            const int16_t b = right[at.right + i * values->right[TINYFLOW_INNER]];
            *output++ = condition[which.left + i * params->condition.left[TINYFLOW_INNER]] != 0 ? a : b;
        }
        (void)tinyflow_next(&params->condition, &which);
    } while (tinyflow_next(values, &at));
}
