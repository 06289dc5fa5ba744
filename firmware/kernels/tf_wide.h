/*
 * Conversions between int32 and narrower quantised types, and what turns int8 into int16; exact
 * with TFLM's reference kernels.
 */
#ifndef TF_WIDE_H
#define TF_WIDE_H

#include "tf_kernels.h"

/* Requantises from one scale and zero point to another; differences and sums of 32 bits wrap. */
void tf_requantize_s8_s32(const tf_requantize_params *params, const int8_t *input, int32_t *output,
                          size_t elements);
void tf_requantize_s16_s32(const tf_requantize_params *params, const int16_t *input,
                           int32_t *output, size_t elements);
void tf_requantize_s32_s8(const tf_requantize_params *params, const int32_t *input, int8_t *output,
                          size_t elements);
void tf_requantize_s32_s16(const tf_requantize_params *params, const int32_t *input,
                           int16_t *output, size_t elements);

/* Softmax of each row; the output's scale is 1/65536 and its zero point -32768. */
void tf_softmax_s8_s16(const tf_softmax_params *params, const int8_t *input, int16_t *output);

#endif
