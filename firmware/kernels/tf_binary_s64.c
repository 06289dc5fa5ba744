/* Reference: TFLM, reference/maximum_minimum.h. */
#include "tf_plain.h"

void tf_maximum_s64(const tf_broadcast *loops, const int64_t *left, const int64_t *right,
                    int64_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int64_t a = left[at.left + i * loops->left[TF_INNER]];
            const int64_t b = right[at.right + i * loops->right[TF_INNER]];
            *output++ = a > b ? a : b;
        }
    } while (tf_next(loops, &at));
}

void tf_minimum_s64(const tf_broadcast *loops, const int64_t *left, const int64_t *right,
                    int64_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int64_t a = left[at.left + i * loops->left[TF_INNER]];
            const int64_t b = right[at.right + i * loops->right[TF_INNER]];
            *output++ = a < b ? a : b;
        }
    } while (tf_next(loops, &at));
}
