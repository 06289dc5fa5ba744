/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/rfft_int32.cc and irfft_int32.cc, and kissfft 130. */
#include "tinyflow_signal.h"

typedef int32_t fft_real;
typedef int64_t fft_wide;

#define FRACTION_BITS 31

static fft_real rounded(fft_wide product)
{
    return (fft_real)((product + ((fft_wide)1 << (FRACTION_BITS - 1))) >> FRACTION_BITS);
}

static fft_real fft_sum(fft_real a, fft_real b)
{
    return (fft_real)(uint32_t)((uint32_t)a + (uint32_t)b);
}

static fft_real fft_difference(fft_real a, fft_real b)
{
    return (fft_real)(uint32_t)((uint32_t)a - (uint32_t)b);
}

static fft_real fft_negative(fft_real x)
{
    return fft_difference(0, x);
}

static fft_real fft_product(fft_real a, fft_real b)
{
    return rounded((fft_wide)a * b);
}

#define fft_real_part(a, b) rounded((fft_wide)(a).r * (b).r - (fft_wide)(a).i * (b).i)
#define fft_imaginary_part(a, b) rounded((fft_wide)(a).r * (b).i + (fft_wide)(a).i * (b).r)

/* Divides by the divisor's rounded reciprocal. */
static fft_real fft_divide(fft_real x, int32_t divisor)
{
    return rounded((fft_wide)x * (INT32_MAX / divisor));
}

static fft_real fft_half(fft_real x)
{
    return (fft_real)(x >> 1);
}

static fft_real fft_half_sum(fft_real a, fft_real b)
{
    return fft_half(fft_sum(a, b));
}

static fft_real fft_half_difference(fft_real a, fft_real b)
{
    return fft_half(fft_difference(a, b));
}

#include "tinyflow_signal_fft.h"

void tinyflow_signal_rfft_s32(const tinyflow_fft_params *params, const int32_t *input,
                              size_t samples, int32_t *output)
{
    rfft(params, input, samples, (fft_complex *)(void *)output);
}

void tinyflow_signal_irfft_s32(const tinyflow_fft_params *params, const int32_t *input,
                               int32_t *output)
{
    irfft(params, (const fft_complex *)(const void *)input, (fft_complex *)(void *)output);
}
