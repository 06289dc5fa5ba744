/* Reference: TFLM, reference/integer_ops/add.h and reference/sub.h. */
#include "tf_elementwise.h"

enum {
    LEFT_SHIFT = 20, /* headroom of the operands */
};

void tf_sum_s8(const tf_sum_params *params, const int8_t *left, const int8_t *right,
               int8_t *output)
{
    const tf_broadcast *loops = &params->loops;
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int32_t a = tf_scale_operand(left[at.left + i * loops->left[TF_INNER]],
                                               &params->left, LEFT_SHIFT);
            const int32_t b = tf_scale_operand(right[at.right + i * loops->right[TF_INNER]],
                                               &params->right, LEFT_SHIFT);
            *output++ = tf_scale_output(a + params->sign * b, &params->output, params->minimum,
                                        params->maximum);
        }
    } while (tf_next(loops, &at));
}
