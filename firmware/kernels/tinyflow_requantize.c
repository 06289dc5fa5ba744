/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/requantize.h. */
#include "tinyflow_requantize.h"
#include "tinyflow_kernels.h"

static int32_t requantize(const tinyflow_requantize_params *params, int32_t value)
{
    return tinyflow_requantize(value - params->input_zero_point, params->multiplier, params->shift)
           + params->output_zero_point;
}

void tinyflow_requantize_s8_s8(const tinyflow_requantize_params *params, const int8_t *input,
                               int8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int8_t)tinyflow_clamp(requantize(params, input[i]), INT8_MIN, INT8_MAX);
    }
}

void tinyflow_requantize_s8_u8(const tinyflow_requantize_params *params, const int8_t *input,
                               uint8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (uint8_t)tinyflow_clamp(requantize(params, input[i]), 0, UINT8_MAX);
    }
}

void tinyflow_requantize_u8_s8(const tinyflow_requantize_params *params, const uint8_t *input,
                               int8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int8_t)tinyflow_clamp(requantize(params, input[i]), INT8_MIN, INT8_MAX);
    }
}

void tinyflow_requantize_s8_s16(const tinyflow_requantize_params *params, const int8_t *input,
                                int16_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int16_t)tinyflow_clamp(requantize(params, input[i]), INT16_MIN, INT16_MAX);
    }
}

void tinyflow_requantize_s16_s8(const tinyflow_requantize_params *params, const int16_t *input,
                                int8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int8_t)tinyflow_clamp(requantize(params, input[i]), INT8_MIN, INT8_MAX);
    }
}

void tinyflow_requantize_s16_s16(const tinyflow_requantize_params *params, const int16_t *input,
                                 int16_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int16_t)tinyflow_clamp(requantize(params, input[i]), INT16_MIN, INT16_MAX);
    }
}
