/* Reference: TFLM, reference/comparisons.h. */
#include "tf_plain.h"

static bool holds(tf_relation relation, int64_t left, int64_t right)
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

void tf_compare_s64(const tf_broadcast *loops, tf_relation relation, const int64_t *left,
                    const int64_t *right, uint8_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int64_t a = left[at.left + i * loops->left[TF_INNER]];
            const int64_t b = right[at.right + i * loops->right[TF_INNER]];
            *output++ = holds(relation, a, b) ? 1 : 0;
        }
    } while (tf_next(loops, &at));
}
