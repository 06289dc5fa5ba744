/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, elementwise.cc, AbsEvalQuantized. */
#include "tinyflow_elementwise_s16.h"

void tinyflow_abs_s16(const int16_t *input, int16_t *output, size_t elements, int32_t multiplier,
                      int32_t shift)
{
    for (size_t i = 0; i < elements; ++i) {
        const int32_t magnitude = input[i] < 0 ? -input[i] : input[i];
        output[i] = (int16_t)tinyflow_clamp(tinyflow_requantize(magnitude, multiplier, shift),
                                            INT16_MIN, INT16_MAX);
    }
}
