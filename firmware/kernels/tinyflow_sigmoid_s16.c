/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/logistic.h and tanh.h. */
#include "tinyflow_s16.h"

enum {
    LAST_INTERVAL = 254, /* from its end on the function is at its limit */
};

/* The input in steps of 1 / (3 * 4096), rounded to nearest, halves up. */
static int32_t scale(const tinyflow_sigmoid_s16_params *params, int32_t value)
{
    const int32_t round = params->shift > 0 ? INT32_C(1) << (params->shift - 1) : 0;
    return (value * params->multiplier + round) >> params->shift;
}

/* The logistic function of |x| between the table's entries, which lie 2^bits steps apart. */
static int32_t interpolate(const uint16_t *table, int32_t x, int32_t bits, int32_t limit)
{
    const uint32_t magnitude = (uint32_t)(x < 0 ? -x : x);
    const uint32_t place = magnitude >> bits;
    if (place > LAST_INTERVAL) {
        return limit << bits;
    }
    const int32_t fraction = (int32_t)(magnitude & ((UINT32_C(1) << bits) - 1u));
    return ((int32_t)table[place] << bits) + fraction * (table[place + 1] - table[place]);
}

void tinyflow_logistic_s16(const tinyflow_sigmoid_s16_params *params, const int16_t *input,
                           int16_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        const int32_t x = scale(params, input[i]);
        const int32_t above = interpolate(params->table, x, 9, 0x7FFF << 1); /* Q25 */
        const int32_t result = x >= 0 ? above : (INT32_C(1) << 25) - above - 1;
        output[i] = (int16_t)((result + (1 << 9)) >> 10);
    }
}

void tinyflow_tanh_s16(const tinyflow_sigmoid_s16_params *params, const int16_t *input,
                       int16_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        const int32_t x = scale(params, input[i]);
        /* tanh(x) = 2 logistic(2x) - 1; Q23 before it is doubled */
        const int32_t above =
            interpolate(params->table, x, 8, 0xFFFF) - (INT32_C(1) << 23);
        const int32_t result = x >= 0 ? above : -above - 1;
        output[i] = (int16_t)((result + (1 << 7)) >> 8);
    }
}
