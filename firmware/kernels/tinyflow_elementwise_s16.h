/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise operators of int16, zero points 0; exact with TFLM's reference kernels. */
#ifndef TINYFLOW_ELEMENTWISE_S16_H
#define TINYFLOW_ELEMENTWISE_S16_H

#include "tinyflow_elementwise.h"

/* (left - right)^2; the parameters' offsets are not used. */
void tinyflow_squared_difference_s16(const tinyflow_squared_difference_params *params,
                                     const int16_t *left, const int16_t *right, int16_t *output);

/* left where the condition is not 0, else right; values of one scale. */
void tinyflow_select_s16(const tinyflow_select_params *params, const uint8_t *condition,
                         const int16_t *left, const int16_t *right, int16_t *output);

/* |input|, scaled. In-place. */
void tinyflow_abs_s16(const int16_t *input, int16_t *output, size_t elements, int32_t multiplier,
                      int32_t shift);

#endif
