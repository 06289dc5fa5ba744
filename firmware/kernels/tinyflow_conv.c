/* SPDX-License-Identifier: Apache-2.0 */
#include "tinyflow_conv.h"

#include <string.h>

/* The pointers of one run, pixels at equal distances. */
static inline void spread(const int8_t **run, const int8_t *first, int32_t pitch)
{
    run[0] = first;
    run[1] = first + pitch;
    run[2] = first + 2 * pitch;
    run[3] = first + 3 * pitch;
}

/* Destination of the outputs, and the pixels not computed yet. */
typedef struct {
    int8_t *output;
    uint32_t groups; /* of four pixels that are expanded */
} progress;

/* Expand four pixels; compute when the columns are full. */
static void add_group(const tinyflow_conv_matrix *matrix, const tinyflow_conv_run runs[],
                      uint32_t count, uint32_t words, progress *at)
{
    const tinyflow_conv_microkernel *microkernel = &matrix->microkernel;
    matrix->im2col_four(runs, count, words,
                        microkernel->columns + 8u * microkernel->steps * at->groups);
    if (++at->groups == matrix->groups) {
        matrix->four(microkernel, at->output, at->groups);
        at->output += 4u * microkernel->channels * at->groups;
        at->groups = 0u;
    }
}

/* Compute the groups that wait. */
static void finish_groups(const tinyflow_conv_matrix *matrix, progress *at)
{
    if (at->groups != 0u) {
        matrix->four(&matrix->microkernel, at->output, at->groups);
        at->output += 4u * matrix->microkernel.channels * at->groups;
        at->groups = 0u;
    }
}

/* The pixels left over, behind all groups. */
static void finish_rest(const tinyflow_conv_matrix *matrix, const tinyflow_conv_run runs[],
                        uint32_t count, uint32_t words, const progress *at)
{
    matrix->im2col_rest(runs, count, words, matrix->microkernel.columns);
    matrix->rest(&matrix->microkernel, at->output, 1u);
}

/* Groups of pixels whose windows are one run and lie at equal distances. */
static void add_line(const tinyflow_conv_matrix *matrix, uint32_t words, const int8_t *first,
                     int32_t pitch, uint32_t groups, progress *at)
{
    tinyflow_conv_run run;
    for (; groups != 0u; --groups, first += 4 * pitch) {
        spread(run, first, pitch);
        add_group(matrix, (const tinyflow_conv_run *)&run, 1u, words, at);
    }
}

void tinyflow_conv_pointwise_s8(const tinyflow_conv_pointwise *line, const int8_t *input,
                                int8_t *output, uint32_t pixels)
{
    progress at = {output, 0u};
    const uint32_t groups = pixels / 4u;
    add_line(&line->matrix, line->words, input, (int32_t)line->pitch, groups, &at);
    finish_groups(&line->matrix, &at);
    if (pixels % 4u != 0u) {
        tinyflow_conv_run run;
        spread(run, input + 4u * groups * line->pitch, (int32_t)line->pitch);
        finish_rest(&line->matrix, (const tinyflow_conv_run *)&run, 1u, line->words, &at);
    }
}

/* Number of a window's elements. */
static inline uint32_t elements(const tinyflow_conv_window *window)
{
    return (uint32_t)(window->kernel[0] * window->kernel[1]);
}

/* Pointers of four pixels inside of their rows. */
static void place_inner(const tinyflow_conv_window *window, const int8_t *const rows[], int32_t x)
{
    const int32_t column = x * window->stride[1] - window->pads[1];
    for (int32_t i = 0; i < window->kernel[0]; ++i) {
        if (rows[i] == NULL) {
            spread(window->runs[i], window->padding, 0);
        } else {
            spread(window->runs[i], rows[i] + column * window->depth,
                   window->stride[1] * window->depth);
        }
    }
}

