/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators of TFLM's signal library, exact with its reference kernels. Complex numbers lie as
 * pairs of real and imaginary parts. Each is in the file of its name; the transforms share
 * tinyflow_signal_fft.h.
 */
#ifndef TINYFLOW_SIGNAL_H
#define TINYFLOW_SIGNAL_H

#include <stddef.h>
#include <stdint.h>

/* output[i] = input[i] * window[i modulo size] >> shift, saturated. */
void tinyflow_signal_window_s16(const int16_t *input, const int16_t *window, size_t size,
                                int32_t shift, int16_t *output, size_t elements);

/* input times the greatest power of two that overflows none; gives its exponent. */
void tinyflow_signal_auto_scale_s16(const int16_t *input, int16_t *output, int32_t *exponent,
                                    size_t elements);

/* Stages of the longest transform. */
#define TINYFLOW_FFT_STAGES 16

/* A transform of real samples by one of half as many complex points. */
typedef struct {
    size_t points;
    size_t stages;
    uint8_t radix[TINYFLOW_FFT_STAGES]; /* 2, 3, 4 or 5, the outermost stage first */
    const void *twiddles;         /* [points] complex, of the samples' type */
    const void *halves;           /* [points / 2] complex: the twiddles between the points */
} tinyflow_fft_params;

/* The spectrum (points + 1 complex numbers) of `samples` samples; those missing are zeros. */
void tinyflow_signal_rfft_s16(const tinyflow_fft_params *params, const int16_t *input,
                              size_t samples, int16_t *output);
void tinyflow_signal_rfft_s32(const tinyflow_fft_params *params, const int32_t *input,
                              size_t samples, int32_t *output);
void tinyflow_signal_rfft_f32(const tinyflow_fft_params *params, const float *input, size_t samples,
                              float *output);

/* The 2 * points samples of a spectrum; the twiddles are those of the inverse transform. */
void tinyflow_signal_irfft_s16(const tinyflow_fft_params *params, const int16_t *input,
                               int16_t *output);
void tinyflow_signal_irfft_s32(const tinyflow_fft_params *params, const int32_t *input,
                               int32_t *output);
void tinyflow_signal_irfft_f32(const tinyflow_fft_params *params, const float *input,
                               float *output);

/* The squared absolute values of complex numbers from start to before stop; zeros elsewhere. */
void tinyflow_signal_energy_s16(const int16_t *input, uint32_t *output, size_t elements,
                                size_t start, size_t stop);

/* Channel i - 1 of the output is entry i of the tables; entry 0 is there for its unweights. */
typedef struct {
    size_t channels;
    const int16_t *weights;
    const int16_t *unweights;
    const int16_t *frequencies; /* [channels + 1] the first energy */
    const int16_t *starts;      /* [channels + 1] the first weight */
    const int16_t *widths;      /* [channels + 1] energies */
} tinyflow_filter_bank_params;

void tinyflow_signal_filter_bank(const tinyflow_filter_bank_params *params, const uint32_t *input,
                                 uint64_t *output);

/* Rounded square roots, shifted right by the low five bits of *bits. */
void tinyflow_signal_square_root(const uint64_t *input, const int32_t *bits, uint32_t *output,
                                 size_t elements);

typedef struct {
    size_t channels;
    uint32_t fresh[2]; /* weights of a new value, for even and for odd channels */
    uint32_t kept[2];  /* weights of the estimate before */
    uint32_t least;    /* share of the input that is left at least */
    uint32_t smoothing_bits;
    uint32_t bits; /* of the weights' and the share's fraction */
    int clamping;
} tinyflow_spectral_subtraction_params;

void tinyflow_signal_spectral_subtraction(const tinyflow_spectral_subtraction_params *params,
                                          const uint32_t *input, uint32_t *state, uint32_t *output,
                                          uint32_t *noise);

/* gains: [125], piecewise parabolas of the noise, in the layout of the reference. */
void tinyflow_signal_pcan(const uint32_t *input, const uint32_t *noise, const int16_t *gains,
                          uint32_t shift, uint32_t *output, size_t elements);

/* segments: [130] what log2(1 + i / 128) has more than i / 128, times 2^16. */
void tinyflow_signal_log(const uint32_t *input, const uint16_t *segments, uint32_t scale,
                         uint32_t correction_bits, int16_t *output, size_t elements);

typedef struct {
    size_t rows;
    size_t frames; /* of a row in one call */
    size_t size;
    size_t step;
    size_t kept; /* samples of a row that the state has room for */
} tinyflow_framer_params;

/* samples: [rows][kept], of which *count are there; valid: 1 where all frames are whole. */
void tinyflow_signal_framer_s16(const tinyflow_framer_params *params, const int16_t *input,
                                int16_t *samples, int32_t *count, int16_t *output, uint8_t *valid);

typedef struct {
    size_t rows;
    size_t frames; /* of a row in one call */
    size_t size;
    size_t step;
} tinyflow_overlap_params;

/* sums: [rows][size] */
void tinyflow_signal_overlap_add_s16(const tinyflow_overlap_params *params, const int16_t *input,
                                     int16_t *sums, int16_t *output);
void tinyflow_signal_overlap_add_f32(const tinyflow_overlap_params *params, const float *input,
                                     float *sums, float *output);

/* samples: [rows][length], those that have not come out yet. */
void tinyflow_signal_delay_s16(const int16_t *input, int16_t *samples, int16_t *output, size_t rows,
                               size_t elements, size_t length);

typedef struct {
    size_t channels;
    size_t stacked; /* elements of the output */
    size_t left;    /* times that the first frame counts more */
    size_t step;    /* frames from one output to the next */
} tinyflow_stacker_params;

/*
 * frames: [stacked], of which count[0] are there; count[1]: whether there has been a frame;
 * last: [stacked] the last output, or NULL where that of a call without a new one is zeros.
 */
void tinyflow_signal_stacker_s16(const tinyflow_stacker_params *params, const int16_t *input,
                                 int16_t *frames, int32_t *count, int16_t *last, int16_t *output,
                                 uint8_t *valid);

#endif
