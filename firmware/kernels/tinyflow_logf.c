/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log(x) = k ln(2) + log(c) + log(1 + r), where x = 2^k z, c lies near the middle of the sixteenth
 * of [0.7, 1.4) that z is in, and r = z / c - 1; the last term is a polynomial of degree 4.
 * Coefficients and table are those of ARM's optimised routines, which glibc has had since 2.27, and
 * so is the order of operations, in double precision. All arguments were compared with glibc's.
 */
#include "tinyflow_math.h"

#include <math.h>

enum {
    TABLE_BITS = 4,
    MANTISSA_BITS = 23,
};

/* The least z, as bits. */
#define LEAST UINT32_C(0x3f330000)
#define LN_2 0x1.62e42fefa39efp-1

static const struct {
    double reciprocal; /* 1 / c */
    double logarithm;  /* log(c) */
} table[1 << TABLE_BITS] = {
    {0x1.661ec79f8f3bep+0, -0x1.57bf7808caadep-2}, {0x1.571ed4aaf883dp+0, -0x1.2bef0a7c06ddbp-2},
    {0x1.49539f0f010bp+0, -0x1.01eae7f513a67p-2},  {0x1.3c995b0b80385p+0, -0x1.b31d8a68224e9p-3},
    {0x1.30d190c8864a5p+0, -0x1.6574f0ac07758p-3}, {0x1.25e227b0b8eap+0, -0x1.1aa2bc79c81p-3},
    {0x1.1bb4a4a1a343fp+0, -0x1.a4e76ce8c0e5ep-4}, {0x1.12358f08ae5bap+0, -0x1.1973c5a611cccp-4},
    {0x1.0953f419900a7p+0, -0x1.252f438e10c1ep-5}, {0x1p+0, 0x0p+0},
    {0x1.e608cfd9a47acp-1, 0x1.aa5aa5df25984p-5},  {0x1.ca4b31f026aap-1, 0x1.c5e53aa362eb4p-4},
    {0x1.b2036576afce6p-1, 0x1.526e57720db08p-3},  {0x1.9c2d163a1aa2dp-1, 0x1.bc2860d22477p-3},
    {0x1.886e6037841edp-1, 0x1.1058bc8a07ee1p-2},  {0x1.767dcf5534862p-1, 0x1.4043057b6ee09p-2},
};

float tinyflow_logf(float x)
{
    int32_t scaled = 0;
    uint32_t bits = tinyflow_bits_of(x);
    if (x == 1.0f) {
        return 0.0f;
    }
    if (!(x > 0.0f) || bits >= UINT32_C(0x7f800000)) { /* 0, negative, NaN or infinite */
        return x == 0.0f ? -HUGE_VALF : x > 0.0f ? x : NAN;
    }
    if (bits < UINT32_C(0x00800000)) { /* subnormal */
        scaled = MANTISSA_BITS;
        bits = tinyflow_bits_of(x * 0x1p23f);
    }
    const uint32_t above = bits - LEAST;
    const uint32_t index = (above >> (MANTISSA_BITS - TABLE_BITS)) & ((1 << TABLE_BITS) - 1);
    const int32_t exponent = ((int32_t)above >> MANTISSA_BITS);
    const double z = (double)tinyflow_float_of(bits - ((uint32_t)exponent << MANTISSA_BITS));

    const double r = z * table[index].reciprocal - 1.0;
    const double whole = table[index].logarithm + (double)(exponent - scaled) * LN_2;
    const double square = r * r;
    const double low = 0x1.5575b0be00b6ap-2 * r + -0x1.ffffef20a4123p-2;
    const double high = -0x1.00ea348b88334p-2 * square + low;
    return (float)(high * square + (whole + r));
}
