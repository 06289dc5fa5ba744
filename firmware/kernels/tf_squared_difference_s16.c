/* Reference: TFLM, micro/kernels/squared_difference.cc. */
#include "tf_elementwise_s16.h"

static int32_t scale(int16_t value, const tf_scaling *scaling)
{
    return tf_requantize(value, scaling->multiplier, scaling->shift);
}

void tf_squared_difference_s16(const tf_squared_difference_params *params, const int16_t *left,
                               const int16_t *right, int16_t *output)
{
    const tf_broadcast *loops = &params->loops;
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int32_t difference =
                scale(left[at.left + i * loops->left[TF_INNER]], &params->left) -
                scale(right[at.right + i * loops->right[TF_INNER]], &params->right);
            const int32_t scaled = tf_requantize(
                difference * difference, params->output.multiplier, params->output.shift);
            *output++ = (int16_t)tf_clamp(scaled, INT16_MIN, INT16_MAX);
        }
    } while (tf_next(loops, &at));
}
