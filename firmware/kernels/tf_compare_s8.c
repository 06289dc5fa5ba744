/* Reference: TFLM, reference/comparisons.h, ComparisonWithScaling. */
#include "tf_elementwise.h"

enum {
    LEFT_SHIFT = 8, /* fractional bits kept of the scaled operands */
};

static bool holds(tf_relation relation, int32_t a, int32_t b)
{
    switch (relation) {
    case TF_EQUAL:
        return a == b;
    case TF_NOT_EQUAL:
        return a != b;
    case TF_GREATER:
        return a > b;
    case TF_GREATER_EQUAL:
        return a >= b;
    case TF_LESS:
        return a < b;
    case TF_LESS_EQUAL:
    default:
        return a <= b;
    }
}

void tf_compare_s8(const tf_compare_params *params, const int8_t *left, const int8_t *right,
                   uint8_t *output)
{
    const tf_broadcast *loops = &params->loops;
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int32_t a = tf_scale_operand(left[at.left + i * loops->left[TF_INNER]],
                                               &params->left, LEFT_SHIFT);
            const int32_t b = tf_scale_operand(right[at.right + i * loops->right[TF_INNER]],
                                               &params->right, LEFT_SHIFT);
            *output++ = holds(params->relation, a, b) ? 1 : 0;
        }
    } while (tf_next(loops, &at));
}
