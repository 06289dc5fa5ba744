/* Reference: TFLM, reference/integer_ops/mul.h. */
#include "tf_elementwise.h"

void tf_mul_s8(const tf_mul_params *params, const int8_t *left, const int8_t *right,
               int8_t *output)
{
    const tf_broadcast *loops = &params->loops;
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int32_t a = left[at.left + i * loops->left[TF_INNER]] + params->left_offset;
            const int32_t b = right[at.right + i * loops->right[TF_INNER]] + params->right_offset;
            *output++ = tf_scale_output(a * b, &params->output, params->minimum, params->maximum);
        }
    } while (tf_next(loops, &at));
}
