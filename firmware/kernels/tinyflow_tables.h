/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of one int8 tensor: of each element by a table, and of rows of the last dimension.
 * Exact with TFLM's reference kernels. Each is in the file of its name.
 */
#ifndef TINYFLOW_TABLES_H
#define TINYFLOW_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* output[i] = table[(uint8_t)input[i]]: first the results for 0 to 127, then for -128 to -1.
 * In-place. */
void tinyflow_lut_s8(const int8_t table[256], const int8_t *input, int8_t *output, size_t elements);

typedef struct {
    size_t rows;
    size_t depth;       /* at most 4095 */
    int32_t multiplier; /* the input's scale, as a fixed point of 5 integer bits */
    int32_t shift;
    int32_t reverse_multiplier; /* from that fixed point back to the input's scale */
    int32_t reverse_shift;      /* not to the left */
    int32_t least_difference;   /* to the row's maximum; what is below does not count */
} tinyflow_log_softmax_params;

/* Logarithm of softmax of each row; the output's scale is 1/16, its zero point 127. In-place. */
void tinyflow_log_softmax_s8(const tinyflow_log_softmax_params *params, const int8_t *input,
                             int8_t *output);

/* Each row divided by its Euclidean length; the output's scale is 1/128, its zero point 0.
 * depth times the greatest square of input - zero_point is below 2^31. In-place. */
void tinyflow_l2_normalization_s8(const int8_t *input, int8_t *output, size_t rows, size_t depth,
                                  int32_t zero_point);

#endif
