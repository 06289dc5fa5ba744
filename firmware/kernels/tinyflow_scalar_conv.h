/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions and fully connected layers of int8 in plain C, for cores without the DSP extension,
 * exact with TFLM's reference kernels.
 */
#ifndef TINYFLOW_SCALAR_CONV_H
#define TINYFLOW_SCALAR_CONV_H

#include <stddef.h>
#include <stdint.h>

/*
 * A scale below 1/2 as `multiplier * 2^-(31 + shift)`; the multiplier is from 2^30 to 2^31, or 0.
 */
typedef struct {
    int32_t multiplier;
    int32_t shift;
} tinyflow_scalar_scale;

typedef struct {
    tinyflow_scalar_scale scale; /* of all outputs; a multiplier of -1: each has its own in the packed weights */
    int32_t zero_point;   /* of the output */
    int32_t minimum;
    int32_t maximum;
} tinyflow_scalar_output;

/*
 * `outputs` inner products with a row of `depth` bytes, which are inputs plus 128; the depth is even.
 * The packed weights have for each four outputs their sums' starts, then for each byte of the row a word with
 * a weight of each output, the first in the lowest byte, then their scales.
 */
void tinyflow_scalar_products(const tinyflow_scalar_output *output, const int32_t *packed_weights,
                              const uint8_t *row, size_t depth, int8_t *outputs, size_t count);

/* result [rows][outputs] = input [rows][depth] times weights; `row` is scratch: depth + depth % 2. */
void tinyflow_scalar_fully_connected_s8(const tinyflow_scalar_output *output,
                                        const int32_t *packed_weights, const int8_t *input,
                                        int8_t *result, size_t rows, size_t depth, size_t outputs,
                                        uint8_t *row);

typedef struct {
    int32_t input_height;
    int32_t input_width;
    int32_t channels;
    int32_t output_height;
    int32_t output_width;
    int32_t outputs; /* channels of the output */
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_y;
    int32_t stride_x;
    int32_t dilation_y;
    int32_t dilation_x;
    int32_t pad_y;
    int32_t pad_x;
    int32_t input_zero_point;
} tinyflow_scalar_window;

enum {
    TINYFLOW_SCALAR_ROWS = 32, /* of a window, at most */
};

/* The rows of the input under row `y` of the output; NULL for those outside of it. */
static inline void tinyflow_scalar_find_rows(const tinyflow_scalar_window *window,
                                             const int8_t *input, int32_t y,
                                             const int8_t *rows[TINYFLOW_SCALAR_ROWS])
{
    const size_t pitch = (size_t)(window->input_width * window->channels);
    int32_t at = y * window->stride_y - window->pad_y;
    for (int32_t k = 0; k < window->kernel_height; ++k, at += window->dilation_y) {
        const int within = at >= 0 && at < window->input_height;
        rows[k] = within ? &input[(size_t)at * pitch] : NULL;
    }
}

/* One image; `row` is scratch: an even number of bytes, at least those of a window. */
void tinyflow_scalar_conv_s8(const tinyflow_scalar_window *window,
                             const tinyflow_scalar_output *output, const int32_t *packed_weights,
                             const int8_t *input, int8_t *result, uint8_t *row);

/* One row of the result; `rows` are kernel_height rows of the input, NULL outside of it. */
void tinyflow_scalar_conv_row_s8(const tinyflow_scalar_window *window,
                                 const tinyflow_scalar_output *output,
                                 const int32_t *packed_weights, const int8_t *const *rows,
                                 int8_t *result, uint8_t *row);

/*
 * Depthwise; channels are a multiple of 4. The packed weights have for each four channels their sums' starts,
 * for each tap a word with a weight of each channel, then their scales. `scratch`: a pointer for
 * each tap and one pixel.
 */
void tinyflow_scalar_depthwise_s8(const tinyflow_scalar_window *window,
                                  const tinyflow_scalar_output *output,
                                  const int32_t *packed_weights, const int8_t *input,
                                  int8_t *result, void *scratch);
void tinyflow_scalar_depthwise_row_s8(const tinyflow_scalar_window *window,
                                      const tinyflow_scalar_output *output,
                                      const int32_t *packed_weights, const int8_t *const *rows,
                                      int8_t *result, void *scratch);

#endif
