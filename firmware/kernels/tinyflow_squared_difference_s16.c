/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, micro/kernels/squared_difference.cc. */
#include "tinyflow_elementwise_s16.h"

static int32_t scale(int16_t value, const tinyflow_scaling *scaling)
{
    return tinyflow_requantize(value, scaling->multiplier, scaling->shift);
}

void tinyflow_squared_difference_s16(const tinyflow_squared_difference_params *params,
                                     const int16_t *left, const int16_t *right, int16_t *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int32_t difference =
                scale(left[at.left + i * loops->left[TINYFLOW_INNER]], &params->left) -
                scale(right[at.right + i * loops->right[TINYFLOW_INNER]], &params->right);
            const int32_t scaled = tinyflow_requantize(
                difference * difference, params->output.multiplier, params->output.shift);
            *output++ = (int16_t)tinyflow_clamp(scaled, INT16_MIN, INT16_MAX);
        }
    } while (tinyflow_next(loops, &at));
}
