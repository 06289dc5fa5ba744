/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference: TFLM, reference/dequantize.h. It multiplies in double and rounds to float; the
 * product of a float and a 17-bit integer is exact in double, so one float product is the same.
 */
#include "tinyflow_kernels.h"

#include <string.h>

void tinyflow_dequantize_s8_f32(const int8_t *input, float *output, size_t elements, float scale,
                                int32_t zero_point)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = scale * (float)(input[i] - zero_point);
    }
}

void tinyflow_dequantize_u8_f32(const uint8_t *input, float *output, size_t elements, float scale,
                                int32_t zero_point)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = scale * (float)(input[i] - zero_point);
    }
}

void tinyflow_dequantize_s16_f32(const int16_t *input, float *output, size_t elements, float scale,
                                 int32_t zero_point)
{
    for (size_t i = 0; i < elements; ++i) {
        const float result = scale * (float)(input[i] - zero_point);
        memcpy(&output[i], &result, sizeof result); /* the output may lie in the input's memory */
    }
}
