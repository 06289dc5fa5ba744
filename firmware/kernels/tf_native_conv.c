#include "tf_native_conv.h"

#include <string.h>

/* The pointers of one run, pixels at equal distances. */
static inline void spread(const int8_t **run, const int8_t *first, int32_t pitch)
{
    run[0] = first;
    run[1] = first + pitch;
    run[2] = first + 2 * pitch;
    run[3] = first + 3 * pitch;
}

void tf_conv_line_s8(const tf_conv_line *line, const int8_t *input, int8_t *output,
                     uint32_t pixels)
{
    tf_conv_run run[1];
    const uint32_t pitch = line->pitch;
    for (; pixels >= 4u; pixels -= 4u) {
        spread(run[0], input, (int32_t)pitch);
        line->four(&line->tile, run, output);
        input += 4u * pitch;
        output += 4u * line->tile.channels;
    }
    if (pixels != 0u) {
        spread(run[0], input, (int32_t)pitch);
        line->rest(&line->tile, run, output);
    }
}

/* Where the outputs go, and how many pixels of the next group have their pointers. */
typedef struct {
    int8_t *output;
    uint32_t filled;
} progress;

/* Pointers of four pixels inside of their rows. */
static void place_inner(const tf_conv_window *window, const int8_t *const rows[], int32_t x)
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
static void place_edge(const tf_conv_window *window, const int8_t *const rows[], int32_t x,
                       uint32_t pixel)
{
    tf_conv_run *run = window->runs;
    for (int32_t i = 0; i < window->kernel[0]; ++i) {
        int32_t column = x * window->stride[1] - window->pads[1];
        for (int32_t j = 0; j < window->kernel[1]; ++j, ++run, column += window->dilation[1]) {
            const int inside = rows[i] != NULL && column >= 0 && column < window->input[1];
            (*run)[pixel] = inside ? rows[i] + column * window->depth : window->padding;
        }
    }
}

static void compute_row(const tf_conv_window *window, const int8_t *const rows[], progress *at)
{
    const int32_t width = window->output[1];
    for (int32_t x = 0; x < width;) {
        if (at->filled == 0u && x >= window->inner_begin && x + 4 <= window->inner_end) {
            place_inner(window, rows, x);
            window->four(&window->inner, (const tf_conv_run *)window->runs, at->output);
            at->output += 4u * window->inner.channels;
            x += 4;
            continue;
        }
        place_edge(window, rows, x, at->filled);
        ++x;
        if (++at->filled == 4u) {
            window->four(&window->edge, (const tf_conv_run *)window->runs, at->output);
            at->output += 4u * window->edge.channels;
            at->filled = 0u;
        }
    }
}

static void compute_rest(const tf_conv_window *window, const progress *at)
{
    if (at->filled != 0u) {
        window->rest(&window->edge, (const tf_conv_run *)window->runs, at->output);
    }
}

static void fill_padding(const tf_conv_window *window)
{
    memset(window->padding, window->zero_point, 4u * window->inner.words);
}

void tf_conv_window_row_s8(const tf_conv_window *window, const int8_t *const rows[],
                           int8_t *output)
{
    progress at = {output, 0u};
    fill_padding(window);
    compute_row(window, rows, &at);
    compute_rest(window, &at);
}

void tf_conv_window_s8(const tf_conv_window *window, const int8_t *input, int8_t *output)
{
    const int32_t height = window->input[0];
    const int32_t pitch = window->input[1] * window->depth;
    progress at = {output, 0u};
    fill_padding(window);
    for (int32_t image = 0; image < window->images; ++image, input += height * pitch) {
        for (int32_t y = 0; y < window->output[0]; ++y) {
            int32_t row = y * window->stride[0] - window->pads[0];
            for (int32_t i = 0; i < window->kernel[0]; ++i, row += window->dilation[0]) {
                window->rows[i] = row >= 0 && row < height ? input + row * pitch : NULL;
            }
            compute_row(window, window->rows, &at);
        }
    }
    compute_rest(window, &at);
}
