/* The quotient of int8, exact with TFLM's reference kernel. */
#ifndef TF_DIV_H
#define TF_DIV_H

#include "tf_elementwise.h"

/* Operands are broadcast as those of a product. The scales' ratio has a shift of -25 to 22. */
typedef tf_mul_params tf_div_params;

/* left / right */
void tf_div_s8(const tf_div_params *params, const int8_t *left, const int8_t *right,
               int8_t *output);

#endif
