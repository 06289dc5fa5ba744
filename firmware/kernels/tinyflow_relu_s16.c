/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, activations.cc and reference/leaky_relu.h. */
#include "tinyflow_requantize.h"
#include "tinyflow_s16.h"

void tinyflow_relu_s16(const tinyflow_relu_s16_params *params, const int16_t *input,
                       int16_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        const tinyflow_factor *by = input[i] < 0 ? &params->negative : &params->positive;
        const int32_t scaled = tinyflow_requantize(input[i], by->multiplier, by->shift);
        const int32_t signed_value = input[i] < 0 ? scaled * params->negative_sign : scaled;
        output[i] = (int16_t)tinyflow_clamp(signed_value, params->minimum, params->maximum);
    }
}
