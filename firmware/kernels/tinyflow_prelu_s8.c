/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/prelu.h. */
#include "tinyflow_elementwise.h"

void tinyflow_prelu_s8(const tinyflow_prelu_params *params, const int8_t *input,
                       const int8_t *alpha, int8_t *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const int32_t x = input[at.left + i * loops->left[TINYFLOW_INNER]] + params->input_offset;
            const int32_t a = alpha[at.right + i * loops->right[TINYFLOW_INNER]] + params->alpha_offset;
            *output++ = x >= 0 ? tinyflow_scale_output(x, &params->positive, INT8_MIN, INT8_MAX)
                               : tinyflow_scale_output(x * a, &params->negative, INT8_MIN,
                                                       INT8_MAX);
        }
    } while (tinyflow_next(loops, &at));
}
