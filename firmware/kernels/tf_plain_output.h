/*
 * Helpers of the kernels for cores without the DSP extension: their innermost loops, and from
 * accumulators to outputs. For Armv6-M these are in assembly.
 */
#ifndef TF_PLAIN_OUTPUT_H
#define TF_PLAIN_OUTPUT_H

#include "tf_plain_conv.h"
#include "tf_requantize.h"

/* sums += the bytes of a row, an even number, times the weights of four outputs each. */
void tf_plain_multiply_row(int32_t sums[4], const uint8_t *row, const uint8_t *end,
                           const int32_t *stream);

/* sums += four channels of the taps from `channel` on, times their weights; Armv6-M only. */
void tf_plain_multiply_taps(int32_t sums[4], const int8_t *const *taps, size_t channel,
                            const int32_t *stream, const int8_t *const *end);

/*
 * Sums below 2^29 to outputs, from `outputs` to `end`, with both roundings of the reference; the
 * scales lie `step` bytes apart, 0 or 8, and their shifts are 1 to 31.
 *
 * Armv6-M has no product of 64 bits. There tf_doubling_high_multiply is put together of products of
 * halves, none of which overflows for such sums; what the division drops does not change the result:
 *
 *   acc = high * 2^16 + low, low from -2^15 to 2^15 - 1;   multiplier = m1 * 2^16 + m0
 *   acc * multiplier / 2^16 = high * m1 * 2^16 + (high * m0 + low * m1 + low * m0 / 2^16)
 */
void tf_plain_finish(const int32_t *sums, int8_t *outputs, const int8_t *end,
                     const tf_plain_output *output, const tf_plain_scale *scale, uint32_t step);

/* Up to four sums to outputs; gives the stream behind their scales. */
static inline const int32_t *tf_plain_finish_four(const int32_t sums[4],
                                                  const tf_plain_output *output,
                                                  const int32_t *stream, int8_t *outputs,
                                                  size_t count)
{
    if (output->scale.multiplier >= 0) {
        tf_plain_finish(sums, outputs, &outputs[count], output, &output->scale, 0);
        return stream;
    }
    const tf_plain_scale *scales = (const tf_plain_scale *)stream;
    tf_plain_finish(sums, outputs, &outputs[count], output, scales, sizeof *scales);
    return &stream[8];
}

#endif
