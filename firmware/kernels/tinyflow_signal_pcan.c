/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/pcan_argc_fixed.cc. */
#include "tinyflow_signal.h"

/* Bits of the fraction of a ratio of signal to noise, and of the output. */
#define RATIO_BITS 12
#define OUTPUT_BITS 6

/* A parabola for each number of significant bits; ten bits behind the first one are its argument. */
static uint32_t gain_of(uint32_t noise, const int16_t *gains)
{
    if (noise <= 2) {
        return (uint32_t)gains[noise];
    }
    uint32_t bits = 0;
    for (uint32_t rest = noise; rest != 0; rest >>= 1) {
        ++bits;
    }
    const int16_t *const parabola = gains + 4 * bits - 6;
    const uint32_t fraction = (bits < 11 ? noise << (11 - bits) : noise >> (bits - 11)) & 0x3FF;
    const int32_t slope = ((int32_t)parabola[2] * (int32_t)fraction) >> 5;
    const uint32_t sum = (uint32_t)slope + ((uint32_t)parabola[1] << 5);
    const int32_t rise = (int32_t)(sum * fraction + (1u << 14)) >> 15;
    return (uint32_t)(int16_t)(rise + parabola[0]);
}

/* x^2 / 4 below 2, and x - 1 from there on. */
static uint32_t shrunk(uint32_t ratio)
{
    if (ratio < (2u << RATIO_BITS)) {
        return (ratio * ratio) >> (2 + 2 * RATIO_BITS - OUTPUT_BITS);
    }
    return (ratio >> (RATIO_BITS - OUTPUT_BITS)) - (1u << OUTPUT_BITS);
}

void tinyflow_signal_pcan(const uint32_t *input, const uint32_t *noise, const int16_t *gains,
                          uint32_t shift, uint32_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        const uint64_t product = (uint64_t)input[i] * gain_of(noise[i], gains);
        output[i] = shrunk((uint32_t)(product >> shift));
    }
}
