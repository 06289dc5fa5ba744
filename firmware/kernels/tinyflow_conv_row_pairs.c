/* SPDX-License-Identifier: Apache-2.0 */
#include "tinyflow_conv_row_pairs.h"

#include <string.h>

/* The copy of the packed weights, and the row of padding. */
static void prepare(const tinyflow_conv_row_pairs *pairs)
{
    const int32_t wider = pairs->input[1] > pairs->columns ? pairs->input[1] : pairs->columns;
    memset(pairs->padding, pairs->zero_point, (uint32_t)(wider * pairs->depth) + 1u);
    if (pairs->constants != NULL) {
        memcpy(pairs->copy, pairs->constants, pairs->constant_bytes);
    }
}

/* A unit of which columns are padding: its bytes are put together. */
static void interleave_edge(const tinyflow_conv_row_pairs *pairs, const int8_t *const rows[],
                            int32_t column, int32_t *line)
{
    const int8_t *edges[TINYFLOW_CONV_ROW_PAIRS_MOST_ROWS];
    int8_t *edge = pairs->edges;
    for (int32_t i = 0; i < pairs->kernel; ++i) {
        edges[i] = edge;
        for (int32_t x = column; x < column + pairs->columns; ++x) {
            const int inside = x >= 0 && x < pairs->input[1];
            const int8_t *pixel = inside ? rows[i] + x * pairs->depth : pairs->padding;
            for (int32_t k = 0; k < pairs->depth; ++k) {
                *edge++ = pixel[k];
            }
        }
    }
    pairs->interleave(edges, line, 1u);
}

/* One pixel's line of a pair: the windows of `pixels` pixels from `first` on. Units that are nothing
 * but padding are the same in every line, and only interleaved into a fresh one. */
static void interleave_line(const tinyflow_conv_row_pairs *pairs, const int8_t *const rows[],
                            int32_t first, int32_t pixels, int fresh, int32_t *line)
{
    const int8_t *starts[TINYFLOW_CONV_ROW_PAIRS_MOST_ROWS];
    const int32_t end = first + pixels + pairs->beyond;
    for (int32_t unit = first; unit < end;) {
        const int32_t column = unit * pairs->stride[1] - pairs->pads[1];
        int32_t *to = line + 2 * pairs->unit * (unit - first);
        if (unit < pairs->inside_begin || unit >= pairs->inside_end) {
            if (fresh || (column < pairs->input[1] && column + pairs->columns > 0)) {
                interleave_edge(pairs, rows, column, to);
            }
            ++unit;
            continue;
        }
        const int32_t inside_end = end < pairs->inside_end ? end : pairs->inside_end;
        for (int32_t i = 0; i < pairs->kernel; ++i) {
            starts[i] = rows[i] + column * pairs->depth;
        }
        pairs->interleave(starts, to, (uint32_t)(inside_end - unit));
        unit = inside_end;
    }
}

/* A row of the output, both halves at once; of an odd width the pixel in the middle counts twice. */
static void compute_halves(const tinyflow_conv_row_pairs *pairs, const int8_t *const rows[],
                           int8_t *output)
{
    const int32_t width = pairs->output[1];
    const int32_t half = (width + 1) / 2;
    interleave_line(pairs, rows, 0, half, 1, pairs->line);
    interleave_line(pairs, rows, width - half, half, 1, pairs->line + 1);
    pairs->compute(&pairs->microkernel, output, (uint32_t)half,
                   (uint32_t)(width - half) * pairs->microkernel.channels);
}

/* The rows of the input that make a row of the output. */
static void place_rows(const tinyflow_conv_row_pairs *pairs, const int8_t *input, int32_t y,
                       const int8_t *rows[])
{
    int32_t row = y * pairs->stride[0] - pairs->pads[0];
    for (int32_t i = 0; i < pairs->kernel; ++i, row += pairs->dilation) {
        const int inside = row >= 0 && row < pairs->input[0];
        rows[i] = inside ? input + row * pairs->input[1] * pairs->depth : pairs->padding;
    }
}

void tinyflow_conv_row_pairs_s8(const tinyflow_conv_row_pairs *pairs, const int8_t *input,
                                int8_t *output)
{
    const int8_t *rows[TINYFLOW_CONV_ROW_PAIRS_MOST_ROWS];
    const int32_t height = pairs->output[0], width = pairs->output[1];
    const uint32_t bytes = (uint32_t)width * pairs->microkernel.channels;
    prepare(pairs);
    for (int32_t y = 0; y < height; y += 2, output += 2u * bytes) {
        place_rows(pairs, input, y, rows);
        if (y + 1 == height) { /* no row to pair it with */
            compute_halves(pairs, rows, output);
            return;
        }
        interleave_line(pairs, rows, 0, width, y == 0, pairs->line);
        place_rows(pairs, input, y + 1, rows);
        interleave_line(pairs, rows, 0, width, y == 0, pairs->line + 1);
        pairs->compute(&pairs->microkernel, output, (uint32_t)width, bytes);
    }
}

void tinyflow_conv_row_pairs_row_s8(const tinyflow_conv_row_pairs *pairs,
                                    const int8_t *const rows[], int8_t *output)
{
    const int8_t *found[TINYFLOW_CONV_ROW_PAIRS_MOST_ROWS];
    prepare(pairs);
    for (int32_t i = 0; i < pairs->kernel; ++i) {
        found[i] = rows[i] == NULL ? pairs->padding : rows[i];
    }
    compute_halves(pairs, found, output);
}
