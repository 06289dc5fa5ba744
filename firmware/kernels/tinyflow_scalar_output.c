/* SPDX-License-Identifier: Apache-2.0 */
/* The innermost loops in C, for Armv7-M; tinyflow_scalar_multiply.S has them for Armv6-M. */
#include "tinyflow_scalar_output.h"

#include <string.h>

#ifndef __ARM_ARCH_6M__

/* One input times a weight of each of four outputs. */
static inline void multiply(int32_t sums[4], uint32_t weights, int32_t input)
{
    sums[0] += (int8_t)weights * input;
    sums[1] += ((int32_t)(weights << 16) >> 24) * input;
    sums[2] += ((int32_t)(weights << 8) >> 24) * input;
    sums[3] += ((int32_t)weights >> 24) * input;
}

void tinyflow_scalar_multiply_row(int32_t sums[4], const uint8_t *row, const uint8_t *end,
                                  const int32_t *packed_weights)
{
    int32_t own[4] = {sums[0], sums[1], sums[2], sums[3]};
    for (; row != end; row += 2, packed_weights += 2) {
        multiply(own, (uint32_t)packed_weights[0], row[0]);
        multiply(own, (uint32_t)packed_weights[1], row[1]);
    }
    memcpy(sums, own, sizeof own);
}

void tinyflow_scalar_finish(const int32_t *sums, int8_t *outputs, const int8_t *end,
                            const tinyflow_scalar_output *output,
                            const tinyflow_scalar_scale *scale, uint32_t step)
{
    const int32_t zero_point = output->zero_point;
    for (; outputs != end; ++outputs, scale += step / sizeof *scale) {
        const int32_t product = tinyflow_doubling_high_multiply(*sums++, scale->multiplier);
        const int32_t half = (int32_t)(UINT32_C(1) << (scale->shift - 1));
        const int32_t rounded = (product + half + (product >> 31)) >> scale->shift;
        *outputs = (int8_t)tinyflow_clamp(rounded + zero_point, output->minimum, output->maximum);
    }
}

#endif
