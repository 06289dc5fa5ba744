/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/add.h and reference/sub.h. */
#include "tinyflow_elementwise.h"

enum {
    LEFT_SHIFT = 15, /* headroom of the operands */
};

static int32_t scale(int32_t value, const tinyflow_scaling *scaling)
{
    return tinyflow_requantize(tinyflow_shift_left(value, LEFT_SHIFT), scaling->multiplier,
                               scaling->shift);
}

void tinyflow_sum_s16(const tinyflow_sum_params *params, const int16_t *left, const int16_t *right,
                      int16_t *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int32_t a = scale(left[at.left + i * loops->left[TINYFLOW_INNER]], &params->left);
            const int32_t b = scale(right[at.right + i * loops->right[TINYFLOW_INNER]],
                                    &params->right);
            const int32_t sum = tinyflow_requantize(a + params->sign * b, params->output.multiplier,
                                                    params->output.shift);
            *output++ = (int16_t)tinyflow_clamp(sum, params->minimum, params->maximum);
        }
    } while (tinyflow_next(loops, &at));
}
