/* Reference: TFLM, reference/add.h and reference/sub.h. */
#include "tf_elementwise.h"

enum {
    LEFT_SHIFT = 15, /* headroom of the operands */
};

static int32_t scale(int32_t value, const tf_scaling *scaling)
{
    return tf_requantize(tf_shift_left(value, LEFT_SHIFT), scaling->multiplier, scaling->shift);
}

void tf_sum_s16(const tf_sum_params *params, const int16_t *left, const int16_t *right,
                int16_t *output)
{
    const tf_broadcast *loops = &params->loops;
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int32_t a = scale(left[at.left + i * loops->left[TF_INNER]], &params->left);
            const int32_t b = scale(right[at.right + i * loops->right[TF_INNER]], &params->right);
            const int32_t sum = tf_requantize(a + params->sign * b, params->output.multiplier,
                                              params->output.shift);
            *output++ = (int16_t)tf_clamp(sum, params->minimum, params->maximum);
        }
    } while (tf_next(loops, &at));
}
