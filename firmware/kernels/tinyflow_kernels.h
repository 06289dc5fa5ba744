/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinyflow's portable kernels: int8 in and out, exact with TFLM's reference kernels.
 * Each is in the file of its name.
 */
#ifndef TINYFLOW_KERNELS_H
#define TINYFLOW_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Scaling of one operand of ADD; the offset is added before (operands) or after (sum). */
typedef struct {
    int32_t offset;
    int32_t multiplier;
    int32_t shift;
} tinyflow_add_scaling;

typedef struct {
    tinyflow_add_scaling left;
    tinyflow_add_scaling right;
    tinyflow_add_scaling output;
    int32_t left_shift; /* headroom: operands are multiplied by 2^left_shift */
    int32_t minimum;
    int32_t maximum;
} tinyflow_add_params;

/* output[i] = left[i] + right[i]; in-place on either operand. */
void tinyflow_add_s8(const tinyflow_add_params *params, const int8_t *left, const int8_t *right,
                     int8_t *output, size_t elements);

typedef struct {
    size_t outer; /* product of the dimensions before the averaged ones */
    size_t count; /* product of the averaged dimensions */
    size_t inner; /* product of the dimensions after them */
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier; /* the scales' ratio divided by count */
    int32_t shift;
} tinyflow_mean_params;

/* Mean of input [outer][count][inner] over count, to output [outer][inner]. */
void tinyflow_mean_s8(const tinyflow_mean_params *params, const int8_t *input, int8_t *output);

typedef struct {
    size_t shape[4];
    size_t before[4];
    size_t after[4];
    int8_t value;
} tinyflow_pad_params;

/* Surrounds a tensor of rank 4 with a value. */
void tinyflow_pad_s8(const tinyflow_pad_params *params, const int8_t *input, int8_t *output);

typedef struct {
    size_t rows;
    size_t depth;
    int32_t multiplier; /* beta times the input's scale, as a fixed point of 5 integer bits */
    int32_t shift;
    int32_t least_difference; /* to the row's maximum; what is below gives 0 */
} tinyflow_softmax_params;

/* Softmax of each row; the output's scale is 1/256 and its zero point -128. In-place. */
void tinyflow_softmax_s8(const tinyflow_softmax_params *params, const int8_t *input,
                         int8_t *output);

typedef struct {
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} tinyflow_requantize_params;

/* Requantises from one scale and zero point to another. In-place. */
void tinyflow_requantize_s8_s8(const tinyflow_requantize_params *params, const int8_t *input,
                               int8_t *output, size_t elements);
void tinyflow_requantize_s8_u8(const tinyflow_requantize_params *params, const int8_t *input,
                               uint8_t *output, size_t elements);
void tinyflow_requantize_u8_s8(const tinyflow_requantize_params *params, const uint8_t *input,
                               int8_t *output, size_t elements);
void tinyflow_requantize_s8_s16(const tinyflow_requantize_params *params, const int8_t *input,
                                int16_t *output, size_t elements);
void tinyflow_requantize_s16_s8(const tinyflow_requantize_params *params, const int16_t *input,
                                int8_t *output, size_t elements);
void tinyflow_requantize_s16_s16(const tinyflow_requantize_params *params, const int16_t *input,
                                 int16_t *output, size_t elements);

/*
 * round(input / scale) + zero_point, halves away from zero, saturated up to 2^31 steps; beyond, and
 * for NaN, the result is the reference's on x86, see tinyflow_quantize.c. In place: the output may begin
 * where the input does, or before it.
 */
void tinyflow_quantize_f32_s8(const float *input, int8_t *output, size_t elements, float scale,
                              int32_t zero_point);
void tinyflow_quantize_f32_s16(const float *input, int16_t *output, size_t elements, float scale,
                               int32_t zero_point);

/*
 * scale * (input - zero_point), rounded once. In place: the input may end where the output does, or
 * behind it.
 */
void tinyflow_dequantize_s8_f32(const int8_t *input, float *output, size_t elements, float scale,
                                int32_t zero_point);
void tinyflow_dequantize_u8_f32(const uint8_t *input, float *output, size_t elements, float scale,
                                int32_t zero_point);
void tinyflow_dequantize_s16_f32(const int16_t *input, float *output, size_t elements, float scale,
                                 int32_t zero_point);

#endif
