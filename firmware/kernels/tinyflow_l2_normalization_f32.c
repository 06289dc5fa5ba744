/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/l2normalization.h. */
#include "tinyflow_unquantised.h"

void tinyflow_l2_normalization_f32(const float *input, float *output, size_t rows, size_t depth)
{
    for (size_t row = 0; row < rows; ++row) {
        float squares = 0.0f;
        for (size_t i = 0; i < depth; ++i) {
            squares += input[i] * input[i];
        }
        const float length = sqrtf(squares);
        const float divisor = length < 1e-6f ? 1e-6f : length;
        for (size_t i = 0; i < depth; ++i) {
            output[i] = input[i] / divisor;
        }
        input += depth;
        output += depth;
    }
}
