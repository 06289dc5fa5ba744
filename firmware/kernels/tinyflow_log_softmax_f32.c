/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/log_softmax.h. */
#include "tinyflow_unquantised.h"

void tinyflow_log_softmax_f32(const float *input, float *output, size_t rows, size_t depth)
{
    for (size_t row = 0; row < rows; ++row) {
        float greatest = -FLT_MAX, sum = 0.0f;
        for (size_t i = 0; i < depth; ++i) {
            greatest = greatest < input[i] ? input[i] : greatest;
        }
        for (size_t i = 0; i < depth; ++i) {
            sum += tinyflow_expf(input[i] - greatest);
        }
        const float log_of_sum = tinyflow_logf(sum);
        for (size_t i = 0; i < depth; ++i) {
            output[i] = input[i] - greatest - log_of_sum;
        }
        input += depth;
        output += depth;
    }
}
