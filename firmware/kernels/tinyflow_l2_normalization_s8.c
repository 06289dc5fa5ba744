/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L2 normalisation in fixed point.
 * Reference: TFLM, integer_ops/l2normalization.h and GetInvSqrtQuantizedMultiplierExp of common.h.
 */
#include "tinyflow_requantize.h"
#include "tinyflow_tables.h"

enum { OUTPUT_FRACTION_BITS = 7 };

/*
 * 1 / sqrt(value) = multiplier * 2^(shift - 31), value >= 0; 0 counts as 1. The value is scaled by
 * a power of four to [1/4, 1) of a fixed point, where five steps of Newton's method from 1 suffice.
 */
static int32_t inverse_square_root(int32_t value, int32_t *shift)
{
    const int32_t three_halves = INT32_C(3) << 27; /* Q3 */
    const int32_t sqrt_half = 1518500250;
    int32_t x = INT32_C(1) << 28; /* 1 as Q3; products of two are Q6, of three Q9 */
    int32_t down = 11;
    if (value <= 1) {
        *shift = 0;
        return INT32_MAX;
    }
    while (value >= INT32_C(1) << 29) {
        value /= 4;
        ++down;
    }
    while (value < INT32_C(1) << 27) {
        value *= 4;
        --down;
    }
    const int32_t half = tinyflow_rounding_shift_right(value >> 1, 1);
    for (int step = 0; step < 5; ++step) {
        const int32_t cube = tinyflow_saturating_shift_left(
            tinyflow_doubling_high_multiply(tinyflow_doubling_high_multiply(x, x), x), 6);
        x = tinyflow_saturating_shift_left(
            tinyflow_doubling_high_multiply(three_halves, x) - tinyflow_doubling_high_multiply(half,
                                                                                               cube), 3);
    }
    x = tinyflow_doubling_high_multiply(x, sqrt_half);
    *shift = down < 0 ? 0 : -down;
    return down < 0 ? tinyflow_shift_left(x, -down) : x;
}

void tinyflow_l2_normalization_s8(const int8_t *input, int8_t *output, size_t rows, size_t depth,
                                  int32_t zero_point)
{
    for (size_t row = 0; row < rows; ++row) {
        int32_t squares = 0;
        for (size_t i = 0; i < depth; ++i) {
            squares += (input[i] - zero_point) * (input[i] - zero_point);
        }
        int32_t shift;
        const int32_t multiplier = inverse_square_root(squares, &shift);
        for (size_t i = 0; i < depth; ++i) {
            const int32_t result =
                tinyflow_requantize(input[i] - zero_point, multiplier,
                                    shift + OUTPUT_FRACTION_BITS);
            output[i] = (int8_t)tinyflow_clamp(result, INT8_MIN, INT8_MAX);
        }
        input += depth;
        output += depth;
    }
}
