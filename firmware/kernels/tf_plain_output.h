/* From an accumulator to an int8 output on cores without the DSP extension. */
#ifndef TF_PLAIN_OUTPUT_H
#define TF_PLAIN_OUTPUT_H

#include "tf_plain_conv.h"
#include "tf_requantize.h"

/*
 * tf_doubling_high_multiply for |acc| < 2^29 and a multiplier that is not negative. Armv6-M has no
 * product of 64 bits: there it is put together of products of halves,
 *
 *   acc = high * 2^16 + low, low from -2^15 to 2^15 - 1;   multiplier = m1 * 2^16 + m0
 *   acc * multiplier / 2^16 = high * m1 * 2^16 + (high * m0 + low * m1 + low * m0 / 2^16)
 *
 * in which nothing overflows; what the last division drops does not change the rounded result.
 */
static inline int32_t tf_plain_high_product(int32_t acc, int32_t multiplier)
{
#ifdef __ARM_ARCH_6M__
    const int32_t low = (int16_t)acc;
    const int32_t high = (acc - low) >> 16;
    const int32_t m0 = (int32_t)((uint32_t)multiplier & 0xFFFFu);
    const int32_t m1 = multiplier >> 16;
    const int32_t middle = high * m0 + low * m1 + ((low * m0) >> 16);
    return 2 * high * m1 + ((middle + (INT32_C(1) << 14)) >> 15);
#else
    return tf_doubling_high_multiply(acc, multiplier);
#endif
}

/* Both roundings of the reference; the shift is 1 to 31. */
static inline int8_t tf_plain_finish(int32_t acc, tf_plain_scale scale,
                                     const tf_plain_output *output)
{
    const int32_t product = tf_plain_high_product(acc, scale.multiplier);
    const int32_t half = (int32_t)(UINT32_C(1) << (scale.shift - 1));
    const int32_t rounded = (product + half + (product >> 31)) >> scale.shift;
    return (int8_t)tf_clamp(rounded + output->zero_point, output->minimum, output->maximum);
}

/* Up to four sums to outputs; gives the stream behind their scales. */
static inline const int32_t *tf_plain_finish_four(const int32_t sums[4],
                                                  const tf_plain_output *output,
                                                  const int32_t *stream, int8_t *outputs,
                                                  size_t count)
{
    const int own = output->scale.multiplier < 0;
    for (size_t i = 0; i < 4; ++i) {
        tf_plain_scale scale = output->scale;
        if (own) {
            scale.multiplier = *stream++;
            scale.shift = *stream++;
        }
        if (i < count) {
            outputs[i] = tf_plain_finish(sums[i], scale, output);
        }
    }
    return stream;
}

#endif
