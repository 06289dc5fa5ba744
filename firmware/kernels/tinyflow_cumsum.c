/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/cumsum.h. */
#include "tinyflow_math.h"
#include "tinyflow_sums.h"

/* Start of a running sum, and the step to its next element. */
static size_t first_of(const tinyflow_running *loops)
{
    return loops->reverse ? (loops->depth - 1) * loops->inner : 0;
}

static size_t step_of(const tinyflow_running *loops)
{
    return loops->reverse ? (size_t)0 - loops->inner : loops->inner;
}

void tinyflow_cumsum_s8(const tinyflow_running *loops, const tinyflow_summed *scaling,
                        const int8_t *input, int8_t *output)
{
    const size_t first = first_of(loops), step = step_of(loops);
    for (size_t outer = 0; outer < loops->outer; ++outer) {
        for (size_t inner = 0; inner < loops->inner; ++inner) {
            size_t at = outer * loops->depth * loops->inner + inner + first;
            uint32_t sum = tinyflow_summand(scaling, 0);
            for (size_t i = 0; i < loops->depth; ++i) {
                const uint32_t before = sum;
                sum += tinyflow_summand(scaling, input[at]);
                output[at] = tinyflow_scale_output((int32_t)(loops->exclusive ? before : sum),
                                                   &scaling->output, INT8_MIN, INT8_MAX);
                at += step;
            }
        }
    }
}

void tinyflow_cumsum_f32(const tinyflow_running *loops, const float *input, float *output)
{
    const size_t first = first_of(loops), step = step_of(loops);
    for (size_t outer = 0; outer < loops->outer; ++outer) {
        for (size_t inner = 0; inner < loops->inner; ++inner) {
            size_t at = outer * loops->depth * loops->inner + inner + first;
            float sum = 0.0f;
            for (size_t i = 0; i < loops->depth; ++i) {
                const float before = sum;
                sum += input[at];
                output[at] = loops->exclusive ? before : sum;
                at += step;
            }
        }
    }
}
