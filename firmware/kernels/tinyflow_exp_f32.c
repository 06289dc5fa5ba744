/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, exp.cc. */
#include "tinyflow_unquantised.h"

void tinyflow_exp_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = tinyflow_expf(input[i]);
    }
}
