/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/quantize.h and dequantize.h. */
#include "tinyflow_kernels.h"

#include <string.h>

/*
 * Rounds half away from zero, and saturates up to 2^31 steps. What is not below that, and NaN,
 * becomes INT32_MIN, and the zero point is added with wrap-around: that is what the conversion of
 * the reference does on the x86 processors that its wheel runs on.
 */
static int32_t quantize(float value, float scale, int32_t zero_point, int32_t minimum,
                        int32_t maximum)
{
    const float scaled = value / scale;
    int32_t steps = INT32_MIN;
    if (scaled > -8388608.0f && scaled < 8388608.0f) {
        const int32_t whole = (int32_t)scaled; /* towards zero */
        const float fraction = scaled - (float)whole; /* exact */
        steps = whole + (fraction >= 0.5f ? 1 : fraction <= -0.5f ? -1 : 0);
    } else if (scaled > -2147483648.0f && scaled < 2147483648.0f) {
        steps = (int32_t)scaled; /* a float so large is whole */
    }
    const int32_t result = (int32_t)((uint32_t)steps + (uint32_t)zero_point);
    return result < minimum ? minimum : result > maximum ? maximum : result;
}

void tinyflow_quantize_f32_s8(const float *input, int8_t *output, size_t elements, float scale,
                              int32_t zero_point)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int8_t)quantize(input[i], scale, zero_point, INT8_MIN, INT8_MAX);
    }
}

void tinyflow_quantize_f32_s16(const float *input, int16_t *output, size_t elements, float scale,
                               int32_t zero_point)
{
    for (size_t i = 0; i < elements; ++i) {
        const int16_t result =
            (int16_t)quantize(input[i], scale, zero_point, INT16_MIN, INT16_MAX);
        memcpy(&output[i], &result, sizeof result); /* the output may lie in the input's memory */
    }
}
