/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/logistic.h, with its two cut-offs. */
#include "tinyflow_unquantised.h"

static float logistic(float x)
{
    if (x > 16.619047164916992188f) {
        return 1.0f;
    }
    if (x < -9.0f) {
        return tinyflow_expf(x);
    }
    return 1.0f / (1.0f + tinyflow_expf(-x));
}

void tinyflow_logistic_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = logistic(input[i]);
    }
}
