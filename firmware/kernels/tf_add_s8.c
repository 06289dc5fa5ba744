/* Reference: TFLM, reference/integer_ops/add.h. */
#include "tf_kernels.h"
#include "tf_requantize.h"

void tf_add_s8(const tf_add_params *params, const int8_t *left, const int8_t *right,
               int8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        const int32_t a = tf_shift_left(left[i] + params->left.offset, params->left_shift);
        const int32_t b = tf_shift_left(right[i] + params->right.offset, params->left_shift);
        const int32_t sum = tf_requantize(a, params->left.multiplier, params->left.shift)
                            + tf_requantize(b, params->right.multiplier, params->right.shift);
        const int32_t scaled =
            tf_requantize(sum, params->output.multiplier, params->output.shift);
        output[i] = (int8_t)tf_clamp(scaled + params->output.offset, params->minimum,
                                     params->maximum);
    }
}
