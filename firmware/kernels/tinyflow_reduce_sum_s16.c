/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/reduce.h, QuantizedMeanOrSum. */
#include "tinyflow_requantize.h"
#include "tinyflow_windows.h"

static int32_t sum_of(const tinyflow_loop *loops, const int16_t *input)
{
    int32_t sum = 0;
    for (size_t i = 0; i < loops[0].extent; ++i) {
        for (size_t j = 0; j < loops[1].extent; ++j) {
            const int16_t *element = &input[i * loops[0].stride + j * loops[1].stride];
            for (size_t k = 0; k < loops[2].extent; ++k) {
                sum += *element;
                element += loops[2].stride;
            }
        }
    }
    return sum;
}

void tinyflow_reduce_sum_s16(const tinyflow_reduce_sum_params *params, const int16_t *input,
                             int16_t *output)
{
    const tinyflow_loop *kept = params->loops.kept;
    for (size_t i = 0; i < kept[0].extent; ++i) {
        for (size_t j = 0; j < kept[1].extent; ++j) {
            for (size_t k = 0; k < kept[2].extent; ++k) {
                const int16_t *first =
                    &input[i * kept[0].stride + j * kept[1].stride + k * kept[2].stride];
                const int32_t sum = sum_of(params->loops.reduced, first) - params->bias;
                const int32_t result = tinyflow_requantize(sum, params->multiplier, params->shift)
                                       + params->output_offset;
                *output++ = (int16_t)tinyflow_clamp(result, INT16_MIN, INT16_MAX);
            }
        }
    }
}
