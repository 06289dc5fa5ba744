/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution on the DSP extension: windows of up to four pixels as int16 columns, multiplied with
 * two channels at a time by assembly made for the layer's numbers.
 */
#ifndef TINYFLOW_CONV_H
#define TINYFLOW_CONV_H

#include <stddef.h>
#include <stdint.h>

/* The bytes of four pixels' windows that lie together: a pointer for each pixel. */
typedef const int8_t *tinyflow_conv_run[4];

/* The im2col of a group of pixels: `count` runs of `words` words, as int16 columns. The last word
 * may reach beyond a window. */
typedef void tinyflow_im2col_function(const tinyflow_conv_run runs[], uint32_t count,
                                      uint32_t words, int16_t *columns);

/* Arguments of a microkernel; the assembly depends on the order of the members. */
typedef struct {
    const uint32_t *packed_weights; /* for each pair of channels: biases, weights, requantisation */
    int16_t *columns;       /* scratch: windows as int16, a group's behind the other's */
    uint32_t *copy;         /* scratch: the packed weights of a pair of channels, where it is copied */
    uint32_t steps;         /* of the packed weights, two weights of either channel each */
    uint32_t channels;      /* of the output */
    int32_t zero_point;     /* of the output */
} tinyflow_conv_microkernel;

/* Outputs of some groups of pixels, all channels, from the columns. */
typedef void tinyflow_conv_microkernel_function(const tinyflow_conv_microkernel *microkernel,
                                                int8_t *output, uint32_t groups);

/* The matrix product of a layer. */
typedef struct {
    tinyflow_conv_microkernel microkernel;
    tinyflow_im2col_function *im2col_four; /* groups of four pixels */
    tinyflow_conv_microkernel_function *four;
    tinyflow_im2col_function *im2col_rest; /* the pixels left over; NULL for none */
    tinyflow_conv_microkernel_function *rest;
    uint32_t groups; /* of four pixels that are computed together */
} tinyflow_conv_matrix;

/* Windows that lie at equal distances. */
typedef struct {
    tinyflow_conv_matrix matrix;
    uint32_t words; /* of a window */
    uint32_t pitch; /* bytes from a window to the next one */
} tinyflow_conv_pointwise;

void tinyflow_conv_pointwise_s8(const tinyflow_conv_pointwise *line, const int8_t *input,
                                int8_t *output, uint32_t pixels);

/* Windows over an image. */
typedef struct {
    tinyflow_conv_matrix matrix;
    tinyflow_conv_run *runs;     /* scratch: as many as the kernel has elements */
    const int8_t **rows;   /* scratch: as many as the kernel is high */
    int8_t *padding;       /* scratch: a run inside of a row, made of zero points */
    int32_t zero_point;    /* of the input */
    int32_t images;
    int32_t input[2]; /* height and width, and so on */
    int32_t depth;
    int32_t output[2];
    int32_t kernel[2];
    int32_t stride[2];
    int32_t dilation[2];
    int32_t pads[2];
    uint32_t inner_words; /* of a row of the kernel, */
    uint32_t edge_words;  /* and of an element */
    int32_t inner_begin;  /* pixels of a row whose window is inside of the row, */
    int32_t inner_end;    /* if its elements lie together */
} tinyflow_conv_window;

/* All images. */
void tinyflow_conv_window_s8(const tinyflow_conv_window *window, const int8_t *input,
                             int8_t *output);

/* One row of the output, from as many rows as the kernel is high; NULL is a row of padding. */
void tinyflow_conv_window_row_s8(const tinyflow_conv_window *window, const int8_t *const rows[],
                                 int8_t *output);

/* Windows over rows that are copied, so that all of them are inside. */
typedef struct {
    tinyflow_conv_window window; /* over the copies, whose elements of a row are one */
    int8_t *lines;         /* scratch: copies of rows */
    int32_t count;         /* of lines */
    uint32_t before;       /* bytes of zero points in front of a copied row, */
    uint32_t bytes;        /* that are copied of a row, */
    uint32_t after;        /* and of zero points behind it */
    uint32_t pitch;        /* bytes from a row of the input to the next one */
} tinyflow_conv_padded;

/* One image. */
void tinyflow_conv_padded_s8(const tinyflow_conv_padded *padded, const int8_t *input,
                             int8_t *output);

/* One row of the output, as tinyflow_conv_window_row_s8. */
void tinyflow_conv_padded_row_s8(const tinyflow_conv_padded *padded, const int8_t *const rows[],
                                 int8_t *output);

/* Interleaves as many rows as a kernel is high into one line, pixel by pixel. */
typedef void tinyflow_interleave_function(const int8_t *const rows[], int8_t *line,
                                          uint32_t pixels);

/* Windows over lines that are interleaved of rows, so that each lies together. */
typedef struct {
    tinyflow_conv_window window; /* over the lines, with a kernel of 1x1 */
    tinyflow_interleave_function *interleave;
    const int8_t **rows; /* scratch: as many as the kernel is high */
    int8_t *lines;       /* scratch */
    int8_t *padding;     /* scratch: a row of zero points and a byte more */
    int32_t count;       /* of lines */
    uint32_t size;       /* bytes of a line with what is written behind it */
    uint32_t before;     /* bytes of zero points in front of a line's pixels, */
    uint32_t after;      /* and behind them */
    uint32_t pixels;     /* that are interleaved of a row */
    uint32_t pitch;      /* bytes from a row of the input to the next one */
    int32_t height;      /* of the input, and so on */
    int32_t kernel;
    int32_t stride;
    int32_t dilation;
    int32_t pad;
} tinyflow_conv_interleaved;

/* One image. */
void tinyflow_conv_interleaved_s8(const tinyflow_conv_interleaved *interleaved, const int8_t *input,
                                  int8_t *output);

/* One row of the output, as tinyflow_conv_window_row_s8. */
void tinyflow_conv_interleaved_row_s8(const tinyflow_conv_interleaved *interleaved,
                                      const int8_t *const rows[], int8_t *output);

#endif
