/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helpers of the kernels for cores without the DSP extension: their innermost loops, and from
 * accumulators to outputs. For Armv6-M these are in assembly.
 */
#ifndef TINYFLOW_SCALAR_OUTPUT_H
#define TINYFLOW_SCALAR_OUTPUT_H

#include "tinyflow_scalar_conv.h"
#include "tinyflow_requantize.h"

/* sums += the bytes of a row, an even number, times the weights of four outputs each. */
void tinyflow_scalar_multiply_row(int32_t sums[4], const uint8_t *row, const uint8_t *end,
                                  const int32_t *packed_weights);

/* sums += four channels of the taps from `channel` on, times their weights; Armv6-M only. */
void tinyflow_scalar_multiply_taps(int32_t sums[4], const int8_t *const *taps, size_t channel,
                                   const int32_t *packed_weights, const int8_t *const *end);

/*
 * Sums below 2^29 to outputs, from `outputs` to `end`, with both roundings of the reference; the
 * scales lie `step` bytes apart, 0 or 8, and their shifts are 1 to 31.
 *
 * Armv6-M has no product of 64 bits. There tinyflow_doubling_high_multiply is put together of products of
 * halves, none of which overflows for such sums; what the division drops does not change the result:
 *
 *   acc = high * 2^16 + low, low from -2^15 to 2^15 - 1;   multiplier = m1 * 2^16 + m0
 *   acc * multiplier / 2^16 = high * m1 * 2^16 + (high * m0 + low * m1 + low * m0 / 2^16)
 */
void tinyflow_scalar_finish(const int32_t *sums, int8_t *outputs, const int8_t *end,
                            const tinyflow_scalar_output *output,
                            const tinyflow_scalar_scale *scale, uint32_t step);

/* Up to four sums to outputs; gives the packed weights behind their scales. */
static inline const int32_t *tinyflow_scalar_finish_four(const int32_t sums[4],
                                                         const tinyflow_scalar_output *output,
                                                         const int32_t *packed_weights,
                                                         int8_t *outputs, size_t count)
{
    if (output->scale.multiplier >= 0) {
        tinyflow_scalar_finish(sums, outputs, &outputs[count], output, &output->scale, 0);
        return packed_weights;
    }
    const tinyflow_scalar_scale *scales = (const tinyflow_scalar_scale *)packed_weights;
    tinyflow_scalar_finish(sums, outputs, &outputs[count], output, scales, sizeof *scales);
    return &packed_weights[8];
}

#endif
