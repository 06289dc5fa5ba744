/* Reference: TFLM, reference/comparisons.h. */
#include "tf_plain.h"

static bool holds(tf_relation relation, float left, float right)
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

void tf_compare_f32(const tf_broadcast *loops, tf_relation relation, const float *left,
                    const float *right, uint8_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const float a = left[at.left + i * loops->left[TF_INNER]];
            const float b = right[at.right + i * loops->right[TF_INNER]];
            *output++ = holds(relation, a, b) ? 1 : 0;
        }
    } while (tf_next(loops, &at));
}
