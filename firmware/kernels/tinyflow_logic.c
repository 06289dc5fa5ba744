/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, logical_common.cc, elementwise.cc and reduce_common.cc, EvalAllHelper. */
#include "tinyflow_logic.h"

void tinyflow_logical_and(const tinyflow_broadcast *loops, const uint8_t *left,
                          const uint8_t *right, uint8_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            *output++ = left[at.left + i * loops->left[TINYFLOW_INNER]] &
                        right[at.right + i * loops->right[TINYFLOW_INNER]];
        }
    } while (tinyflow_next(loops, &at));
}

void tinyflow_logical_or(const tinyflow_broadcast *loops, const uint8_t *left, const uint8_t *right,
                         uint8_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            *output++ = left[at.left + i * loops->left[TINYFLOW_INNER]] |
                        right[at.right + i * loops->right[TINYFLOW_INNER]];
        }
    } while (tinyflow_next(loops, &at));
}

void tinyflow_logical_not(const uint8_t *input, uint8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = input[i] ^ 1;
    }
}

static uint8_t all(const tinyflow_loop *loops, const uint8_t *input)
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

void tinyflow_reduce_all(const tinyflow_reduction *loops, const uint8_t *input, uint8_t *output)
{
    const tinyflow_loop *kept = loops->kept;
    for (size_t i = 0; i < kept[0].extent; ++i) {
        for (size_t j = 0; j < kept[1].extent; ++j) {
            for (size_t k = 0; k < kept[2].extent; ++k) {
                *output++ = all(loops->reduced, &input[i * kept[0].stride + j * kept[1].stride +
                                                       k * kept[2].stride]);
            }
        }
    }
}
