/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reduce_common.cc, EvalMinMaxHelper. */
#include "tinyflow_windows.h"

/* The complement turns the order round, so that a minimum is a maximum of complements. */
static int8_t extreme_of(const tinyflow_loop *loops, tinyflow_extreme extreme, const int8_t *input)
{
    int32_t best = INT8_MIN;
    for (size_t i = 0; i < loops[0].extent; ++i) {
        for (size_t j = 0; j < loops[1].extent; ++j) {
            const int8_t *element = &input[i * loops[0].stride + j * loops[1].stride];
            for (size_t k = 0; k < loops[2].extent; ++k) {
                const int32_t value = *element ^ extreme;
                best = value > best ? value : best;
                element += loops[2].stride;
            }
        }
    }
    return (int8_t)(best ^ extreme);
}

void tinyflow_reduce_extreme_s8(const tinyflow_reduction *loops, tinyflow_extreme extreme,
                                const int8_t *input, int8_t *output)
{
    const tinyflow_loop *kept = loops->kept;
    for (size_t i = 0; i < kept[0].extent; ++i) {
        for (size_t j = 0; j < kept[1].extent; ++j) {
            for (size_t k = 0; k < kept[2].extent; ++k) {
                const int8_t *first =
                    &input[i * kept[0].stride + j * kept[1].stride + k * kept[2].stride];
                *output++ = extreme_of(loops->reduced, extreme, first);
            }
        }
    }
}
