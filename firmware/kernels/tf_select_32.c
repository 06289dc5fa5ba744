/* Reference: TFLM, reference/select.h. */
#include "tf_plain.h"

void tf_select_32(const tf_select_params *params, const uint8_t *condition, const void *left,
                  const void *right, void *output)
{
    const tf_broadcast *loops = &params->values;
    const uint32_t *a = left, *b = right;
    uint32_t *to = output;
    tf_position at = {0}, choice = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            const bool chosen = condition[choice.left + i * params->condition.left[TF_INNER]] != 0;
            *to++ = chosen ? a[at.left + i * loops->left[TF_INNER]]
                           : b[at.right + i * loops->right[TF_INNER]];
        }
        (void)tf_next(&params->condition, &choice);
    } while (tf_next(loops, &at));
}
