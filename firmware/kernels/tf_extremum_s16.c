/* Reference: TFLM, reference/maximum_minimum.h. */
#include "tf_elementwise.h"

void tf_maximum_s16(const tf_broadcast *loops, const int16_t *left, const int16_t *right,
                    int16_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int16_t a = left[at.left + i * loops->left[TF_INNER]];
            const int16_t b = right[at.right + i * loops->right[TF_INNER]];
            *output++ = a > b ? a : b;
        }
    } while (tf_next(loops, &at));
}

void tf_minimum_s16(const tf_broadcast *loops, const int16_t *left, const int16_t *right,
                    int16_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int16_t a = left[at.left + i * loops->left[TF_INNER]];
            const int16_t b = right[at.right + i * loops->right[TF_INNER]];
            *output++ = a < b ? a : b;
        }
    } while (tf_next(loops, &at));
}
