/* Operators on truth values of one byte, 0 or 1; exact with TFLM's reference kernels. */
#ifndef TF_LOGIC_H
#define TF_LOGIC_H

#include "tf_elementwise.h"
#include "tf_windows.h"

/* Operands are broadcast as those of arithmetic; each may be the output if it is as large. */
void tf_logical_and(const tf_broadcast *loops, const uint8_t *left, const uint8_t *right,
                    uint8_t *output);
void tf_logical_or(const tf_broadcast *loops, const uint8_t *left, const uint8_t *right,
                   uint8_t *output);

/* In-place. */
void tf_logical_not(const uint8_t *input, uint8_t *output, size_t elements);

/* 1 where all of the reduced elements are. */
void tf_reduce_all(const tf_reduction *loops, const uint8_t *input, uint8_t *output);

#endif