/* Pointers of one pixel anywhere. */
static void place_edge(const tinyflow_conv_window *window, const int8_t *const rows[], int32_t x,
                       uint32_t pixel)
{
    tinyflow_conv_run *run = window->runs;
    for (int32_t i = 0; i < window->kernel[0]; ++i) {
        int32_t column = x * window->stride[1] - window->pads[1];
        for (int32_t j = 0; j < window->kernel[1]; ++j, ++run, column += window->dilation[1]) {
            const int inside = rows[i] != NULL && column >= 0 && column < window->input[1];
            (*run)[pixel] = inside ? rows[i] + column * window->depth : window->padding;
        }
    }
}

/* A row of the output; gives how many of its pixels, or of those before, wait for further ones. */
static uint32_t compute_row(const tinyflow_conv_window *window, const int8_t *const rows[],
                            uint32_t filled, progress *at)
{
    const int32_t width = window->output[1];
    const tinyflow_conv_run *runs = (const tinyflow_conv_run *)window->runs;
    for (int32_t x = 0; x < width;) {
        const int32_t inner = window->inner_end - x;
        if (filled == 0u && x >= window->inner_begin && inner >= 4 && rows[0] != NULL
            && window->kernel[0] == 1) {
            const int32_t pitch = window->stride[1] * window->depth;
            add_line(&window->matrix, window->inner_words,
                     rows[0] + x * pitch - window->pads[1] * window->depth, pitch,
                     (uint32_t)inner / 4u, at);
            x += inner - inner % 4;
            continue;
        }
        if (filled == 0u && x >= window->inner_begin && inner >= 4) {
            place_inner(window, rows, x);
            add_group(&window->matrix, runs, (uint32_t)window->kernel[0], window->inner_words, at);
            x += 4;
            continue;
        }
        place_edge(window, rows, x, filled);
        ++x;
        if (++filled == 4u) {
            add_group(&window->matrix, runs, elements(window), window->edge_words, at);
            filled = 0u;
        }
    }
    return filled;
}

/* Computes the remaining pixels. */
static void finish(const tinyflow_conv_window *window, uint32_t filled, progress *at)
{
    finish_groups(&window->matrix, at);
    if (filled != 0u) {
        finish_rest(&window->matrix, (const tinyflow_conv_run *)window->runs, elements(window),
                    window->edge_words, at);
    }
}

static void fill_padding(const tinyflow_conv_window *window)
{
    memset(window->padding, window->zero_point, 4u * window->inner_words);
}

void tinyflow_conv_window_s8(const tinyflow_conv_window *window, const int8_t *input,
                             int8_t *output)
{
    const int32_t height = window->input[0];
    const int32_t pitch = window->input[1] * window->depth;
    progress at = {output, 0u};
    uint32_t filled = 0u;
    fill_padding(window);
    for (int32_t image = 0; image < window->images; ++image, input += height * pitch) {
        for (int32_t y = 0; y < window->output[0]; ++y) {
            int32_t row = y * window->stride[0] - window->pads[0];
            for (int32_t i = 0; i < window->kernel[0]; ++i, row += window->dilation[0]) {
                window->rows[i] = row >= 0 && row < height ? input + row * pitch : NULL;
            }
            filled = compute_row(window, window->rows, filled, &at);
        }
    }
    finish(window, filled, &at);
}

void tinyflow_conv_window_row_s8(const tinyflow_conv_window *window, const int8_t *const rows[],
                                 int8_t *output)
{
    progress at = {output, 0u};
    fill_padding(window);
    finish(window, compute_row(window, rows, 0u, &at), &at);
}

/* Copy a row, zero points around it. */
static const int8_t *copy_row(const tinyflow_conv_padded *padded, const int8_t *row, int32_t line)
{
    const uint32_t size = padded->before + padded->bytes + padded->after;
    int8_t *copy = padded->lines + (uint32_t)line * size;
    memset(copy, padded->window.zero_point, padded->before);
    memcpy(copy + padded->before, row, padded->bytes);
    memset(copy + padded->before + padded->bytes, padded->window.zero_point, padded->after);
    return copy;
}

