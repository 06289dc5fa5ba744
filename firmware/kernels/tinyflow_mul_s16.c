/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/mul.h. */
#include "tinyflow_elementwise.h"

void tinyflow_mul_s16(const tinyflow_mul_params *params, const int16_t *left, const int16_t *right,
                      int16_t *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int32_t product = left[at.left + i * loops->left[TINYFLOW_INNER]]
                                    * right[at.right + i * loops->right[TINYFLOW_INNER]];
            const int32_t scaled =
                tinyflow_requantize(product, params->output.multiplier, params->output.shift);
            *output++ = (int16_t)tinyflow_clamp(scaled, params->minimum, params->maximum);
        }
    } while (tinyflow_next(loops, &at));
}
