/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Element-wise operators of two int8 or int16 operands, exact with TFLM's reference kernels.
 * Each is in the file of its name; int16 has no offsets. Operands are broadcast: see tinyflow_broadcast. The output
 * holds the elements of the loop nest in order and must not overlap an operand, unless the
 * operand is as large as the output: then it may be the output.
 */
#ifndef TINYFLOW_ELEMENTWISE_H
#define TINYFLOW_ELEMENTWISE_H

#include "tinyflow_requantize.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TINYFLOW_LOOPS = 5,
    TINYFLOW_INNER = TINYFLOW_LOOPS - 1,
};

/*
 * Two operands under one loop nest, outermost loop first: element (i0, ..., i4) of an operand is
 * at the sum of i[n] * step[n]; the step is 0 where the operand is repeated.
 */
typedef struct {
    size_t extent[TINYFLOW_LOOPS];
    size_t left[TINYFLOW_LOOPS];
    size_t right[TINYFLOW_LOOPS];
} tinyflow_broadcast;

/* Start of the innermost loop in each operand; all zeros at the beginning. */
typedef struct {
    size_t index[TINYFLOW_INNER];
    size_t left;
    size_t right;
} tinyflow_position;

/* On to the next run of the innermost loop; false after the last. */
static inline bool tinyflow_next(const tinyflow_broadcast *loops, tinyflow_position *at)
{
    for (size_t n = TINYFLOW_INNER; n-- > 0;) {
        at->left += loops->left[n];
        at->right += loops->right[n];
        if (++at->index[n] < loops->extent[n]) {
            return true;
        }
        at->left -= loops->left[n] * loops->extent[n];
        at->right -= loops->right[n] * loops->extent[n];
        at->index[n] = 0;
    }
    return false;
}

/* An operand's offset is minus its zero point, the output's its zero point. */
typedef struct {
    int32_t offset;
    int32_t multiplier;
    int32_t shift;
} tinyflow_scaling;

/* (value - zero point) * 2^left_shift, scaled. */
static inline int32_t tinyflow_scale_operand(int8_t value, const tinyflow_scaling *scaling,
                                             int32_t left_shift)
{
    return tinyflow_requantize(tinyflow_shift_left(value + scaling->offset, left_shift),
                               scaling->multiplier, scaling->shift);
}

/* An accumulator scaled and offset, between the bounds; wraps, as the reference does. */
static inline int8_t tinyflow_scale_output(int32_t value, const tinyflow_scaling *scaling,
                                           int32_t minimum, int32_t maximum)
{
    const int32_t scaled = tinyflow_requantize(value, scaling->multiplier, scaling->shift);
    const int32_t result = (int32_t)((uint32_t)scaled + (uint32_t)scaling->offset);
    return (int8_t)tinyflow_clamp(result, minimum, maximum);
}

typedef struct {
    tinyflow_broadcast loops;
    int32_t left_offset;
    int32_t right_offset;
    tinyflow_scaling output;
    int32_t minimum;
    int32_t maximum;
} tinyflow_mul_params;

/* left * right */
void tinyflow_mul_s8(const tinyflow_mul_params *params, const int8_t *left, const int8_t *right,
                     int8_t *output);
void tinyflow_mul_s16(const tinyflow_mul_params *params, const int16_t *left, const int16_t *right,
                      int16_t *output);

typedef struct {
    tinyflow_broadcast loops;
    tinyflow_scaling left;
    tinyflow_scaling right;
    tinyflow_scaling output;
    int32_t sign; /* of the right operand: 1 or -1 */
    int32_t minimum;
    int32_t maximum;
} tinyflow_sum_params;

/* left + sign * right */
void tinyflow_sum_s8(const tinyflow_sum_params *params, const int8_t *left, const int8_t *right,
                     int8_t *output);
void tinyflow_sum_s16(const tinyflow_sum_params *params, const int16_t *left, const int16_t *right,
                      int16_t *output);

/* The larger of two values of one quantisation. */
void tinyflow_maximum_s8(const tinyflow_broadcast *loops, const int8_t *left, const int8_t *right,
                         int8_t *output);
void tinyflow_maximum_s16(const tinyflow_broadcast *loops, const int16_t *left,
                          const int16_t *right, int16_t *output);

/* The smaller of two values of one quantisation. */
void tinyflow_minimum_s8(const tinyflow_broadcast *loops, const int8_t *left, const int8_t *right,
                         int8_t *output);
void tinyflow_minimum_s16(const tinyflow_broadcast *loops, const int16_t *left,
                          const int16_t *right, int16_t *output);

typedef struct {
    tinyflow_broadcast loops;
    tinyflow_scaling left;
    tinyflow_scaling right;
    tinyflow_scaling output;
} tinyflow_squared_difference_params;

/* (left - right)^2 */
void tinyflow_squared_difference_s8(const tinyflow_squared_difference_params *params,
                                    const int8_t *left, const int8_t *right, int8_t *output);

typedef struct {
    tinyflow_broadcast loops; /* the input is left, alpha right */
    int32_t input_offset;
    int32_t alpha_offset;
    tinyflow_scaling positive; /* of the input */
    tinyflow_scaling negative; /* of input times alpha */
} tinyflow_prelu_params;

/* input where it is not negative, else alpha * input */
void tinyflow_prelu_s8(const tinyflow_prelu_params *params, const int8_t *input,
                       const int8_t *alpha, int8_t *output);

typedef enum {
    TINYFLOW_EQUAL,
    TINYFLOW_NOT_EQUAL,
    TINYFLOW_GREATER,
    TINYFLOW_GREATER_EQUAL,
    TINYFLOW_LESS,
    TINYFLOW_LESS_EQUAL,
} tinyflow_relation;

typedef struct {
    tinyflow_broadcast loops;
    tinyflow_scaling left;
    tinyflow_scaling right;
    tinyflow_relation relation;
} tinyflow_compare_params;

/* 1 where the relation holds, else 0. */
void tinyflow_compare_s8(const tinyflow_compare_params *params, const int8_t *left,
                         const int8_t *right, uint8_t *output);

typedef struct {
    tinyflow_broadcast values;
    tinyflow_broadcast condition; /* as left, of the same loops; right is not used */
} tinyflow_select_params;

/* left where the condition is not 0, else right; values of one quantisation. */
void tinyflow_select_s8(const tinyflow_select_params *params, const uint8_t *condition,
                        const int8_t *left, const int8_t *right, int8_t *output);

#endif
