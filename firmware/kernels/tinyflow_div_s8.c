/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quotient by the divisor's reciprocal. What the reference gives for a divisor of 0, and where
 * its last shift is by more than 31 bits, follows from its arithmetic on x86, and is the same here.
 * Reference: TFLM, reference/div.h, and GetReciprocal of common.h.
 */
#include "tinyflow_div.h"

/* The highest bit of a number, counted from 1; 0 for 0. */
static int32_t bits_of(uint32_t value)
{
    int32_t bits = 0;
    while (value != 0) {
        value >>= 1;
        ++bits;
    }
    return bits;
}

/* value / 2^exponent, rounded to nearest up to 31 bits; beyond, the shift counts modulo 32. */
static int32_t shift_right(int32_t value, int32_t exponent)
{
    if (exponent <= 31) {
        return tinyflow_rounding_shift_right(value, exponent);
    }
    return (value >> (exponent - 32)) + (value >= 0 ? 1 : 0);
}

static int8_t quotient(const tinyflow_div_params *params, int32_t dividend, int32_t divisor)
{
    if (divisor < 0) {
        dividend = -dividend;
        divisor = -divisor;
    }
    /* divisor = 2^bits * (1 + fraction) / 2 */
    const int32_t bits = bits_of((uint32_t)divisor);
    const uint32_t leading = divisor == 0 ? 0u : (uint32_t)divisor << (32 - bits);
    const int32_t reciprocal =
        tinyflow_reciprocal_of_one_plus((int32_t)(leading - UINT32_C(0x80000000)));
    const int32_t headroom = 31 - bits_of((uint32_t)(dividend < 0 ? -dividend - 1 : dividend));
    const int32_t unscaled =
        tinyflow_doubling_high_multiply(tinyflow_shift_left(dividend, headroom), reciprocal);
    const int32_t scaled =
        shift_right(tinyflow_doubling_high_multiply(unscaled, params->output.multiplier),
                    bits - 1 + headroom - params->output.shift);
    return (int8_t)tinyflow_clamp(scaled + params->output.offset, params->minimum, params->maximum);
}

void tinyflow_div_s8(const tinyflow_div_params *params, const int8_t *left, const int8_t *right,
                     int8_t *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            *output++ = quotient(params,
                                 left[at.left + i * loops->left[TINYFLOW_INNER]] + params->left_offset,
                                 right[at.right + i * loops->right[TINYFLOW_INNER]] +
                                     params->right_offset);
        }
    } while (tinyflow_next(loops, &at));
}
