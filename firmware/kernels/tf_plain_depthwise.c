/*
 * Depthwise convolution four channels at a time: a word of the input and a word of weights hold one
 * tap of each.
 */
#include "tf_plain_conv.h"
#include "tf_plain_output.h"

#include <string.h>

/* Pointers to the taps of a window that begins at column `first`; `padding` outside the input. */
static void find_taps(const tf_plain_window *window, const int8_t *const *rows, int32_t first,
                      const int8_t **taps, const int8_t *padding)
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
static void pixel(const tf_plain_window *window, const tf_plain_output *output,
                  const int32_t *stream, const int8_t *const *taps, int8_t *result)
{
    const int8_t *const *const end = &taps[window->kernel_height * window->kernel_width];
    for (int32_t channel = 0; channel < window->channels; channel += 4) {
        int32_t sums[4] = {stream[0], stream[1], stream[2], stream[3]};
        stream += 4;
        tf_plain_multiply_taps(sums, taps, (size_t)channel, stream, end);
        stream += end - taps;
        stream = tf_plain_finish_four(sums, output, stream, &result[channel], 4);
    }
}

void tf_plain_depthwise_row_s8(const tf_plain_window *window, const tf_plain_output *output,
                               const int32_t *stream, const int8_t *const *rows, int8_t *result,
                               void *scratch)
{
    const int8_t **taps = scratch;
    int8_t *padding = (int8_t *)&taps[window->kernel_height * window->kernel_width];
    memset(padding, window->input_zero_point, (size_t)window->channels);
    for (int32_t x = 0; x < window->output_width; ++x, result += window->channels) {
        find_taps(window, rows, x * window->stride_x - window->pad_x, taps, padding);
        pixel(window, output, stream, taps, result);
    }
}

void tf_plain_depthwise_s8(const tf_plain_window *window, const tf_plain_output *output,
                           const int32_t *stream, const int8_t *input, int8_t *result,
                           void *scratch)
{
    const int8_t *rows[TF_PLAIN_ROWS];
    for (int32_t y = 0; y < window->output_height; ++y) {
        tf_plain_find_rows(window, input, y, rows);
        tf_plain_depthwise_row_s8(window, output, stream, rows, result, scratch);
        result += window->output_width * window->channels;
    }
}
