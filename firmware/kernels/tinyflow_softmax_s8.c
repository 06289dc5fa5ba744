/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax in fixed point. Qn is a 32-bit number with n integer bits and 31 - n fractional ones.
 * Reference: TFLM, reference/softmax.h on gemmlowp's fixedpoint.h.
 */
#include "tinyflow_kernels.h"
#include "tinyflow_requantize.h"

enum {
    ACCUMULATOR_BITS = 12, /* the sum of exponentials is Q12 */
    OUTPUT_BITS = 8,
};

static int32_t exp_of_difference(const tinyflow_softmax_params *params, int32_t difference)
{
    return tinyflow_exp_of_negative(tinyflow_doubling_high_multiply(tinyflow_shift_left(difference,
                                                                                        params->shift),
                                                                    params->multiplier));
}

static void softmax_row(const tinyflow_softmax_params *params, const int8_t *input, int8_t *output)
{
    int32_t maximum = INT8_MIN;
    for (size_t i = 0; i < params->depth; ++i) {
        maximum = input[i] > maximum ? input[i] : maximum;
    }
    int32_t sum = 0;
    for (size_t i = 0; i < params->depth; ++i) {
        if (input[i] - maximum >= params->least_difference) {
            sum += tinyflow_rounding_shift_right(exp_of_difference(params, input[i] - maximum),
                                                 ACCUMULATOR_BITS);
        }
    }
    /* sum = 2^(ACCUMULATOR_BITS - headroom) * (1 + fraction) */
    int32_t headroom = 0;
    while (((uint32_t)sum << headroom & UINT32_C(0x80000000)) == 0) {
        ++headroom;
    }
    const int32_t scale = tinyflow_reciprocal_of_one_plus(
        (int32_t)(((uint32_t)sum << headroom) - UINT32_C(0x80000000)));
    const int32_t exponent = ACCUMULATOR_BITS - headroom + 31 - OUTPUT_BITS;
    for (size_t i = 0; i < params->depth; ++i) {
        int32_t result = INT8_MIN;
        if (input[i] - maximum >= params->least_difference) {
            const int32_t share = tinyflow_doubling_high_multiply(
                scale, exp_of_difference(params, input[i] - maximum));
            result += tinyflow_rounding_shift_right(share, exponent);
        }
        output[i] = (int8_t)tinyflow_clamp(result, INT8_MIN, INT8_MAX);
    }
}

void tinyflow_softmax_s8(const tinyflow_softmax_params *params, const int8_t *input, int8_t *output)
{
    for (size_t row = 0; row < params->rows; ++row) {
        softmax_row(params, &input[row * params->depth], &output[row * params->depth]);
    }
}
