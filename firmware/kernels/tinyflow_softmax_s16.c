/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/softmax.h, SoftmaxInt16. */
#include "tinyflow_requantize.h"
#include "tinyflow_s16.h"

/* A table of 512 intervals, 128 steps each, from the least int16 on. */
static int32_t interpolate(const int16_t *table, int32_t value)
{
    const int32_t place = tinyflow_clamp(value, INT16_MIN, INT16_MAX) - INT16_MIN;
    const int16_t *entry = &table[place >> 7];
    /* The reference keeps slope and result in 16 bits; neither function needs more. */
    return entry[0] + (((entry[1] - entry[0]) * (place & 127) + 64) >> 7);
}

/* exp of a difference to the row's maximum, Q15. */
static int32_t exponential(const tinyflow_softmax_s16_params *params, int32_t difference)
{
    const int32_t scaled = tinyflow_requantize(difference, params->multiplier, params->shift);
    /* The table's last step is 0. */
    return interpolate(params->exponential, (int32_t)((uint32_t)scaled + INT16_MAX));
}

/* Leading zeros of a number that is not 0. */
static int32_t leading_zeros(int32_t value)
{
    int32_t zeros = 0;
    while (value < (INT32_C(1) << 30)) {
        value <<= 1;
        ++zeros;
    }
    return zeros + 1;
}

static void softmax_row(const tinyflow_softmax_s16_params *params, const int16_t *input,
                        int16_t *output)
{
    int32_t maximum = INT16_MIN;
    for (size_t i = 0; i < params->depth; ++i) {
        maximum = input[i] > maximum ? input[i] : maximum;
    }
    int32_t sum = 0;
    for (size_t i = 0; i < params->depth; ++i) {
        output[i] = (int16_t)exponential(params, input[i] - maximum);
        sum += output[i];
    }
    const int32_t headroom = leading_zeros(sum);
    /* sum / 2^(31 - headroom) lies between 1 and 2; the table takes it less 1, in 16 bits. */
    const int32_t mantissa = (int32_t)((((int64_t)sum << (headroom - 1)) + (1 << 13)) >> 14);
    const int32_t reciprocal =
        interpolate(params->reciprocal, mantissa - (INT32_C(1) << 16) + INT16_MIN);
    const int32_t shift = 31 - headroom;
    for (size_t i = 0; i < params->depth; ++i) {
        const int32_t share = (output[i] * reciprocal + (1 << (shift - 1))) >> shift;
        output[i] = (int16_t)tinyflow_clamp(share, 0, INT16_MAX);
    }
}

void tinyflow_softmax_s16(const tinyflow_softmax_s16_params *params, const int16_t *input,
                          int16_t *output)
{
    for (size_t row = 0; row < params->rows; ++row) {
        softmax_row(params, &input[row * params->depth], &output[row * params->depth]);
    }
}
