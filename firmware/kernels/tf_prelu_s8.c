/* Reference: TFLM, reference/prelu.h. */
#include "tf_elementwise.h"

void tf_prelu_s8(const tf_prelu_params *params, const int8_t *input, const int8_t *alpha,
                 int8_t *output)
{
    const tf_broadcast *loops = &params->loops;
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const int32_t x = input[at.left + i * loops->left[TF_INNER]] + params->input_offset;
            const int32_t a = alpha[at.right + i * loops->right[TF_INNER]] + params->alpha_offset;
            *output++ = x >= 0 ? tf_scale_output(x, &params->positive, INT8_MIN, INT8_MAX)
                               : tf_scale_output(x * a, &params->negative, INT8_MIN, INT8_MAX);
        }
    } while (tf_next(loops, &at));
}
