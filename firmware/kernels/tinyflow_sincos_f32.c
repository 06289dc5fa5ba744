/* SPDX-License-Identifier: Apache-2.0 */
#include "tinyflow_unquantised.h"

void tinyflow_sin_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = tinyflow_sinf(input[i]);
    }
}

void tinyflow_cos_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = tinyflow_cosf(input[i]);
    }
}
