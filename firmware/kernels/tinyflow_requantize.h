/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed-point arithmetic of the reference kernels: gemmlowp's two roundings and its functions.
 * Qn is a 32-bit number with n integer bits and 31 - n fractional ones.
 *
 * Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference", arXiv:1712.05877, appendix B; gemmlowp's fixedpoint.h.
 */
#ifndef TINYFLOW_REQUANTIZE_H
#define TINYFLOW_REQUANTIZE_H

#include <stdint.h>

/*
 * The high word of 2ab, rounded to nearest; saturates at 2^31 - 1. gemmlowp adds 2^30 to a positive
 * product and 1 - 2^30 to a negative one and divides towards zero; adding 2^30 and shifting down is
 * the same for both: a negative tie -(k + 1/2) gives -k either way.
 */
static inline int32_t tinyflow_doubling_high_multiply(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* value / 2^exponent, rounded to nearest, halves away from zero; exponent is 0 to 31. */
static inline int32_t tinyflow_rounding_shift_right(int32_t value, int32_t exponent)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t remainder = value & mask;
    const int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> exponent) + (remainder > threshold ? 1 : 0);
}

/* value * 2^exponent; wraps, as the reference does. */
static inline int32_t tinyflow_shift_left(int32_t value, int32_t exponent)
{
    return (int32_t)((uint32_t)value << exponent);
}

/* value * multiplier * 2^(shift - 31); the multiplier is not negative, shift > 0 is to the left. */
static inline int32_t tinyflow_requantize(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int64_t product = (int64_t)tinyflow_shift_left(value, left) * multiplier;
    return tinyflow_rounding_shift_right((int32_t)((product + (INT64_C(1) << 30)) >> 31), right);
}

static inline int32_t tinyflow_clamp(int32_t value, int32_t minimum, int32_t maximum)
{
    return value < minimum ? minimum : value > maximum ? maximum : value;
}

/* value * 2^exponent, saturated; exponent is 0 to 31. */
static inline int32_t tinyflow_saturating_shift_left(int32_t value, int32_t exponent)
{
    const int32_t limit = (int32_t)((UINT32_C(1) << (31 - exponent)) - 1u);
    return value > limit ? INT32_MAX : value < -limit ? INT32_MIN : tinyflow_shift_left(value,
                                                                                        exponent);
}

/* exp(a) for a in [-1/4, 0), Q0: a Taylor polynomial of fourth degree around -1/8. */
static inline int32_t tinyflow_exp_of_small(int32_t a)
{
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    const int32_t x = a + (INT32_C(1) << 28);
    const int32_t x2 = tinyflow_doubling_high_multiply(x, x);
    const int32_t x3 = tinyflow_doubling_high_multiply(x2, x);
    const int32_t x4 = tinyflow_doubling_high_multiply(x2, x2);
    /* x^4/24 + x^3/6 + x^2/2 */
    const int32_t tail = tinyflow_rounding_shift_right(
        tinyflow_doubling_high_multiply(tinyflow_rounding_shift_right(x4, 2) + x3, third) + x2, 1);
    return exp_minus_eighth + tinyflow_doubling_high_multiply(exp_minus_eighth, x + tail);
}

/* exp(a) as Q0, for a <= 0 in Q5: the part below 1/4 by polynomial, the rest bit by bit. */
static inline int32_t tinyflow_exp_of_negative(int32_t a)
{
    /* exp(-2^k) as Q0, for k = -2 to 4 */
    static const int32_t power[] = {1672461947, 1302514674, 790015084, 290630308,
                                    39332535,   720401,     242};
    const int32_t quarter = INT32_C(1) << 24;
    if (a == 0) {
        return INT32_MAX;
    }
    const int32_t small = (a & (quarter - 1)) - quarter;
    const int32_t rest = small - a;
    int32_t result = tinyflow_exp_of_small(tinyflow_shift_left(small, 5));
    for (int32_t bit = 0; bit < 7; ++bit) {
        if ((rest & tinyflow_shift_left(quarter, bit)) != 0) {
            result = tinyflow_doubling_high_multiply(result, power[bit]);
        }
    }
    return result;
}

/* 1 / (1 + a) as Q0, for a in [0, 1) as Q0: three steps of Newton and Raphson's division. */
static inline int32_t tinyflow_reciprocal_of_one_plus(int32_t a)
{
    const int32_t half_denominator = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t x = 1515870810 + tinyflow_doubling_high_multiply(half_denominator,
                                                             -1010580540); /* Q2 */
    for (int step = 0; step < 3; ++step) {
        const int32_t error =
            (INT32_C(1) << 29) - tinyflow_doubling_high_multiply(half_denominator, x);
        x += tinyflow_saturating_shift_left(tinyflow_doubling_high_multiply(x, error), 2);
    }
    return tinyflow_saturating_shift_left(x, 1);
}

#endif
