/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, floor_div.cc, reference/floor_div.h, in double precision, and floor_mod.h. */
#include "tinyflow_unquantised.h"

int tinyflow_floor_div_f32(const tinyflow_broadcast *loops, const float *left, const float *right,
                           float *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const float a = left[at.left + i * loops->left[TINYFLOW_INNER]];
            const float b = right[at.right + i * loops->right[TINYFLOW_INNER]];
            if (b == 0.0f) {
                return TINYFLOW_DIVISION_ERROR;
            }
            *output++ = (float)floor((double)a / (double)b);
        }
    } while (tinyflow_next(loops, &at));
    return 0;
}

void tinyflow_floor_mod_f32(const tinyflow_broadcast *loops, const float *left, const float *right,
                            float *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const float b = right[at.right + i * loops->right[TINYFLOW_INNER]];
            const float rest = fmodf(left[at.left + i * loops->left[TINYFLOW_INNER]], b);
            *output++ = rest != 0.0f && (b < 0.0f) != (rest < 0.0f) ? rest + b : rest;
        }
    } while (tinyflow_next(loops, &at));
}
