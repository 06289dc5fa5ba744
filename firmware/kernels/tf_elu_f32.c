/* Reference: TFLM, elu.cc. */
#include "tf_plain.h"

void tf_elu_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = input[i] < 0.0f ? tf_expm1f(input[i]) : input[i];
    }
}
