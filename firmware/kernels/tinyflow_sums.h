/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of several tensors and running sums; exact with TFLM's reference kernels. */
#ifndef TINYFLOW_SUMS_H
#define TINYFLOW_SUMS_H

#include "tinyflow_elementwise.h"

/* Scaling of a sum of int8: the operands' offset is minus their zero point. */
typedef struct {
    int32_t offset;
    tinyflow_scaling output;
} tinyflow_summed;

/* Fractional bits of the sums; beyond 32 bits they wrap. */
enum {
    TINYFLOW_SUM_SHIFT = 19,
};

/* An element, less its zero point, as the sums have it. */
static inline uint32_t tinyflow_summand(const tinyflow_summed *scaling, int32_t element)
{
    return (uint32_t)(element + scaling->offset) << TINYFLOW_SUM_SHIFT;
}

/*
 * Adds `count` tensors of one shape, scale and zero point. The reference counts the offset once more
 * than there are operands, and so does this.
 */
void tinyflow_add_n_s8(const tinyflow_summed *scaling, const int8_t *const *sources, size_t count,
                       int8_t *output, size_t elements);
void tinyflow_add_n_f32(const float *const *sources, size_t count, float *output, size_t elements);

typedef struct {
    size_t outer; /* product of the dimensions before the one that is summed along */
    size_t depth;
    size_t inner; /* product of the dimensions after it */
    bool exclusive; /* the element itself is left out */
    bool reverse;   /* from the end */
} tinyflow_running;

/* Running sums. That of int8 begins at the offset, as the reference's does. */
void tinyflow_cumsum_s8(const tinyflow_running *loops, const tinyflow_summed *scaling,
                        const int8_t *input, int8_t *output);
void tinyflow_cumsum_f32(const tinyflow_running *loops, const float *input, float *output);

#endif
