/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/reduce.h, QuantizedMeanOrSum. */
#include "tinyflow_kernels.h"
#include "tinyflow_requantize.h"

void tinyflow_mean_s8(const tinyflow_mean_params *params, const int8_t *input, int8_t *output)
{
    const int32_t bias = params->input_zero_point * (int32_t)params->count;
    for (size_t outer = 0; outer < params->outer; ++outer) {
        for (size_t inner = 0; inner < params->inner; ++inner) {
            const int8_t *element = &input[outer * params->count * params->inner + inner];
            int32_t sum = -bias;
            for (size_t i = 0; i < params->count; ++i) {
                sum += *element;
                element += params->inner;
            }
            const int32_t mean = tinyflow_requantize(sum, params->multiplier, params->shift)
                                 + params->output_zero_point;
            *output++ = (int8_t)tinyflow_clamp(mean, INT8_MIN, INT8_MAX);
        }
    }
}
