/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/fft_auto_scale.cc and max_abs.cc. */
#include "tinyflow_signal.h"

/* The greatest absolute value, but as in the reference -32768 stays negative: it is forgotten. */
static int32_t greatest(const int16_t *input, size_t elements)
{
    int16_t most = 0;
    for (size_t i = 0; i < elements; ++i) {
        if (input[i] > most) {
            most = input[i];
        } else if (-input[i] > most) {
            most = (int16_t)-input[i];
        }
    }
    return most;
}

/* Bits that a number of 16 bits with a sign has free; none for 0 and for negative ones. */
static int32_t free_bits(int32_t value)
{
    int32_t bits = 0;
    if (value > 0) {
        while (value < 0x4000) {
            value *= 2;
            ++bits;
        }
    }
    return bits;
}

void tinyflow_signal_auto_scale_s16(const int16_t *input, int16_t *output, int32_t *exponent,
                                    size_t elements)
{
    const int32_t bits = free_bits(greatest(input, elements));
    const int32_t factor = (int32_t)1 << bits;
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int16_t)(input[i] * factor);
    }
    *exponent = bits;
}
