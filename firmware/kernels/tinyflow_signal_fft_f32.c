/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/rfft_float.cc and irfft_float.cc, and kissfft 130. */
#include "tinyflow_signal.h"
#include "tinyflow_math.h"

typedef float fft_real;

#define fft_sum(a, b) ((a) + (b))
#define fft_difference(a, b) ((a) - (b))
#define fft_negative(x) (-(x))
#define fft_product(a, b) ((a) * (b))
#define fft_real_part(a, b) ((a).r * (b).r - (a).i * (b).i)
#define fft_imaginary_part(a, b) ((a).r * (b).i + (a).i * (b).r)
#define fft_divide(x, divisor) ((void)(divisor), (x))
#define fft_half(x) ((x) * 0.5f)
#define fft_half_sum(a, b) (((a) + (b)) * 0.5f)
#define fft_half_difference(a, b) (((a) - (b)) * 0.5f)

#include "tinyflow_signal_fft.h"

void tinyflow_signal_rfft_f32(const tinyflow_fft_params *params, const float *input, size_t samples,
                              float *output)
{
    rfft(params, input, samples, (fft_complex *)(void *)output);
}

void tinyflow_signal_irfft_f32(const tinyflow_fft_params *params, const float *input, float *output)
{
    irfft(params, (const fft_complex *)(const void *)input, (fft_complex *)(void *)output);
    const size_t samples = 2 * params->points;
    for (size_t i = 0; i < samples; ++i) {
        output[i] /= (float)samples;
    }
}
