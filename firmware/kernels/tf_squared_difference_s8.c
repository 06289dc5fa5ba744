/* Reference: TFLM, micro/kernels/squared_difference.cc. */
#include "tf_elementwise.h"

enum {
    LEFT_SHIFT = 7, /* so that the square of a difference stays within 32 bits */
};

void tf_squared_difference_s8(const tf_squared_difference_params *params, const int8_t *left,
                              const int8_t *right, int8_t *output)
{
    const tf_broadcast *loops = &params->loops;
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int32_t a = tf_scale_operand(left[at.left + i * loops->left[TF_INNER]],
                                               &params->left, LEFT_SHIFT);
            const int32_t b = tf_scale_operand(right[at.right + i * loops->right[TF_INNER]],
                                               &params->right, LEFT_SHIFT);
            *output++ = tf_scale_output((a - b) * (a - b), &params->output, INT8_MIN, INT8_MAX);
        }
    } while (tf_next(loops, &at));
}
