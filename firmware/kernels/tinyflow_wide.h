/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversions between int32 and narrower quantised types, and what turns int8 into int16; exact
 * with TFLM's reference kernels.
 */
#ifndef TINYFLOW_WIDE_H
#define TINYFLOW_WIDE_H

#include "tinyflow_kernels.h"

/* Requantises from one scale and zero point to another; differences and sums of 32 bits wrap. */
void tinyflow_requantize_s8_s32(const tinyflow_requantize_params *params, const int8_t *input,
                                int32_t *output, size_t elements);
void tinyflow_requantize_s16_s32(const tinyflow_requantize_params *params, const int16_t *input,
                                 int32_t *output, size_t elements);
void tinyflow_requantize_s32_s8(const tinyflow_requantize_params *params, const int32_t *input,
                                int8_t *output, size_t elements);
void tinyflow_requantize_s32_s16(const tinyflow_requantize_params *params, const int32_t *input,
                                 int16_t *output, size_t elements);

/* Softmax of each row; the output's scale is 1/65536 and its zero point -32768. */
void tinyflow_softmax_s8_s16(const tinyflow_softmax_params *params, const int8_t *input,
                             int16_t *output);

#endif
