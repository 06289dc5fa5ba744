/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators on float32 and int32, with the bits of TFLM's reference kernels: sums
 * run in the same order, and nothing is fused (see tinyflow_math.h). Integers wrap.
 */
#ifndef TINYFLOW_UNQUANTISED_H
#define TINYFLOW_UNQUANTISED_H

#include "tinyflow_elementwise.h"
#include "tinyflow_math.h"
#include "tinyflow_windows.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    float minimum;
    float maximum;
} tinyflow_bounds_f32;

/* Clamps as the reference does: NaN passes. */
static inline float tinyflow_clamp_f32(float value, const tinyflow_bounds_f32 *bounds)
{
    const float raised = value < bounds->minimum ? bounds->minimum : value;
    return bounds->maximum < raised ? bounds->maximum : raised;
}

/* Functions of each element; the output may be the input. */
void tinyflow_abs_f32(const float *input, float *output, size_t elements);
void tinyflow_ceil_f32(const float *input, float *output, size_t elements);
void tinyflow_cos_f32(const float *input, float *output, size_t elements);
void tinyflow_elu_f32(const float *input, float *output, size_t elements);
void tinyflow_exp_f32(const float *input, float *output, size_t elements);
void tinyflow_floor_f32(const float *input, float *output, size_t elements);
void tinyflow_hard_swish_f32(const float *input, float *output, size_t elements);
void tinyflow_log_f32(const float *input, float *output, size_t elements);
void tinyflow_logistic_f32(const float *input, float *output, size_t elements);
void tinyflow_neg_f32(const float *input, float *output, size_t elements);
void tinyflow_relu_f32(const float *input, float *output, size_t elements);
void tinyflow_relu6_f32(const float *input, float *output, size_t elements);
void tinyflow_round_f32(const float *input, float *output, size_t elements);
void tinyflow_rsqrt_f32(const float *input, float *output, size_t elements);
void tinyflow_sin_f32(const float *input, float *output, size_t elements);
void tinyflow_sqrt_f32(const float *input, float *output, size_t elements);
void tinyflow_square_f32(const float *input, float *output, size_t elements);
void tinyflow_tanh_f32(const float *input, float *output, size_t elements);
void tinyflow_leaky_relu_f32(const float *input, float *output, size_t elements, float alpha);

/* Functions of two operands under a loop nest; the result is clamped. */
typedef struct {
    tinyflow_broadcast loops;
    tinyflow_bounds_f32 bounds;
} tinyflow_binary_f32_params;

void tinyflow_add_f32(const tinyflow_binary_f32_params *params, const float *left,
                      const float *right, float *output);
void tinyflow_sub_f32(const tinyflow_binary_f32_params *params, const float *left,
                      const float *right, float *output);
void tinyflow_mul_f32(const tinyflow_binary_f32_params *params, const float *left,
                      const float *right, float *output);
void tinyflow_div_f32(const tinyflow_binary_f32_params *params, const float *left,
                      const float *right, float *output);
void tinyflow_squared_difference_f32(const tinyflow_binary_f32_params *params, const float *left,
                                     const float *right, float *output);
void tinyflow_maximum_f32(const tinyflow_binary_f32_params *params, const float *left,
                          const float *right, float *output);
void tinyflow_minimum_f32(const tinyflow_binary_f32_params *params, const float *left,
                          const float *right, float *output);
void tinyflow_prelu_f32(const tinyflow_binary_f32_params *params, const float *input,
                        const float *alpha, float *output);

void tinyflow_add_s32(const tinyflow_broadcast *loops, const int32_t *left, const int32_t *right,
                      int32_t *output);
void tinyflow_sub_s32(const tinyflow_broadcast *loops, const int32_t *left, const int32_t *right,
                      int32_t *output);
void tinyflow_mul_s32(const tinyflow_broadcast *loops, const int32_t *left, const int32_t *right,
                      int32_t *output);
void tinyflow_div_s32(const tinyflow_broadcast *loops, const int32_t *left, const int32_t *right,
                      int32_t *output); /* by anything but 0 */
void tinyflow_squared_difference_s32(const tinyflow_broadcast *loops, const int32_t *left,
                                     const int32_t *right, int32_t *output);
void tinyflow_maximum_s32(const tinyflow_broadcast *loops, const int32_t *left,
                          const int32_t *right, int32_t *output);
void tinyflow_minimum_s32(const tinyflow_broadcast *loops, const int32_t *left,
                          const int32_t *right, int32_t *output);

void tinyflow_maximum_s64(const tinyflow_broadcast *loops, const int64_t *left,
                          const int64_t *right, int64_t *output);
void tinyflow_minimum_s64(const tinyflow_broadcast *loops, const int64_t *left,
                          const int64_t *right, int64_t *output);

/* Returned by tinyflow_floor_div_f32, and by the model, for a divisor of 0. */
#define TINYFLOW_DIVISION_ERROR 1

/* The greatest integer not above the quotient. */
int tinyflow_floor_div_f32(const tinyflow_broadcast *loops, const float *left, const float *right,
                           float *output);
/* Remainder of such a division; the sign is the divisor's. */
void tinyflow_floor_mod_f32(const tinyflow_broadcast *loops, const float *left, const float *right,
                            float *output);

