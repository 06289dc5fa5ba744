/* SPDX-License-Identifier: Apache-2.0 */
/* The quotient of int8, exact with TFLM's reference kernel. */
#ifndef TINYFLOW_DIV_H
#define TINYFLOW_DIV_H

#include "tinyflow_elementwise.h"

/* Operands are broadcast as those of a product. The scales' ratio has a shift of -25 to 22. */
typedef tinyflow_mul_params tinyflow_div_params;

/* left / right */
void tinyflow_div_s8(const tinyflow_div_params *params, const int8_t *left, const int8_t *right,
                     int8_t *output);

#endif
