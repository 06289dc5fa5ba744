/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sin(x) and cos(x) by a polynomial of x less a multiple of pi / 2, in double precision. Beyond 120
 * the multiple comes from 2 / pi in 96 bits. Coefficients are those of ARM's optimised routines,
 * which glibc has had since 2.28, and so is the order of operations. All numbers above 0 were
 * compared with glibc's on a processor that has fused multiply-add; without one, glibc itself
 * gives other bits for some.
 */
#include "tinyflow_math.h"

/* pi / 2 in two parts, whose products by less than 2^8 are exact. */
#define HALF_PI_HIGH 0x1.921fb54442dp+0
#define HALF_PI_LOW 0x1.8p-48
/* 2 / pi, 24 fractional bits. */
#define PER_HALF_PI 0x1.45f306dc9c883p+23
/* pi / 2^63. */
#define UNIT 0x1.921fb54442d18p-62

/* The bytes of 2 / pi, behind three of 0. */
static const uint8_t two_over_pi[] = {
    0x00, 0x00, 0x00, 0xa2, 0xf9, 0x83, 0x6e, 0x4e, 0x44, 0x15, 0x29, 0xfc, 0x27, 0x57,
    0xd1, 0xf5, 0x34, 0xdd, 0xc0, 0xdb, 0x62, 0x95, 0x99, 0x3c, 0x43, 0x90, 0x41,
};

static uint32_t word_at(uint32_t byte)
{
    const uint8_t *at = &two_over_pi[byte];
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static double sine(double x, double square)
{
    const double cube = x * square;
    const double high = 0x1.1107605230bc4p-7 + square * -0x1.994eb3774cf24p-13;
    const double fifth = cube * square;
    const double low = x + cube * -0x1.555545995a603p-3;
    return low + fifth * high;
}

static double cosine(double square)
{
    const double fourth = square * square;
    const double high = -0x1.6c087e89a359dp-10 + square * 0x1.99343027bf8c3p-16;
    const double low = 1.0 + square * -0x1.ffffffd0c621cp-2;
    const double sixth = fourth * square;
    const double middle = low + fourth * 0x1.55553e1068f19p-5;
    return middle + sixth * high;
}

/* x less the nearest multiple of pi / 2, and which that is, modulo 4; |x| is below 120. */
static double reduce(double x, uint32_t *multiple)
{
    const int32_t n = ((int32_t)(x * PER_HALF_PI) + 0x800000) >> 24;
    *multiple = (uint32_t)n;
    return (x - n * HALF_PI_HIGH) - n * HALF_PI_LOW; /* rounded once, as if fused */
}

/* The same of larger finite numbers, whose sign does not count. */
static double reduce_large(uint32_t bits, uint32_t *multiple)
{
    const uint32_t first = (bits >> 26) & 15;
    const uint32_t mantissa = ((bits & 0xffffff) | 0x800000) << ((bits >> 23) & 7);
    const uint64_t low = (uint64_t)mantissa * word_at(first + 8);
    const uint32_t high = mantissa * word_at(first);
    uint64_t product = ((uint64_t)high << 32) | (low >> 32);
    product += (uint64_t)mantissa * word_at(first + 4);
    const uint64_t n = (product + (UINT64_C(1) << 61)) >> 62;
    product -= n << 62;
    *multiple = (uint32_t)n;
    return (double)(int64_t)product * UNIT;
}

/* sin(x + quarters * pi / 2) */
static float sine_of(float x, uint32_t quarters)
{
    const uint32_t bits = tinyflow_bits_of(x), top = (bits & 0x7fffffff) >> 20;
    uint32_t multiple = 0;
    double rest = (double)x;

    if (top >= 0x7f8) { /* NaN or infinite */
        return x - x;
    }
    if (top < 0x398) { /* below 2^-12 */
        return quarters == 0 ? x : 1.0f;
    }
    if (top >= 0x42f) { /* 120 and above */
        rest = reduce_large(bits, &multiple);
        if (bits >> 31 != 0) { /* of the magnitude: the other way round */
            rest = -rest;
            multiple = 0u - multiple;
        }
    } else if (top >= 0x3f4) { /* about pi / 4 and above */
        rest = reduce(rest, &multiple);
    }
    multiple += quarters;
    const double square = rest * rest;
    const double result = (multiple & 1) == 0 ? sine(rest, square) : cosine(square);
    return (float)((multiple & 2) == 0 ? result : -result);
}

float tinyflow_sinf(float x)
{
    return sine_of(x, 0);
}

float tinyflow_cosf(float x)
{
    return sine_of(x, 1);
}
