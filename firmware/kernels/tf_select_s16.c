/* Reference: TFLM, reference/select.h. */
#include "tf_elementwise_s16.h"

void tf_select_s16(const tf_select_params *params, const uint8_t *condition, const int16_t *left,
                   const int16_t *right, int16_t *output)
{
    const tf_broadcast *values = &params->values;
    tf_position at = {0};
    tf_position which = {0};
    do {
        for (size_t i = 0; i < values->extent[TF_INNER]; ++i) {
            const int16_t a = left[at.left + i * values->left[TF_INNER]];
            const int16_t b = right[at.right + i * values->right[TF_INNER]];
            *output++ = condition[which.left + i * params->condition.left[TF_INNER]] != 0 ? a : b;
        }
        (void)tf_next(&params->condition, &which);
    } while (tf_next(values, &at));
}