/* 1 where the relation holds, else 0. */
void tinyflow_compare_f32(const tinyflow_broadcast *loops, tinyflow_relation relation,
                          const float *left, const float *right, uint8_t *output);
void tinyflow_compare_s32(const tinyflow_broadcast *loops, tinyflow_relation relation,
                          const int32_t *left, const int32_t *right, uint8_t *output);
void tinyflow_compare_s64(const tinyflow_broadcast *loops, tinyflow_relation relation,
                          const int64_t *left, const int64_t *right, uint8_t *output);
void tinyflow_compare_bool(const tinyflow_broadcast *loops, tinyflow_relation relation,
                           const uint8_t *left, const uint8_t *right, uint8_t *output);

/* left where the condition is not 0, else right: elements of 32 bits of any type. */
void tinyflow_select_32(const tinyflow_select_params *params, const uint8_t *condition,
                        const void *left, const void *right, void *output);

/* Softmax of each row of beta * input. */
void tinyflow_softmax_f32(const float *input, float *output, size_t rows, size_t depth, float beta);

/* The logarithm of softmax of each row. */
void tinyflow_log_softmax_f32(const float *input, float *output, size_t rows, size_t depth);

/* Each row divided by its length. */
void tinyflow_l2_normalization_f32(const float *input, float *output, size_t rows, size_t depth);

void tinyflow_sum_f32(const tinyflow_reduction *loops, const float *input, float *output);
void tinyflow_mean_f32(const tinyflow_reduction *loops, const float *input, float *output);
void tinyflow_reduce_max_f32(const tinyflow_reduction *loops, const float *input, float *output);
void tinyflow_reduce_min_f32(const tinyflow_reduction *loops, const float *input, float *output);

/*
 * Index of the first maximum or minimum of input [outer][count][inner], to [outer][inner]. Nothing
 * is beyond NaN, nor NaN beyond anything.
 */
void tinyflow_arg_extreme_f32(const float *input, int32_t *output, size_t outer, size_t count,
                              size_t inner, tinyflow_extreme extreme);

typedef struct {
    int32_t batches;
    int32_t channels;
    int32_t input[2]; /* height and width */
    int32_t output[2];
    bool align_corners;
    bool half_pixel_centers;
} tinyflow_resize_f32_params;

/* Bilinear interpolation of height and width. */
void tinyflow_resize_bilinear_f32(const tinyflow_resize_f32_params *params, const float *input,
                                  float *output);

typedef struct {
    int32_t input[4];
    int32_t output[4];
    int32_t kernel[3]; /* height, width and input channels of a filter */
    int32_t filters_per_group;
    int32_t stride[2];
    int32_t dilation[2];
    int32_t padding[2]; /* above and left */
    tinyflow_bounds_f32 bounds;
    const float *weights; /* OHWI */
    const float *bias;
} tinyflow_conv_f32_params;

/* Convolution, depthwise, too: filters_per_group filters see the kernel[2] channels of a group. */
void tinyflow_conv_f32(const tinyflow_conv_f32_params *params, const float *input, float *output);

typedef struct {
    int32_t input[4];
    int32_t output[4];
    int32_t kernel[2];
    int32_t stride[2];
    int32_t padding[2]; /* above and left */
    tinyflow_bounds_f32 bounds;
} tinyflow_pool_f32_params;

void tinyflow_average_pool_f32(const tinyflow_pool_f32_params *params, const float *input,
                               float *output);
void tinyflow_max_pool_f32(const tinyflow_pool_f32_params *params, const float *input,
                           float *output);
/* Square root of the mean of squares. */
void tinyflow_l2_pool_f32(const tinyflow_pool_f32_params *params, const float *input,
                          float *output);

/* A stack of matrices: step leads from one to the next along each batch dimension, 0 repeats. */
typedef struct {
    size_t step[3];
    size_t row_stride;
    size_t column_stride;
} tinyflow_matrices_f32;

typedef struct {
    size_t batches[3];
    size_t rows;
    size_t depth;
    size_t columns;
    tinyflow_matrices_f32 left;
    tinyflow_matrices_f32 right;
    const float *bias; /* of each column, or NULL */
    tinyflow_bounds_f32 bounds;
} tinyflow_product_f32_params;

/* Matrix products, to output [batches][rows][columns]. */
void tinyflow_product_f32(const tinyflow_product_f32_params *params, const float *left,
                          const float *right, float *output);

typedef enum {
    TINYFLOW_CAST_BOOL,
    TINYFLOW_CAST_S8,
    TINYFLOW_CAST_S16,
    TINYFLOW_CAST_S32,
    TINYFLOW_CAST_F32,
    TINYFLOW_CAST_U32,
} tinyflow_cast_type;

/*
 * Converts from one type to another: integers wrap; a float is cut towards zero and saturates, NaN
 * gives 0; bool is whether the value is not 0.
 */
void tinyflow_cast(const void *input, tinyflow_cast_type from, void *output, tinyflow_cast_type to,
                   size_t elements);

/* Rows of row_bytes at the indices; 1 where an index is outside of the rows, else 0. */
int tinyflow_embedding(const void *table, int32_t rows, size_t row_bytes, const int32_t *indices,
                       size_t count, void *output);

/* The same of int8, dequantised: scale * value. */
int tinyflow_embedding_s8_f32(const int8_t *table, int32_t rows, size_t columns, float scale,
                              const int32_t *indices, size_t count, float *output);

#endif
