/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution of few channels on the DSP extension: rows are interleaved into lines of int16, whose windows
 * are read where they lie, two pixels at once. tinyflow/kernels/generated/pairs.py has the layout.
 */
#ifndef TINYFLOW_CONV_ROW_PAIRS_H
#define TINYFLOW_CONV_ROW_PAIRS_H

#include <stddef.h>
#include <stdint.h>

/* Rows of a kernel at most: their pointers are in registers. */
#define TINYFLOW_CONV_ROW_PAIRS_MOST_ROWS 10

/* Interleaves as many rows as the kernel is high into every other word of a line of `units`. */
typedef void tinyflow_conv_row_pairs_interleave_function(const int8_t *const rows[], int32_t *line,
                                                         uint32_t units);

/* Arguments of the product; the assembly depends on the order of the members. */
typedef struct {
    const uint32_t *packed_weights; /* of four channels each: biases, weights, requantisation */
    const int32_t *line;    /* windows of two pixels, word by word in turn */
    uint32_t channels;      /* of the output */
    int32_t zero_point;     /* of the output */
} tinyflow_conv_row_pairs_microkernel;

/* Outputs of pairs of pixels; the second one's are `distance` bytes behind the first one's. */
typedef void tinyflow_conv_row_pairs_function(const tinyflow_conv_row_pairs_microkernel *microkernel, int8_t *output, uint32_t pairs,
                                              uint32_t distance);

typedef struct {
    tinyflow_conv_row_pairs_microkernel microkernel;
    tinyflow_conv_row_pairs_function *compute;
    tinyflow_conv_row_pairs_interleave_function *interleave;
    int32_t *line;             /* scratch: two interleaved lines in one another */
    const uint32_t *constants; /* source of the packed weights's copy, NULL if it is not copied */
    uint32_t constant_bytes;
    uint32_t *copy;       /* scratch: the packed weights */
    int8_t *padding;      /* scratch: a row of zero points */
    int8_t *edges;        /* scratch: a unit's bytes of as many rows as the kernel is high */
    int32_t zero_point;   /* of the input, and so on */
    int32_t input[2];     /* height and width, and so on */
    int32_t depth;
    int32_t output[2];
    int32_t kernel;       /* rows */
    int32_t stride[2];
    int32_t dilation;
    int32_t pads[2];      /* rows, and columns of the first units */
    int32_t columns;      /* of a unit */
    int32_t unit;         /* words */
    int32_t beyond;       /* units that a window reaches into besides the first */
    int32_t inside_begin; /* units whose columns are all inside of the row */
    int32_t inside_end;
} tinyflow_conv_row_pairs;

/* One image: two rows of the output at once, of a last one without partner both halves. */
void tinyflow_conv_row_pairs_s8(const tinyflow_conv_row_pairs *pairs, const int8_t *input,
                                int8_t *output);

/* One row of the output from as many rows as the kernel is high; NULL is a row of padding. */
void tinyflow_conv_row_pairs_row_s8(const tinyflow_conv_row_pairs *pairs,
                                    const int8_t *const rows[], int8_t *output);

#endif
