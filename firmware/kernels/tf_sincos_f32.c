#include "tf_plain.h"

void tf_sin_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = tf_sinf(input[i]);
    }
}

void tf_cos_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = tf_cosf(input[i]);
    }
}
