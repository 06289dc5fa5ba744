/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/softmax.h; see tinyflow_softmax_s8.c, of which this is a faster form. */
#include "tinyflow_softmax_s8_c.h"

#include "tinyflow_requantize.h"

enum {
    ACCUMULATOR_BITS = 12, /* the sum of exponentials is Q12 */
    OUTPUT_BITS = 8,
};

static void softmax_row(const int32_t *exponentials, uint32_t count, const int8_t *input,
                        int8_t *output, size_t depth)
{
    int32_t maximum = INT8_MIN;
    for (size_t i = 0; i < depth; ++i) {
        maximum = input[i] > maximum ? input[i] : maximum;
    }
    uint32_t sum = 0;
    for (size_t i = 0; i < depth; ++i) {
        const uint32_t difference = (uint32_t)(maximum - input[i]);
        if (difference < count) {
            /* positive: the rounding shift needs no care for signs */
            const uint32_t half = UINT32_C(1) << (ACCUMULATOR_BITS - 1);
            sum += ((uint32_t)exponentials[difference] + half) >> ACCUMULATOR_BITS;
        }
    }
    /* sum = 2^(ACCUMULATOR_BITS - headroom) * (1 + fraction) */
    int32_t headroom = 0;
    while (headroom < 32 && (sum & UINT32_C(0x80000000)) == 0) {
        sum <<= 1;
        ++headroom;
    }
    const int32_t scale = tinyflow_reciprocal_of_one_plus((int32_t)(sum - UINT32_C(0x80000000)));
    const int32_t exponent = ACCUMULATOR_BITS - headroom + 31 - OUTPUT_BITS;
    const int32_t half = (int32_t)(UINT32_C(1) << (exponent - 1));
    for (size_t i = 0; i < depth; ++i) {
        const uint32_t difference = (uint32_t)(maximum - input[i]);
        int32_t result = 0;
        if (difference < count) {
            const int32_t share = tinyflow_doubling_high_multiply(scale, exponentials[difference]);
            result = (share >> exponent) + ((share & (2 * half - 1)) >= half ? 1 : 0);
        }
        result += INT8_MIN;
        output[i] = (int8_t)(result < INT8_MAX ? result : INT8_MAX);
    }
}

void tinyflow_softmax_s8_c(const int32_t *exponentials, uint32_t count, const int8_t *input,
                          int8_t *output, size_t rows, size_t depth)
{
    for (; rows > 0; --rows, input += depth, output += depth) {
        softmax_row(exponentials, count, input, output, depth);
    }
}
