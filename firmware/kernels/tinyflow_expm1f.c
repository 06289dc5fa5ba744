/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exp(x) - 1, by the method of Sun's fdlibm, in float as glibc (to 2.40) and newlib have it:
 * x = k * ln(2) + r; exp(r) - 1 by a rational approximation of r * (exp(r) + 1) / (exp(r) - 1);
 * then scaled by 2^k.
 */
#include "tinyflow_math.h"

static const float ln2_high = 6.9313812256e-01f, ln2_low = 9.0580006145e-06f;
static const float inverse_ln2 = 1.4426950216e+00f;

static float scaled(float y, int32_t k)
{
    return tinyflow_float_of(tinyflow_bits_of(y) + ((uint32_t)k << 23));
}

/* The approximation, a polynomial of s = r^2 / 2. */
static float approximation(float s)
{
    return 1.0f
           + s
                 * (-3.3333335072e-02f
                    + s
                          * (1.5873016091e-03f
                             + s
                                   * (-7.9365076090e-05f
                                      + s * (4.0082177293e-06f + s * -2.0109921195e-07f))));
}

/* exp(r + k * ln(2)) - 1 from r and its correction e; k is not 0. */
static float assembled(float r, float e, int32_t k)
{
    if (k == -1) {
        return 0.5f * (r - e) - 0.5f;
    }
    if (k == 1) {
        return r < -0.25f ? -2.0f * (e - (r + 0.5f)) : 1.0f + 2.0f * (r - e);
    }
    if (k <= -2 || k > 56) {
        return scaled(1.0f - (e - r), k) - 1.0f;
    }
    if (k < 23) {
        const float t = tinyflow_float_of(0x3f800000u - (0x1000000u >> k)); /* 1 - 2^-k */
        return scaled(t - (e - r), k);
    }
    const float t = tinyflow_float_of((uint32_t)(0x7f - k) << 23); /* 2^-k */
    return scaled((r - (e + t)) + 1.0f, k);
}

float tinyflow_expm1f(float x)
{
    const uint32_t magnitude = tinyflow_bits_of(x) & 0x7fffffff;
    const int negative = tinyflow_bits_of(x) >> 31 != 0;
    int32_t k = 0;
    float c = 0.0f;

    if (magnitude > 0x7f800000) {
        return x + x;
    }
    if (!negative && magnitude >= 0x42b17218) { /* ln(2^128) */
        return tinyflow_float_of(0x7f800000);
    }
    if (negative && magnitude >= 0x4195b844) { /* below -27 ln(2) */
        return -1.0f;
    }
    if (magnitude < 0x33000000) { /* below 2^-25 */
        return x;
    }
    if (magnitude > 0x3eb17218) { /* above ln(2) / 2 */
        float high, low;
        if (magnitude < 0x3f851592) { /* below 3/2 ln(2) */
            k = negative ? -1 : 1;
            high = negative ? x + ln2_high : x - ln2_high;
            low = negative ? -ln2_low : ln2_low;
        } else {
            k = (int32_t)(inverse_ln2 * x + (negative ? -0.5f : 0.5f));
            high = x - (float)k * ln2_high;
            low = (float)k * ln2_low;
        }
        x = high - low;
        c = (high - x) - low;
    }
    const float half = 0.5f * x;
    const float s = x * half;
    const float r1 = approximation(s);
    const float t = 3.0f - r1 * half;
    float e = s * ((r1 - t) / (6.0f - x * t));
    if (k == 0) {
        return x - (x * e - s);
    }
    e = x * (e - c) - c;
    e -= s;
    return assembled(x, e, k);
}
