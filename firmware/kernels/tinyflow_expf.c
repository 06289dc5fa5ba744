/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exp(x) = 2^(k/32) * 2^(r/32), where k/32 + r/32 = x / ln(2) and |r| <= 1/2; the second factor is
 * a polynomial of degree 3. Coefficients and table are those of ARM's optimised routines, which
 * glibc has had since 2.27. They compute in double precision; here everything is fixed point, of
 * no fewer bits, and the result is rounded
 * as they round it. All finite arguments were compared with glibc's on a processor that has fused
 * multiply-add; without one, glibc itself gives other bits for two arguments.
 */
#include "tinyflow_math.h"

enum {
    TABLE_BITS = 5,
    STEPS = 1 << TABLE_BITS,
    FRACTION = 50, /* fractional bits of x * 32 / ln(2) */
    POINT = 60,    /* fractional bits of the result */
};

/* 32 / ln(2), 47 fractional bits. */
#define STEPS_PER_UNIT UINT64_C(0x171547652b82fe)
/* Coefficients of r, r^2 and r^3, with 67, 74 and 75 fractional bits. */
#define LINEAR INT64_C(0x2c5c85fe18a5ac00)
#define SQUARE INT64_C(0x3d7f9ca1f589e600)
#define CUBE INT64_C(0x00e357c25c891ca0)

/* 2^(i/32), 52 fractional bits. */
static const uint64_t powers[STEPS] = {
    UINT64_C(0x10000000000000), UINT64_C(0x1059b0d3158574), UINT64_C(0x10b5586cf9890f),
    UINT64_C(0x111301d0125b51), UINT64_C(0x1172b83c7d517b), UINT64_C(0x11d4873168b9aa),
    UINT64_C(0x12387a6e756238), UINT64_C(0x129e9df51fdee1), UINT64_C(0x1306fe0a31b715),
    UINT64_C(0x1371a7373aa9cb), UINT64_C(0x13dea64c123422), UINT64_C(0x144e086061892d),
    UINT64_C(0x14bfdad5362a27), UINT64_C(0x15342b569d4f82), UINT64_C(0x15ab07dd485429),
    UINT64_C(0x16247eb03a5585), UINT64_C(0x16a09e667f3bcd), UINT64_C(0x171f75e8ec5f74),
    UINT64_C(0x17a11473eb0187), UINT64_C(0x182589994cce13), UINT64_C(0x18ace5422aa0db),
    UINT64_C(0x193737b0cdc5e5), UINT64_C(0x19c49182a3f090), UINT64_C(0x1a5503b23e255d),
    UINT64_C(0x1ae89f995ad3ad), UINT64_C(0x1b7f76f2fb5e47), UINT64_C(0x1c199bdd85529c),
    UINT64_C(0x1cb720dcef9069), UINT64_C(0x1d5818dcfba487), UINT64_C(0x1dfc97337b9b5f),
    UINT64_C(0x1ea4afa2a490da), UINT64_C(0x1f50765b6e4540),
};

/* The upper half of the product of 64-bit numbers, rounded down. */
static uint64_t upper(uint64_t a, uint64_t b)
{
    const uint64_t a1 = a >> 32, a0 = a & UINT32_MAX, b1 = b >> 32, b0 = b & UINT32_MAX;
    const uint64_t low = a0 * b0;
    const uint64_t middle = a1 * b0 + (low >> 32); /* no overflow: (2^32-1)^2 + 2^32-1 */
    const uint64_t other = a0 * b1 + (middle & UINT32_MAX);
    return a1 * b1 + (middle >> 32) + (other >> 32);
}

static int64_t signed_upper(int64_t a, int64_t b)
{
    const uint64_t x = (uint64_t)a, y = (uint64_t)b;
    return (int64_t)(upper(x, y) - (a < 0 ? y : 0) - (b < 0 ? x : 0));
}

/* |x| * 32 / ln(2), 50 fractional bits, for |x| < 128. */
static int64_t steps_of(uint32_t magnitude)
{
    const uint32_t exponent = magnitude >> 23;
    const uint64_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    const uint64_t high = mantissa * (STEPS_PER_UNIT >> 21);
    const uint64_t low = mantissa * (STEPS_PER_UNIT & 0x1fffff);
    const uint32_t shift = 133 - exponent; /* the product has 14 bits more at 2^6 <= |x| */
    return shift > 62 ? 0 : (int64_t)(((high << 7) + (low >> 14)) >> shift);
}

/* Rounds to 53 bits, halves up: as the double that glibc makes of it has them. */
static uint64_t as_double(uint64_t value)
{
    const uint64_t half = value >> POINT ? UINT64_C(1) << (POINT - 53) : UINT64_C(1) << (POINT - 54);
    return (value + half) & ~(2 * half - 1);
}

/* value * 2^(exponent - 60) rounded to the nearest float, halves to even; value near 2^60. */
static float rounded(uint64_t value, int32_t exponent)
{
    int32_t top = value >> (POINT + 1) ? POINT + 1 : value >> POINT ? POINT : POINT - 1;
    int32_t biased = exponent + top - POINT + 127;
    int32_t drop = top - 23;

    if (biased < 1) { /* subnormal */
        drop += 1 - biased;
        biased = 1;
    }
    if (drop > 62) {
        return 0.0f;
    }
    const uint64_t half = UINT64_C(1) << (drop - 1);
    const uint32_t kept = (uint32_t)(value >> drop);
    const uint64_t rest = value & (2 * half - 1);
    const uint32_t up = rest > half || (rest == half && (kept & 1)) ? 1 : 0;
    /* kept has the leading bit, which counts as one in the exponent; a carry is right, too. */
    return tinyflow_float_of((((uint32_t)biased - 1) << 23) + kept + up);
}

float tinyflow_expf(float x)
{
    const uint32_t bits = tinyflow_bits_of(x), magnitude = bits & 0x7fffffff;

    if (magnitude > 0x7f800000) {
        return x + x;
    }
    if (x > 0x1.62e42ep6f) { /* above ln(2^128) */
        return tinyflow_float_of(0x7f800000);
    }
    if (x < -0x1.9fe368p6f) { /* below ln(2^-150) */
        return 0.0f;
    }
    const int64_t distance = steps_of(magnitude);
    const int64_t steps = bits >> 31 ? -distance : distance;
    const int64_t k = (steps + (INT64_C(1) << (FRACTION - 1))) >> FRACTION;
    /* r with 63 fractional bits */
    const int64_t r = (int64_t)((uint64_t)(steps - k * (INT64_C(1) << FRACTION)) << 13);
    const int64_t square = SQUARE + signed_upper(CUBE, r);
    const int64_t linear = LINEAR + (signed_upper(square, r) >> 6);
    const uint64_t factor = (UINT64_C(1) << 62) + (uint64_t)(signed_upper(linear, r) >> 4);
    const uint64_t power = upper(factor, powers[k & (STEPS - 1)] << 10);
    return rounded(as_double(power), (int32_t)(k >> TABLE_BITS));
}
