/*
 * Softmax in fixed point. Qn is a 32-bit number with n integer bits and 31 - n fractional ones.
 * Reference: TFLM, reference/softmax.h on gemmlowp's fixedpoint.h.
 */
#include "tf_kernels.h"
#include "tf_requantize.h"

enum {
    ACCUMULATOR_BITS = 12, /* the sum of exponentials is Q12 */
    OUTPUT_BITS = 8,
};

/* value * 2^exponent, saturated. */
static int32_t saturating_shift_left(int32_t value, int32_t exponent)
{
    const int32_t limit = (int32_t)((UINT32_C(1) << (31 - exponent)) - 1u);
    return value > limit ? INT32_MAX : value < -limit ? INT32_MIN : tf_shift_left(value, exponent);
}

/* exp(a) for a in [-1/4, 0), Q0: a Taylor polynomial of fourth degree around -1/8. */
static int32_t exp_of_small(int32_t a)
{
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    const int32_t x = a + (INT32_C(1) << 28);
    const int32_t x2 = tf_doubling_high_multiply(x, x);
    const int32_t x3 = tf_doubling_high_multiply(x2, x);
    const int32_t x4 = tf_doubling_high_multiply(x2, x2);
    /* x^4/24 + x^3/6 + x^2/2 */
    const int32_t tail = tf_rounding_shift_right(
        tf_doubling_high_multiply(tf_rounding_shift_right(x4, 2) + x3, third) + x2, 1);
    return exp_minus_eighth + tf_doubling_high_multiply(exp_minus_eighth, x + tail);
}

/* exp(a) as Q0, for a <= 0 in Q5: the part below 1/4 by polynomial, the rest bit by bit. */
static int32_t exp_of_negative(int32_t a)
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
    int32_t result = exp_of_small(tf_shift_left(small, 5));
    for (int32_t bit = 0; bit < 7; ++bit) {
        if ((rest & tf_shift_left(quarter, bit)) != 0) {
            result = tf_doubling_high_multiply(result, power[bit]);
        }
    }
    return result;
}

/* 1 / (1 + a) as Q0, for a in [0, 1) as Q0: three steps of Newton and Raphson's division. */
static int32_t reciprocal_of_one_plus(int32_t a)
{
    const int32_t half_denominator = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t x = 1515870810 + tf_doubling_high_multiply(half_denominator, -1010580540); /* Q2 */
    for (int step = 0; step < 3; ++step) {
        const int32_t error =
            (INT32_C(1) << 29) - tf_doubling_high_multiply(half_denominator, x);
        x += saturating_shift_left(tf_doubling_high_multiply(x, error), 2);
    }
    return saturating_shift_left(x, 1);
}

static int32_t exp_of_difference(const tf_softmax_params *params, int32_t difference)
{
    return exp_of_negative(tf_doubling_high_multiply(tf_shift_left(difference, params->shift),
                                                     params->multiplier));
}

static void softmax_row(const tf_softmax_params *params, const int8_t *input, int8_t *output)
{
    int32_t maximum = INT8_MIN;
    for (size_t i = 0; i < params->depth; ++i) {
        maximum = input[i] > maximum ? input[i] : maximum;
    }
    int32_t sum = 0;
    for (size_t i = 0; i < params->depth; ++i) {
        if (input[i] - maximum >= params->least_difference) {
            sum += tf_rounding_shift_right(exp_of_difference(params, input[i] - maximum),
                                           ACCUMULATOR_BITS);
        }
    }
    /* sum = 2^(ACCUMULATOR_BITS - headroom) * (1 + fraction) */
    int32_t headroom = 0;
    while (((uint32_t)sum << headroom & UINT32_C(0x80000000)) == 0) {
        ++headroom;
    }
    const int32_t scale = reciprocal_of_one_plus(
        (int32_t)(((uint32_t)sum << headroom) - UINT32_C(0x80000000)));
    const int32_t exponent = ACCUMULATOR_BITS - headroom + 31 - OUTPUT_BITS;
    for (size_t i = 0; i < params->depth; ++i) {
        int32_t result = INT8_MIN;
        if (input[i] - maximum >= params->least_difference) {
            const int32_t share = tf_doubling_high_multiply(
                scale, exp_of_difference(params, input[i] - maximum));
            result += tf_rounding_shift_right(share, exponent);
        }
        output[i] = (int8_t)tf_clamp(result, INT8_MIN, INT8_MAX);
    }
}

void tf_softmax_s8(const tf_softmax_params *params, const int8_t *input, int8_t *output)
{
    for (size_t row = 0; row < params->rows; ++row) {
        softmax_row(params, &input[row * params->depth], &output[row * params->depth]);
    }
}