void tinyflow_conv_padded_s8(const tinyflow_conv_padded *padded, const int8_t *input,
                             int8_t *output)
{
    const tinyflow_conv_window *window = &padded->window;
    const uint32_t size = padded->before + padded->bytes + padded->after;
    progress at = {output, 0u};
    uint32_t filled = 0u;
    int32_t copied = 0; /* rows: the last ones are in the lines, row i in line i modulo their count */
    fill_padding(window);
    for (int32_t y = 0; y < window->output[0]; ++y) {
        int32_t row = y * window->stride[0] - window->pads[0];
        for (int32_t i = 0; i < window->kernel[0]; ++i, row += window->dilation[0]) {
            window->rows[i] = NULL;
            if (row >= 0 && row < window->input[0]) {
                for (; copied <= row; ++copied, input += padded->pitch) {
                    copy_row(padded, input, copied % padded->count);
                }
                window->rows[i] = padded->lines + (uint32_t)(row % padded->count) * size;
            }
        }
        filled = compute_row(window, window->rows, filled, &at);
    }
    finish(window, filled, &at);
}

void tinyflow_conv_padded_row_s8(const tinyflow_conv_padded *padded, const int8_t *const rows[],
                                 int8_t *output)
{
    const tinyflow_conv_window *window = &padded->window;
    for (int32_t i = 0; i < window->kernel[0]; ++i) {
        window->rows[i] = rows[i] == NULL ? NULL : copy_row(padded, rows[i], i);
    }
    tinyflow_conv_window_row_s8(window, window->rows, output);
}

static void fill_padding_row(const tinyflow_conv_interleaved *interleaved)
{
    memset(interleaved->padding, interleaved->window.zero_point, interleaved->pitch + 1u);
}

/* Interleave the rows that `interleaved->rows` names. */
static const int8_t *interleave(const tinyflow_conv_interleaved *interleaved, int32_t line)
{
    int8_t *interleaved_line = interleaved->lines + (uint32_t)line * interleaved->size;
    const uint32_t pixels = interleaved->pixels * (uint32_t)interleaved->window.depth;
    memset(interleaved_line, interleaved->window.zero_point, interleaved->before);
    interleaved->interleave(interleaved->rows, interleaved_line + interleaved->before,
                            interleaved->pixels);
    memset(interleaved_line + interleaved->before + pixels, interleaved->window.zero_point,
           interleaved->after);
    return interleaved_line;
}

void tinyflow_conv_interleaved_s8(const tinyflow_conv_interleaved *interleaved, const int8_t *input,
                                  int8_t *output)
{
    const tinyflow_conv_window *window = &interleaved->window;
    progress at = {output, 0u};
    uint32_t filled = 0u;
    int32_t line = 0;
    fill_padding_row(interleaved);
    for (int32_t y = 0; y < window->output[0]; ++y) {
        int32_t row = y * interleaved->stride - interleaved->pad;
        for (int32_t i = 0; i < interleaved->kernel; ++i, row += interleaved->dilation) {
            interleaved->rows[i] = row >= 0 && row < interleaved->height
                                 ? input + (uint32_t)row * interleaved->pitch
                                 : interleaved->padding;
        }
        const int8_t *const lines[1] = {interleave(interleaved, line)};
        line = line + 1 < interleaved->count ? line + 1 : 0;
        filled = compute_row(window, lines, filled, &at);
    }
    finish(window, filled, &at);
}

void tinyflow_conv_interleaved_row_s8(const tinyflow_conv_interleaved *interleaved,
                                      const int8_t *const rows[], int8_t *output)
{
    fill_padding_row(interleaved);
    for (int32_t i = 0; i < interleaved->kernel; ++i) {
        interleaved->rows[i] = rows[i] == NULL ? interleaved->padding : rows[i];
    }
    const int8_t *const lines[1] = {interleave(interleaved, 0)};
    progress at = {output, 0u};
    finish(&interleaved->window, compute_row(&interleaved->window, lines, 0u, &at), &at);
}
