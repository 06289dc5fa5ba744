/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/requantize.h. */
#include "tinyflow_requantize.h"
#include "tinyflow_wide.h"

static int32_t requantize(const tinyflow_requantize_params *params, int32_t value)
{
    const uint32_t difference = (uint32_t)value - (uint32_t)params->input_zero_point;
    const int32_t scaled = tinyflow_requantize((int32_t)difference, params->multiplier,
                                               params->shift);
    return (int32_t)((uint32_t)scaled + (uint32_t)params->output_zero_point);
}

void tinyflow_requantize_s8_s32(const tinyflow_requantize_params *params, const int8_t *input,
                                int32_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = requantize(params, input[i]);
    }
}

void tinyflow_requantize_s16_s32(const tinyflow_requantize_params *params, const int16_t *input,
                                 int32_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = requantize(params, input[i]);
    }
}

void tinyflow_requantize_s32_s8(const tinyflow_requantize_params *params, const int32_t *input,
                                int8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int8_t)tinyflow_clamp(requantize(params, input[i]), INT8_MIN, INT8_MAX);
    }
}

void tinyflow_requantize_s32_s16(const tinyflow_requantize_params *params, const int32_t *input,
                                 int16_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int16_t)tinyflow_clamp(requantize(params, input[i]), INT16_MIN, INT16_MAX);
    }
}
