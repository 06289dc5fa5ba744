/* SPDX-License-Identifier: Apache-2.0 */
/* Products of computed int16 matrices, exact with TFLM's reference kernel. */
#ifndef TINYFLOW_PRODUCTS_S16_H
#define TINYFLOW_PRODUCTS_S16_H

#include "tinyflow_windows.h"

/* To output [batches][rows][columns], by sums of 64 bits; there are no offsets and no bias. */
void tinyflow_batch_matmul_s16(const tinyflow_batch_matmul_params *params, const int16_t *left,
                               const int16_t *right, int16_t *output);

#endif
