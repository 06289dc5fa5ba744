/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/tanh.h. */
#include "tinyflow_unquantised.h"

void tinyflow_tanh_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = tinyflow_tanhf(input[i]);
    }
}
