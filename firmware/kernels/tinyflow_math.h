/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementary functions of float32 with the bits of glibc, which TFLM's reference kernels call
 * on the host; see "How exactness is proved" in tinyflow's docs/architecture.md. Double precision
 * is used by tinyflow_exp, tinyflow_logf, tinyflow_sinf and tinyflow_cosf. Each is in the file of its name.
 */
#ifndef TINYFLOW_MATH_H
#define TINYFLOW_MATH_H

#include <stdint.h>
#include <string.h>

/* A product and a sum are rounded one by one: fused, they would give other bits. */
#if defined(__FAST_MATH__)
#error "tinyflow's float kernels need IEEE 754 arithmetic: compile them without -ffast-math"
#endif
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("-ffp-contract=off")
#else
#pragma STDC FP_CONTRACT OFF
#endif

static inline uint32_t tinyflow_bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float tinyflow_float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* exp(x) */
float tinyflow_expf(float x);

/* exp(x) in double precision, off by 0.54 units in the last place; table: [32][2] (exp_table.py) */
double tinyflow_exp(double x, const int64_t *table);

/* exp(x) - 1 */
float tinyflow_expm1f(float x);

/* The natural logarithm. */
float tinyflow_logf(float x);

/* The sine and the cosine. */
float tinyflow_sinf(float x);
float tinyflow_cosf(float x);

/* The hyperbolic tangent. */
float tinyflow_tanhf(float x);

#endif
