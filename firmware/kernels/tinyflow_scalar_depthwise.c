/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise convolution four channels at a time: a word of the input and a word of weights hold one
 * tap of each.
 */
#include "tinyflow_scalar_conv.h"
#include "tinyflow_scalar_output.h"

#include <string.h>

/* Pointers to the taps of a window that begins at column `first`; `padding` outside the input. */
static void find_taps(const tinyflow_scalar_window *window, const int8_t *const *rows,
                      int32_t first, const int8_t **taps, const int8_t *padding)
{
    for (int32_t y = 0; y < window->kernel_height; ++y) {
        int32_t column = first;
        for (int32_t x = 0; x < window->kernel_width; ++x, column += window->dilation_x) {
            const int within = rows[y] != NULL && column >= 0 && column < window->input_width;
            *taps++ = within ? &rows[y][column * window->channels] : padding;
        }
    }
}

/* One pixel of the result. */
static void pixel(const tinyflow_scalar_window *window, const tinyflow_scalar_output *output,
                  const int32_t *packed_weights, const int8_t *const *taps, int8_t *result)
{
    const int8_t *const *const end = &taps[window->kernel_height * window->kernel_width];
    for (int32_t channel = 0; channel < window->channels; channel += 4) {
        int32_t sums[4] = {packed_weights[0], packed_weights[1], packed_weights[2], packed_weights[3]};
        packed_weights += 4;
        tinyflow_scalar_multiply_taps(sums, taps, (size_t)channel, packed_weights, end);
        packed_weights += end - taps;
        packed_weights = tinyflow_scalar_finish_four(sums, output, packed_weights, &result[channel],
                                                     4);
    }
}

void tinyflow_scalar_depthwise_row_s8(const tinyflow_scalar_window *window,
                                      const tinyflow_scalar_output *output,
                                      const int32_t *packed_weights, const int8_t *const *rows,
                                      int8_t *result, void *scratch)
{
    const int8_t **taps = scratch;
    int8_t *padding = (int8_t *)&taps[window->kernel_height * window->kernel_width];
    memset(padding, window->input_zero_point, (size_t)window->channels);
    for (int32_t x = 0; x < window->output_width; ++x, result += window->channels) {
        find_taps(window, rows, x * window->stride_x - window->pad_x, taps, padding);
        pixel(window, output, packed_weights, taps, result);
    }
}

void tinyflow_scalar_depthwise_s8(const tinyflow_scalar_window *window,
                                  const tinyflow_scalar_output *output,
                                  const int32_t *packed_weights, const int8_t *input,
                                  int8_t *result, void *scratch)
{
    const int8_t *rows[TINYFLOW_SCALAR_ROWS];
    for (int32_t y = 0; y < window->output_height; ++y) {
        tinyflow_scalar_find_rows(window, input, y, rows);
        tinyflow_scalar_depthwise_row_s8(window, output, packed_weights, rows, result, scratch);
        result += window->output_width * window->channels;
    }
}
