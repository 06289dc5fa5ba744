/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/softmax.h. */
#include "tinyflow_unquantised.h"

void tinyflow_softmax_f32(const float *input, float *output, size_t rows, size_t depth, float beta)
{
    for (size_t row = 0; row < rows; ++row) {
        float greatest = -FLT_MAX, sum = 0.0f;
        for (size_t i = 0; i < depth; ++i) {
            greatest = greatest < input[i] ? input[i] : greatest;
        }
        for (size_t i = 0; i < depth; ++i) {
            output[i] = tinyflow_expf((input[i] - greatest) * beta);
            sum += output[i];
        }
        for (size_t i = 0; i < depth; ++i) {
            output[i] = output[i] / sum;
        }
        input += depth;
        output += depth;
    }
}
