/* Reference: TFLM, floor_div.cc, reference/floor_div.h, in double precision, and floor_mod.h. */
#include "tf_plain.h"

int tf_floor_div_f32(const tf_broadcast *loops, const float *left, const float *right,
                     float *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const float a = left[at.left + i * loops->left[TF_INNER]];
            const float b = right[at.right + i * loops->right[TF_INNER]];
            if (b == 0.0f) {
                return TF_DIVISION_ERROR;
            }
            *output++ = (float)floor((double)a / (double)b);
        }
    } while (tf_next(loops, &at));
    return 0;
}

void tf_floor_mod_f32(const tf_broadcast *loops, const float *left, const float *right,
                      float *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const float b = right[at.right + i * loops->right[TF_INNER]];
            const float rest = fmodf(left[at.left + i * loops->left[TF_INNER]], b);
            *output++ = rest != 0.0f && (b < 0.0f) != (rest < 0.0f) ? rest + b : rest;
        }
    } while (tf_next(loops, &at));
}
