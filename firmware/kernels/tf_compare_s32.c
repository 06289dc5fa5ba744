/* Reference: TFLM, reference/comparisons.h. */
#include "tf_plain.h"

static bool holds(tf_relation relation, int32_t left, int32_t right)
{
    switch (relation) {
    case TF_EQUAL:
        return left == right;
    case TF_NOT_EQUAL:
        return left != right;
    case TF_GREATER:
        return left > right;
    case TF_GREATER_EQUAL:
        return left >= right;
    case TF_LESS:
        return left < right;
    default:
        return left <= right;
    }
}

void tf_compare_s32(const tf_broadcast *loops, tf_relation relation, const int32_t *left,
                    const int32_t *right, uint8_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int32_t a = left[at.left + i * loops->left[TF_INNER]];
            const int32_t b = right[at.right + i * loops->right[TF_INNER]];
            *output++ = holds(relation, a, b) ? 1 : 0;
        }
    } while (tf_next(loops, &at));
}
