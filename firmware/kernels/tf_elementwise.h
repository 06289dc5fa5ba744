/*
 * Element-wise operators of two int8 or int16 operands, exact with TFLM's reference kernels.
 * Each is in the file of its name; int16 has no offsets. Operands are broadcast: see tf_broadcast. The output
 * holds the elements of the loop nest in order and must not overlap an operand, unless the
 * operand is as large as the output: then it may be the output.
 */
#ifndef TF_ELEMENTWISE_H
#define TF_ELEMENTWISE_H

#include "tf_requantize.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TF_LOOPS = 5,
    TF_INNER = TF_LOOPS - 1,
};

/*
 * Two operands under one loop nest, outermost loop first: element (i0, ..., i4) of an operand is
 * at the sum of i[n] * step[n]; the step is 0 where the operand is repeated.
 */
typedef struct {
    size_t extent[TF_LOOPS];
    size_t left[TF_LOOPS];
    size_t right[TF_LOOPS];
} tf_broadcast;

/* Start of the innermost loop in each operand; all zeros at the beginning. */
typedef struct {
    size_t index[TF_INNER];
    size_t left;
    size_t right;
} tf_position;

/* On to the next run of the innermost loop; false after the last. */
static inline bool tf_next(const tf_broadcast *loops, tf_position *at)
{
    for (size_t n = TF_INNER; n-- > 0;) {
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
} tf_scaling;

/* (value - zero point) * 2^left_shift, scaled. */
static inline int32_t tf_scale_operand(int8_t value, const tf_scaling *scaling, int32_t left_shift)
{
    return tf_requantize(tf_shift_left(value + scaling->offset, left_shift), scaling->multiplier,
                         scaling->shift);
}

/* An accumulator scaled and offset, between the bounds; wraps, as the reference does. */
static inline int8_t tf_scale_output(int32_t value, const tf_scaling *scaling, int32_t minimum,
                                     int32_t maximum)
{
    const int32_t scaled = tf_requantize(value, scaling->multiplier, scaling->shift);
    const int32_t result = (int32_t)((uint32_t)scaled + (uint32_t)scaling->offset);
    return (int8_t)tf_clamp(result, minimum, maximum);
}

typedef struct {
    tf_broadcast loops;
    int32_t left_offset;
    int32_t right_offset;
    tf_scaling output;
    int32_t minimum;
    int32_t maximum;
} tf_mul_params;

/* left * right */
void tf_mul_s8(const tf_mul_params *params, const int8_t *left, const int8_t *right,
               int8_t *output);
void tf_mul_s16(const tf_mul_params *params, const int16_t *left, const int16_t *right,
                int16_t *output);

typedef struct {
    tf_broadcast loops;
    tf_scaling left;
    tf_scaling right;
    tf_scaling output;
    int32_t sign; /* of the right operand: 1 or -1 */
    int32_t minimum;
    int32_t maximum;
} tf_sum_params;

/* left + sign * right */
void tf_sum_s8(const tf_sum_params *params, const int8_t *left, const int8_t *right,
               int8_t *output);
void tf_sum_s16(const tf_sum_params *params, const int16_t *left, const int16_t *right,
                int16_t *output);

/* The larger of two values of one quantisation. */
void tf_maximum_s8(const tf_broadcast *loops, const int8_t *left, const int8_t *right,
                   int8_t *output);
void tf_maximum_s16(const tf_broadcast *loops, const int16_t *left, const int16_t *right,
                    int16_t *output);

/* The smaller of two values of one quantisation. */
void tf_minimum_s8(const tf_broadcast *loops, const int8_t *left, const int8_t *right,
                   int8_t *output);
void tf_minimum_s16(const tf_broadcast *loops, const int16_t *left, const int16_t *right,
                    int16_t *output);

typedef struct {
    tf_broadcast loops;
    tf_scaling left;
    tf_scaling right;
    tf_scaling output;
} tf_squared_difference_params;

/* (left - right)^2 */
void tf_squared_difference_s8(const tf_squared_difference_params *params, const int8_t *left,
                              const int8_t *right, int8_t *output);

typedef struct {
    tf_broadcast loops; /* the input is left, alpha right */
    int32_t input_offset;
    int32_t alpha_offset;
    tf_scaling positive; /* of the input */
    tf_scaling negative; /* of input times alpha */
} tf_prelu_params;

/* input where it is not negative, else alpha * input */
void tf_prelu_s8(const tf_prelu_params *params, const int8_t *input, const int8_t *alpha,
                 int8_t *output);

typedef enum {
    TF_EQUAL,
    TF_NOT_EQUAL,
    TF_GREATER,
    TF_GREATER_EQUAL,
    TF_LESS,
    TF_LESS_EQUAL,
} tf_relation;

typedef struct {
    tf_broadcast loops;
    tf_scaling left;
    tf_scaling right;
    tf_relation relation;
} tf_compare_params;

/* 1 where the relation holds, else 0. */
void tf_compare_s8(const tf_compare_params *params, const int8_t *left, const int8_t *right,
                   uint8_t *output);

typedef struct {
    tf_broadcast values;
    tf_broadcast condition; /* as left, of the same loops; right is not used */
} tf_select_params;

/* left where the condition is not 0, else right; values of one quantisation. */
void tf_select_s8(const tf_select_params *params, const uint8_t *condition, const int8_t *left,
                  const int8_t *right, int8_t *output);

#endif
