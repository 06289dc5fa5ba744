#include "tf_plain.h"

void tf_log_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = tf_logf(input[i]);
    }
}
