/* Reference: TFLM, logical_common.cc, elementwise.cc and reduce_common.cc, EvalAllHelper. */
#include "tf_logic.h"

void tf_logical_and(const tf_broadcast *loops, const uint8_t *left, const uint8_t *right,
                    uint8_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            *output++ = left[at.left + i * loops->left[TF_INNER]] &
                        right[at.right + i * loops->right[TF_INNER]];
        }
    } while (tf_next(loops, &at));
}

void tf_logical_or(const tf_broadcast *loops, const uint8_t *left, const uint8_t *right,
                   uint8_t *output)
{
    tf_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TF_INNER]; ++i) {
            *output++ = left[at.left + i * loops->left[TF_INNER]] |
                        right[at.right + i * loops->right[TF_INNER]];
        }
    } while (tf_next(loops, &at));
}

void tf_logical_not(const uint8_t *input, uint8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = input[i] ^ 1;
    }
}

static uint8_t all(const tf_loop *loops, const uint8_t *input)
{
    for (size_t i = 0; i < loops[0].extent; ++i) {
        for (size_t j = 0; j < loops[1].extent; ++j) {
            const uint8_t *element = &input[i * loops[0].stride + j * loops[1].stride];
            for (size_t k = 0; k < loops[2].extent; ++k) {
                if (*element == 0) {
                    return 0;
                }
                element += loops[2].stride;
            }
        }
    }
    return 1;
}

void tf_reduce_all(const tf_reduction *loops, const uint8_t *input, uint8_t *output)
{
    const tf_loop *kept = loops->kept;
    for (size_t i = 0; i < kept[0].extent; ++i) {
        for (size_t j = 0; j < kept[1].extent; ++j) {
            for (size_t k = 0; k < kept[2].extent; ++k) {
                *output++ = all(loops->reduced, &input[i * kept[0].stride + j * kept[1].stride +
                                                       k * kept[2].stride]);
            }
        }
    }
}
