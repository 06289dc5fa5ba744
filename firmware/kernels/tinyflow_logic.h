/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on truth values of one byte, 0 or 1; exact with TFLM's reference kernels. */
#ifndef TINYFLOW_LOGIC_H
#define TINYFLOW_LOGIC_H

#include "tinyflow_elementwise.h"
#include "tinyflow_windows.h"

/* Operands are broadcast as those of arithmetic; each may be the output if it is as large. */
void tinyflow_logical_and(const tinyflow_broadcast *loops, const uint8_t *left,
                          const uint8_t *right, uint8_t *output);
void tinyflow_logical_or(const tinyflow_broadcast *loops, const uint8_t *left, const uint8_t *right,
                         uint8_t *output);

/* In-place. */
void tinyflow_logical_not(const uint8_t *input, uint8_t *output, size_t elements);

/* 1 where all of the reduced elements are. */
void tinyflow_reduce_all(const tinyflow_reduction *loops, const uint8_t *input, uint8_t *output);

#endif
