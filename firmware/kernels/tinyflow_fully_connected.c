/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fully connected layers on cores with the DSP extension: each row of inputs is widened to int16
 * once, as the generated loops read it.
 */
#include "tinyflow_dense.h"

#include <arm_acle.h>
#include <string.h>

/* x0 to x3 as (x0, x2) and (x1, x3) at `out`; gives sum + x0 * x1 + x2 * x3. */
static inline int32_t widen_four(uint32_t four, uint32_t out[2], int32_t sum)
{
    const int16x2_t even = __sxtb16((int8x4_t)four);
    const int16x2_t odd = __sxtb16((int8x4_t)(four >> 8 | four << 24));
    out[0] = (uint32_t)even;
    out[1] = (uint32_t)odd;
    return __smlad(even, odd, sum);
}

/* A row as the loops read it: the sum first. Inputs beyond the depth are 0. */
static void widen(const int8_t *input, size_t depth, uint32_t *row)
{
    uint32_t *out = &row[1];
    uint32_t four = 0;
    int32_t sum = 0;
    for (; depth >= sizeof four; depth -= sizeof four, input += sizeof four, out += 2) {
        memcpy(&four, input, sizeof four);
        sum = widen_four(four, out, sum);
    }
    if (depth > 0) {
        four = 0;
        memcpy(&four, input, depth);
        sum = widen_four(four, out, sum);
    }
    row[0] = (uint32_t)sum;
}

void tinyflow_fully_connected_s8(const tinyflow_fully_connected_params *params,
                                 tinyflow_fully_connected_row *compute,
                                 const uint32_t *packed_weights, const int8_t *input,
                                 int8_t *output, size_t rows, size_t depth, uint32_t *row)
{
    for (; rows > 0; --rows, input += depth, output += params->outputs) {
        widen(input, depth, row);
        compute(row, output, packed_weights, params);
    }
}
