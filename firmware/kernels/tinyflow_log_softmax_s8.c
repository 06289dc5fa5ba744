/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logarithm of softmax in fixed point.
 * Reference: TFLM, reference/log_softmax.h and log_x_for_x_greater_than_or_equal_to_1 of common.h.
 */
#include "tinyflow_requantize.h"
#include "tinyflow_tables.h"

enum {
    ACCUMULATOR_BITS = 12, /* the sum of exponentials is Q12 */
    LOG_BITS = 6,          /* its logarithm is computed in Q6 and given in Q5 */
    OUTPUT_SHIFT = 22,     /* from Q5 to the output's scale of 2^-4 */
};

static int32_t leading_zeros(int32_t value)
{
    int32_t count = 0;
    while (((uint32_t)value << count & UINT32_C(0x80000000)) == 0) {
        ++count;
    }
    return count;
}

/* r in [1/2, 1) as Q0, a mantissa of x; its logarithm's numerator and denominator, by a rational
 * function around the fourth root of 1/2. Gives the quotient in Q6. */
static int32_t log_of_mantissa(int32_t r)
{
    const int32_t centre = 1805811301;    /* (1/2)^(1/4) */
    const int32_t numerator_3 = 117049297; /* 11/240 2^(1/4) */
    const int32_t denominator_0 = 1057819769; /* 2 / 2^(1/4) - 2^(1/4) */
    const int32_t denominator_1 = 638450708;  /* 1/4 2^(1/4) */
    const int32_t denominator_2 = 127690142;  /* 1/20 2^(1/4) */
    const int32_t p = (int32_t)(((int64_t)r + centre + 1) / 2);
    const int32_t q = 2 * (r - centre);
    const int32_t q2 = tinyflow_doubling_high_multiply(q, q);
    const int32_t numerator =
        tinyflow_doubling_high_multiply(q, r) +
        tinyflow_doubling_high_multiply(tinyflow_doubling_high_multiply(q, q2), numerator_3);
    const int32_t denominator_minus_one =
        tinyflow_doubling_high_multiply(
            p, denominator_0 + q + tinyflow_doubling_high_multiply(denominator_2, q2)) +
        tinyflow_doubling_high_multiply(denominator_1, q);
    return tinyflow_doubling_high_multiply(tinyflow_rounding_shift_right(numerator, LOG_BITS),
                                           tinyflow_reciprocal_of_one_plus(denominator_minus_one));
}

/*
 * log(x) as Q5, for x >= 1 as Q12. x = r 2^e; of the two mantissas below, of x and of sqrt(1/2) x,
 * the lesser one lies around the centre of the rational function.
 */
static int32_t log_of_accumulator(int32_t x)
{
    const int32_t log_2 = 1488522236;
    const int32_t sqrt_half = 1518500250;
    const int32_t quarter = INT32_C(1) << (29 - LOG_BITS);
    const int32_t zeros = leading_zeros(x);
    const int32_t mantissa = tinyflow_saturating_shift_left(
        tinyflow_doubling_high_multiply(tinyflow_shift_left(x, zeros - 1), sqrt_half), 1);
    const int32_t exponent =
        tinyflow_shift_left(ACCUMULATOR_BITS - zeros, 31 - LOG_BITS) + quarter;

    const int32_t other_zeros = leading_zeros(tinyflow_doubling_high_multiply(x, sqrt_half)) - 1;
    const int32_t other_mantissa = tinyflow_saturating_shift_left(x, other_zeros);
    const int32_t other_exponent =
        tinyflow_shift_left(ACCUMULATOR_BITS - other_zeros, 31 - LOG_BITS) - quarter;

    const int32_t sum =
        tinyflow_doubling_high_multiply(exponent > other_exponent ? exponent : other_exponent,
                                        log_2) +
        log_of_mantissa(mantissa < other_mantissa ? mantissa : other_mantissa);
    return tinyflow_saturating_shift_left(sum, 1);
}

static void log_softmax_row(const tinyflow_log_softmax_params *params, const int8_t *input,
                            int8_t *output)
{
    int32_t maximum = INT8_MIN;
    for (size_t i = 0; i < params->depth; ++i) {
        maximum = input[i] > maximum ? input[i] : maximum;
    }
    int32_t sum = 0;
    for (size_t i = 0; i < params->depth; ++i) {
        const int32_t difference = input[i] - maximum;
        if (difference >= params->least_difference) {
            sum += tinyflow_rounding_shift_right(
                tinyflow_exp_of_negative(tinyflow_requantize(difference, params->multiplier,
                                                             params->shift)),
                ACCUMULATOR_BITS);
        }
    }
    const int32_t log_of_sum = log_of_accumulator(sum);
    /* the difference whose fixed point less the logarithm would leave 32 bits */
    const int32_t lowest = tinyflow_requantize(log_of_sum + INT32_MIN, params->reverse_multiplier,
                                               params->reverse_shift);
    const int32_t least =
        lowest > params->least_difference - 1 ? lowest : params->least_difference - 1;
    for (size_t i = 0; i < params->depth; ++i) {
        const int32_t difference = input[i] - maximum;
        int32_t result = INT8_MIN;
        if (difference > least) {
            result = INT8_MAX + tinyflow_rounding_shift_right(
                                    tinyflow_requantize(difference, params->multiplier,
                                                        params->shift) -
                                        log_of_sum,
                                    OUTPUT_SHIFT);
        }
        output[i] = (int8_t)tinyflow_clamp(result, INT8_MIN, INT8_MAX);
    }
}

void tinyflow_log_softmax_s8(const tinyflow_log_softmax_params *params, const int8_t *input,
                             int8_t *output)
{
    for (size_t row = 0; row < params->rows; ++row) {
        log_softmax_row(params, &input[row * params->depth], &output[row * params->depth]);
    }
}
