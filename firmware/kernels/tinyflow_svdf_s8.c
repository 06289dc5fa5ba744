/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, EvalIntegerSvdfReference of svdf_common.cc. Sums wrap, as they do there. */
#include "tinyflow_requantize.h"
#include "tinyflow_state.h"

#include <string.h>

/* The newest feature of a filter, in the state's scale without its zero point. */
static int32_t feature_of(const tinyflow_svdf_params *params, const int8_t *weights,
                          const int8_t *input)
{
    int32_t sum = 0;
    for (size_t i = 0; i < params->inputs; ++i) {
        sum += weights[i] * (input[i] - params->input_zero_point);
    }
    return tinyflow_requantize(sum, params->state_multiplier, params->state_shift);
}

static int8_t output_of(const tinyflow_svdf_params *params, uint32_t sum)
{
    const int32_t result =
        tinyflow_requantize((int32_t)sum, params->output_multiplier, params->output_shift)
        + params->output_zero_point;
    return (int8_t)tinyflow_clamp(result, INT8_MIN, INT8_MAX);
}

static uint32_t product(int32_t weight, int32_t value)
{
    return (uint32_t)weight * (uint32_t)value;
}

void tinyflow_svdf_s8(const tinyflow_svdf_params *params, const int8_t *input, int8_t *state,
                      int8_t *output)
{
    const size_t memory = params->memory;
    for (size_t batch = 0; batch < params->batch; ++batch) {
        const int8_t *feature = params->feature, *time = params->time;
        for (size_t unit = 0; unit < params->units; ++unit) {
            uint32_t sum = (uint32_t)params->bias[unit];
            for (size_t rank = 0; rank < params->rank; ++rank) {
                const int32_t newest = feature_of(params, feature, input);
                memmove(state, state + 1, memory - 1);
                state[memory - 1] =
                    (int8_t)(tinyflow_clamp(newest, INT8_MIN, INT8_MAX) + params->state_zero_point);
                for (size_t i = 0; i < memory; ++i) {
                    sum += product(time[i], state[i] - params->state_zero_point);
                }
                feature += params->inputs;
                time += memory;
                state += memory;
            }
            *output++ = output_of(params, sum);
        }
        input += params->inputs;
    }
}

void tinyflow_svdf_state_s16_s8(const tinyflow_svdf_params *params, const int8_t *input,
                                int16_t *state, int8_t *output)
{
    const size_t memory = params->memory;
    for (size_t batch = 0; batch < params->batch; ++batch) {
        const int8_t *feature = params->feature;
        const int16_t *time = params->time;
        for (size_t unit = 0; unit < params->units; ++unit) {
            uint32_t sum = (uint32_t)params->bias[unit];
            for (size_t rank = 0; rank < params->rank; ++rank) {
                const int32_t newest = feature_of(params, feature, input);
                memmove(state, state + 1, (memory - 1) * sizeof *state);
                state[memory - 1] =
                    (int16_t)(tinyflow_clamp(newest, INT16_MIN,
                                             INT16_MAX) + params->state_zero_point);
                for (size_t i = 0; i < memory; ++i) {
                    sum += product(time[i], state[i] - params->state_zero_point);
                }
                feature += params->inputs;
                time += memory;
                state += memory;
            }
            *output++ = output_of(params, sum);
        }
        input += params->inputs;
    }
}
