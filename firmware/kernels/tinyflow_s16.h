/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators on int16 activations, exact with TFLM's reference kernels. Zero points are 0, weights
 * are int8. Tensors are NHWC, weights OHWI; pairs are height and width.
 */
#ifndef TINYFLOW_S16_H
#define TINYFLOW_S16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * sum * multiplier * 2^(shift - 31), the multiplier rounded to 15 bits before and the product
 * rounded to nearest, halves up; shift is -31 to 7, sum has 48 bits at most.
 *
 * Source: TFLM, MultiplyByQuantizedMultiplier of int64_t.
 */
static inline int32_t tinyflow_requantize_wide(int64_t sum, int32_t multiplier, int32_t shift)
{
    const int32_t reduced =
        multiplier < 0x7FFF0000 ? (multiplier + (1 << 15)) >> 16 : INT16_MAX;
    const int32_t right = 15 - shift;
    return (int32_t)((sum * reduced + (INT64_C(1) << (right - 1))) >> right);
}

typedef struct {
    int32_t input[4];
    int32_t output[4];
    int32_t kernel[3]; /* height, width and input channels of a filter */
    int32_t filters_per_group;
    int32_t stride[2];
    int32_t dilation[2];
    int32_t padding[2]; /* above and left */
    int32_t minimum;
    int32_t maximum;
    bool narrow; /* sums have 32 bits and wrap, else 64 */
    const int8_t *weights;
    const int64_t *bias;
    const int32_t *multiplier; /* of each filter, as shift */
    const int32_t *shift;
} tinyflow_conv_s16_params;

/* Convolution; filters_per_group filters see the kernel[2] channels of their group. */
void tinyflow_conv_s16(const tinyflow_conv_s16_params *params, const int16_t *input,
                       int16_t *output);

/*
 * Transposed convolution; stride and padding are those of the convolution from output to input.
 * There is one group and no dilation, and sums have 64 bits.
 */
void tinyflow_transpose_conv_s16(const tinyflow_conv_s16_params *params, const int16_t *input,
                                 int16_t *output);

typedef struct {
    int32_t input[4];
    int32_t output[4];
    int32_t kernel[2];
    int32_t stride[2];
    int32_t padding[2]; /* above and left; padding is no part of the window */
    int32_t minimum;
    int32_t maximum;
} tinyflow_pool_s16_params;

/* Average of a window, rounded to nearest, halves away from zero. */
void tinyflow_average_pool_s16(const tinyflow_pool_s16_params *params, const int16_t *input,
                               int16_t *output);

/* Maximum of a window. */
void tinyflow_max_pool_s16(const tinyflow_pool_s16_params *params, const int16_t *input,
                           int16_t *output);

typedef struct {
    size_t rows;
    size_t depth;
    int32_t multiplier; /* from the input's scale, times beta, to 10 / 65535 */
    int32_t shift;
    const int16_t *exponential; /* exp(x) for x from -10 to 0 [513] */
    const int16_t *reciprocal;  /* 1 / (1 + x) for x from 0 to 1 [513] */
} tinyflow_softmax_s16_params;

/* Softmax of each row; the output's scale is 1/32768. In-place. */
void tinyflow_softmax_s16(const tinyflow_softmax_s16_params *params, const int16_t *input,
                          int16_t *output);

typedef struct {
    int32_t multiplier; /* from the input's scale to 1 / (3 * 4096) */
    int32_t shift;      /* to the right */
    const uint16_t *table; /* the logistic function of i / 24, 16 fractional bits [256] */
} tinyflow_sigmoid_s16_params;

/* 1 / (1 + exp(-x)); the output's scale is 1/32768. In-place. */
void tinyflow_logistic_s16(const tinyflow_sigmoid_s16_params *params, const int16_t *input,
                           int16_t *output, size_t elements);

/* The hyperbolic tangent; the output's scale is 1/32768. In-place. */
void tinyflow_tanh_s16(const tinyflow_sigmoid_s16_params *params, const int16_t *input,
                       int16_t *output, size_t elements);

typedef struct {
    int32_t multiplier;
    int32_t shift;
} tinyflow_factor;

typedef struct {
    tinyflow_factor positive;    /* of an input of 0 and above */
    tinyflow_factor negative;    /* of an input below 0 */
    int32_t negative_sign; /* 1 or -1 */
    int32_t minimum;
    int32_t maximum;
} tinyflow_relu_s16_params;

/* RELU, RELU6 and LEAKY_RELU. In-place. */
void tinyflow_relu_s16(const tinyflow_relu_s16_params *params, const int16_t *input,
                       int16_t *output, size_t elements);

#endif
