/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated element-wise kernels of int8. Their loops are generated for a model; see the assembly files
 * next to this one. Each computes `count` consecutive elements.
 */
#ifndef TINYFLOW_ELEMENTWISE_S8_H
#define TINYFLOW_ELEMENTWISE_S8_H

#include "tinyflow_elementwise.h"

#include <string.h>

typedef struct {
    uint32_t count;
    int32_t left;  /* what each operand is multiplied by */
    int32_t right;
    int32_t offset;
} tinyflow_sum_constants;

typedef struct {
    uint32_t count;
    const int32_t *table; /* of the operand of the smaller scale */
    uint32_t multiplier;
    uint32_t power;
    int32_t zero_point; /* of the output */
} tinyflow_sum_table_constants;

typedef struct {
    uint32_t count;
    uint32_t left;  /* minus the zero point in each halfword */
    uint32_t right;
    uint32_t multiplier;
    uint32_t power;
    int32_t zero_point; /* of the output */
} tinyflow_product_constants;

typedef void tinyflow_sum_kernel(const int8_t *left, const int8_t *right, int8_t *output,
                                 const tinyflow_sum_constants *constants);
typedef void tinyflow_sum_table_kernel(const int8_t *looked_up, const int8_t *shifted,
                                       int8_t *output,
                                       const tinyflow_sum_table_constants *constants);
typedef void tinyflow_product_kernel(const int8_t *left, const int8_t *right, int8_t *output,
                                     const tinyflow_product_constants *constants);
typedef void tinyflow_lut_kernel(const int8_t *input, int8_t *output, const int8_t *table,
                                 uint32_t count);

#endif
