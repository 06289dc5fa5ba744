/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/mul.h. */
#include "tinyflow_elementwise.h"

void tinyflow_mul_s8(const tinyflow_mul_params *params, const int8_t *left, const int8_t *right,
                     int8_t *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int32_t a = left[at.left + i * loops->left[TINYFLOW_INNER]] + params->left_offset;
            const int32_t b = right[at.right + i * loops->right[TINYFLOW_INNER]] + params->right_offset;
            *output++ = tinyflow_scale_output(a * b, &params->output, params->minimum, params->maximum);
        }
    } while (tinyflow_next(loops, &at));
}
