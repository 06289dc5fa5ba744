/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, elu.cc. */
#include "tinyflow_unquantised.h"

void tinyflow_elu_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = input[i] < 0.0f ? tinyflow_expm1f(input[i]) : input[i];
    }
}
