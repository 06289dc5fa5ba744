/* Reference: TFLM, reference/quantize.h and dequantize.h. */
#include "tf_kernels.h"

/*
 * Rounds half away from zero and saturates. A scaled value is beyond every zero point's reach at
 * 2^24 already, where floats are whole; so the conversion below never overflows.
 */
static int32_t quantize(float value, float scale, int32_t zero_point, int32_t minimum,
                        int32_t maximum)
{
    const float scaled = value / scale;
    if (scaled >= 16777216.0f) {
        return maximum;
    }
    if (scaled <= -16777216.0f) {
        return minimum;
    }
    if (!(scaled == scaled)) {
        return zero_point;
    }
    const int32_t whole = (int32_t)scaled; /* towards zero */
    const float fraction = scaled - (float)whole; /* exact */
    const int32_t away = fraction >= 0.5f ? 1 : fraction <= -0.5f ? -1 : 0;
    const int32_t result = whole + away + zero_point;
    return result < minimum ? minimum : result > maximum ? maximum : result;
}

void tf_quantize_f32_s8(const float *input, int8_t *output, size_t elements, float scale,
                        int32_t zero_point)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int8_t)quantize(input[i], scale, zero_point, INT8_MIN, INT8_MAX);
    }
}
