/* Reference: TFLM, reference/integer_ops/mul.h. */
#include "tf_elementwise.h"

void tf_mul_s16(const tf_mul_params *params, const int16_t *left, const int16_t *right,
                int16_t *output)
{
    const tf_broadcast *loops = &params->loops;
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int32_t product = left[at.left + i * loops->left[TF_INNER]]
                                    * right[at.right + i * loops->right[TF_INNER]];
            const int32_t scaled =
                tf_requantize(product, params->output.multiplier, params->output.shift);
            *output++ = (int16_t)tf_clamp(scaled, params->minimum, params->maximum);
        }
    } while (tf_next(loops, &at));
}
