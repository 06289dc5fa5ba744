/* Reference: TFLM, reference/comparisons.h. */
#include "tf_plain.h"

/* EQUAL and NOT_EQUAL of booleans. */
void tf_compare_bool(const tf_broadcast *loops, tf_relation relation, const uint8_t *left,
                     const uint8_t *right, uint8_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const bool alike = left[at.left + i * loops->left[TF_INNER]] ==
                               right[at.right + i * loops->right[TF_INNER]];
            *output++ = alike == (relation == TF_EQUAL) ? 1 : 0;
        }
    } while (tf_next(loops, &at));
}
