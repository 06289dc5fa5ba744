/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of int8 by a table of exponentials, exact with TFLM's reference kernel. */
#ifndef TINYFLOW_SOFTMAX_S8_C_H
#define TINYFLOW_SOFTMAX_S8_C_H

#include <stddef.h>
#include <stdint.h>

/*
 * `exponentials` holds the exponential of each difference to a row's maximum, from 0 upwards, as a
 * fixed point of 31 fractional bits; beyond its `count` entries they do not count. The output's scale
 * is 1/256 and its zero point -128. The output may begin at the input or before it.
 */
void tinyflow_softmax_s8_c(const int32_t *exponentials, uint32_t count, const int8_t *input,
                          int8_t *output, size_t rows, size_t depth);

#endif
