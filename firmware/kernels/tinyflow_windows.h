/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Further convolutions, products, resizing and reductions: int8 and, where named so, int16,
 * exact with TFLM's reference kernels. Tensors are NHWC, weights OHWI. Pairs are height and width. None works in-place.
 * Each function is in the file of its name.
 */
#ifndef TINYFLOW_WINDOWS_H
#define TINYFLOW_WINDOWS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int32_t input[4];
    int32_t output[4];
    int32_t kernel[3]; /* height, width and input channels of a filter */
    int32_t filters_per_group; /* of a depthwise convolution, output channels of an input's */
    int32_t stride[2];
    int32_t dilation[2];
    int32_t padding[2]; /* above and left */
    int32_t input_offset;
    int32_t output_offset;
    int32_t minimum;
    int32_t maximum;
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier; /* of each filter, as shift */
    const int32_t *shift;
} tinyflow_window_params;

/* Convolution; filters_per_group filters see the kernel[2] channels of their group. */
void tinyflow_grouped_conv_s8(const tinyflow_window_params *params, const int8_t *input,
                              int8_t *output);

/*
 * The same with weights of four bits, in the same order, two to a byte, the low one first; the
 * weights of the parameters are not used. A fully connected layer is a convolution of 1x1.
 */
void tinyflow_conv_s4(const tinyflow_window_params *params, const uint8_t *weights,
                      const int8_t *input, int8_t *output);

/* Depthwise with weights of four bits, HWC: kernel[2] is the output's channels. */
void tinyflow_depthwise_conv_s4(const tinyflow_window_params *params, const uint8_t *weights,
                                const int8_t *input, int8_t *output);

/* Element `index` of packed values of four bits. */
static inline int32_t tinyflow_unpack_s4(const uint8_t *packed, size_t index)
{
    const int32_t bits = (packed[index / 2u] >> (index % 2u * 4u)) & 15;
    return (bits ^ 8) - 8;
}

/*
 * Transposed convolution; stride and padding are those of the convolution from output to input.
 * There is one group and no dilation.
 */
void tinyflow_transpose_conv_s8(const tinyflow_window_params *params, const int8_t *input,
                                int8_t *output);

/* A stack of matrices: step leads from one to the next along each batch dimension, 0 repeats. */
typedef struct {
    size_t step[3];
    size_t row_stride;
    size_t column_stride;
    int32_t offset;
} tinyflow_matrices;

typedef struct {
    size_t batches[3];
    size_t rows;
    size_t depth;
    size_t columns;
    tinyflow_matrices left;
    tinyflow_matrices right;
    const int32_t *bias; /* of each column, or NULL */
    int32_t output_offset;
    int32_t multiplier;
    int32_t shift;
    int32_t minimum;
    int32_t maximum;
} tinyflow_batch_matmul_params;

/* Matrix products, to output [batches][rows][columns]. */
void tinyflow_batch_matmul_s8(const tinyflow_batch_matmul_params *params, const int8_t *left,
                              const int8_t *right, int8_t *output);

typedef struct {
    size_t extent;
    size_t stride; /* of the input, in elements */
} tinyflow_loop;

/* Elements that make one of the output: `reduced` runs over them, `kept` over the output. */
typedef struct {
    tinyflow_loop kept[3];
    tinyflow_loop reduced[3];
} tinyflow_reduction;

typedef struct {
    tinyflow_reduction loops;
    int32_t bias; /* the input's zero point times the number of reduced elements */
    int32_t output_offset;
    int32_t multiplier; /* the scales' ratio, of a mean divided by the number of elements */
    int32_t shift;
} tinyflow_reduce_sum_params;

/* Sum or mean. */
void tinyflow_reduce_sum_s8(const tinyflow_reduce_sum_params *params, const int8_t *input,
                            int8_t *output);
void tinyflow_reduce_sum_s16(const tinyflow_reduce_sum_params *params, const int16_t *input,
                             int16_t *output);

/* Extreme that is sought. */
typedef enum { TINYFLOW_MAXIMUM = 0, TINYFLOW_MINIMUM = -1 } tinyflow_extreme;

/* Maximum or minimum. */
void tinyflow_reduce_extreme_s8(const tinyflow_reduction *loops, tinyflow_extreme extreme,
                                const int8_t *input, int8_t *output);

/* Index of the first maximum or minimum of input [outer][count][inner], to [outer][inner]. */
void tinyflow_arg_extreme_s8(const int8_t *input, int32_t *output, size_t outer, size_t count,
                             size_t inner, tinyflow_extreme extreme);
void tinyflow_arg_extreme_s8_s64(const int8_t *input, int64_t *output, size_t outer, size_t count,
                                 size_t inner, tinyflow_extreme extreme);

/*
 * The index among count elements, inner apart. The complement turns the order round, so that a
 * minimum is a maximum of complements.
 */
static inline size_t tinyflow_find_extreme_s8(const int8_t *element, size_t count, size_t inner,
                                              tinyflow_extreme extreme)
{
    int32_t best = *element ^ extreme;
    size_t found = 0;
    for (size_t i = 1; i < count; ++i) {
        element += inner;
        const int32_t value = *element ^ extreme;
        if (value > best) {
            best = value;
            found = i;
        }
    }
    return found;
}

/* One dimension: index i of the output lies at i * scale + offset, in 1/1024 of an element. */
typedef struct {
    int32_t input;
    int32_t output;
    int32_t scale;
    int32_t offset;
} tinyflow_resize_axis;

typedef struct {
    int32_t batches;
    int32_t channels;
    tinyflow_resize_axis height;
    tinyflow_resize_axis width;
} tinyflow_resize_params;

/* Bilinear interpolation; no position of the output lies an element or more beyond the input. */
void tinyflow_resize_bilinear_s8(const tinyflow_resize_params *params, const int8_t *input,
                                 int8_t *output);

#endif
