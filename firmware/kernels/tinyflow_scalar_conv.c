/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner products four outputs at a time: a word holds a weight of each, so that each input is loaded
 * once for four products. Inputs are biased to 0 to 255, for which Armv6-M has the cheaper load;
 * the sums' starts make up for it.
 */
#include "tinyflow_scalar_conv.h"

#include "tinyflow_scalar_output.h"

#include <string.h>

enum {
    BIAS = 0x80, /* turns -128 to 127 into 0 to 255 */
};

void tinyflow_scalar_products(const tinyflow_scalar_output *output, const int32_t *packed_weights,
                              const uint8_t *row, size_t depth, int8_t *outputs, size_t count)
{
    const uint8_t *const end = &row[depth];
    while (count > 0) {
        int32_t sums[4] = {packed_weights[0], packed_weights[1], packed_weights[2], packed_weights[3]};
        packed_weights += 4;
        tinyflow_scalar_multiply_row(sums, row, end, packed_weights);
        packed_weights += depth;
        const size_t some = count < 4 ? count : 4;
        packed_weights = tinyflow_scalar_finish_four(sums, output, packed_weights, outputs, some);
        outputs += some;
        count -= some;
    }
}

static void copy_biased(uint8_t *to, const int8_t *from, size_t count)
{
    if ((((uintptr_t)to | (uintptr_t)from | count) & 3u) == 0) {
        for (; count > 0; count -= 4, to += 4, from += 4) {
            uint32_t four;
            memcpy(&four, __builtin_assume_aligned(from, 4), sizeof four);
            four ^= UINT32_C(0x01010101) * BIAS;
            memcpy(__builtin_assume_aligned(to, 4), &four, sizeof four);
        }
        return;
    }
    for (; count > 0; --count) {
        *to++ = (uint8_t)(*from++ ^ BIAS);
    }
}

void tinyflow_scalar_fully_connected_s8(const tinyflow_scalar_output *output,
                                        const int32_t *packed_weights, const int8_t *input,
                                        int8_t *result, size_t rows, size_t depth, size_t outputs,
                                        uint8_t *row)
{
    for (; rows > 0; --rows, input += depth, result += outputs) {
        copy_biased(row, input, depth);
        row[depth] = 0; /* of no account, its weights are 0; there is room for it */
        tinyflow_scalar_products(output, packed_weights, row, depth + depth % 2, result, outputs);
    }
}

/* The inputs of a window that begins at column `first`, tap by tap. */
static void gather(const tinyflow_scalar_window *window, const int8_t *const *rows, int32_t first,
                   uint8_t *row)
{
    const size_t channels = (size_t)window->channels;
    const uint8_t padding = (uint8_t)(window->input_zero_point ^ BIAS);
    const int32_t last = first + (window->kernel_width - 1) * window->dilation_x;
    const int whole = first >= 0 && last < window->input_width && window->dilation_x == 1;
    for (int32_t y = 0; y < window->kernel_height; ++y) {
        if (whole && rows[y] != NULL) {
            const size_t bytes = (size_t)window->kernel_width * channels;
            copy_biased(row, &rows[y][(size_t)first * channels], bytes);
            row += bytes;
            continue;
        }
        for (int32_t column = first; column <= last; column += window->dilation_x) {
            if (rows[y] == NULL || column < 0 || column >= window->input_width) {
                memset(row, padding, channels);
            } else {
                copy_biased(row, &rows[y][(size_t)column * channels], channels);
            }
            row += channels;
        }
    }
    *row = 0;
}

void tinyflow_scalar_conv_row_s8(const tinyflow_scalar_window *window,
                                 const tinyflow_scalar_output *output,
                                 const int32_t *packed_weights, const int8_t *const *rows,
                                 int8_t *result, uint8_t *row)
{
    const int32_t taps = window->kernel_height * window->kernel_width;
    const size_t depth = (size_t)(taps * window->channels);
    const size_t outputs = (size_t)window->outputs;
    for (int32_t x = 0; x < window->output_width; ++x, result += outputs) {
        gather(window, rows, x * window->stride_x - window->pad_x, row);
        tinyflow_scalar_products(output, packed_weights, row, depth + depth % 2, result, outputs);
    }
}

void tinyflow_scalar_conv_s8(const tinyflow_scalar_window *window,
                             const tinyflow_scalar_output *output, const int32_t *packed_weights,
                             const int8_t *input, int8_t *result, uint8_t *row)
{
    const int8_t *rows[TINYFLOW_SCALAR_ROWS];
    for (int32_t y = 0; y < window->output_height; ++y) {
        tinyflow_scalar_find_rows(window, input, y, rows);
        tinyflow_scalar_conv_row_s8(window, output, packed_weights, rows, result, row);
        result += window->output_width * window->outputs;
    }
}
