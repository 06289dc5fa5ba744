/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise convolution of int8 with the DSP extension, around functions that are generated.
 *
 * Four channels at a time, some lines of the input are spread out in scratch as columns of pairs
 * of int16, and a window is moved over them; the next lines take their place. "Lines" run along the
 * inner one of height and width, whichever that is; they are adjacent along the outer.
 * The output may lie in the input's place: what is written over has been read.
 */
#ifndef TINYFLOW_DEPTHWISE_H
#define TINYFLOW_DEPTHWISE_H

#include <stdint.h>

/* A line of the input. Columns of padding alone come first and last. */
typedef struct {
    uint32_t zero;       /* the input's zero point in both halves, */
    uint32_t zero_bytes; /* and in all bytes */
    int32_t pitch;       /* bytes from one pixel to the next */
    int32_t line_pitch;  /* bytes from one line to the next */
    int32_t front;       /* columns of padding alone */
    int32_t words;       /* then columns with a pixel, that of the tail not counted */
    int32_t head;        /* 1: the first of them is padding and a pixel */
    int32_t tail;        /* 1: then one column of the last pixel and padding */
    int32_t back;        /* columns of padding alone */
} tinyflow_depthwise_lines;

/* Lines of the output. */
typedef struct {
    int32_t zero_point;
    int32_t pitch;    /* bytes from one output to the next */
    int32_t span;     /* bytes of columns that the tiles of four advance over in a line */
    int32_t lines;
    int32_t rest;     /* outputs after the tiles; 3: the last tile has but three */
    int32_t back;     /* from the word behind the tiles to the next line's first; negative */
    int32_t forward;  /* from the output behind the tiles to the next line's first */
    int32_t channels;
    int32_t plane;    /* bytes from a channel's words to the next one's */
} tinyflow_depthwise_outputs;

/* Generated: `count` lines of four channels become columns. */
typedef void tinyflow_depthwise_im2col(const int8_t *input, uint32_t *columns,
                                       const tinyflow_depthwise_lines *lines, int32_t count);
/* Generated: lines of output channels, one channel after the other. */
typedef void tinyflow_depthwise_window(const uint32_t *columns, int8_t *output,
                                       const uint32_t *constants,
                                       const tinyflow_depthwise_outputs *outputs);

typedef struct {
    tinyflow_depthwise_im2col *im2col;
    tinyflow_depthwise_window *window;
    tinyflow_depthwise_lines input;
    tinyflow_depthwise_outputs output; /* its lines are those of a strip */
    int32_t height;              /* lines that there is room for */
    int32_t columns;
    int32_t place;               /* words from one column to the next, */
    int32_t line;                /* and from one line to the next */
    int32_t channels;            /* of the input, */
    int32_t multiplier;          /* output channels for each: the depth multiplier */
    int32_t constants;           /* words of an output channel */
    int32_t kernel;              /* along the outer dimension, */
    int32_t stride;
    int32_t pad;
    int32_t input_lines;
    int32_t gathered;            /* of them, where one strip is all and `multiplier` is 1; or 0 */
    int32_t output_lines;
    int32_t output_line_pitch;   /* bytes */
} tinyflow_depthwise_plan;

/* One image. `columns` is the scratch. */
void tinyflow_depthwise(const tinyflow_depthwise_plan *plan, const uint32_t *constants,
                        const int8_t *input, int8_t *output, uint32_t *columns);

/* One line of the output, along the width, from lines of the input; NULL is a line of padding. */
void tinyflow_depthwise_line(const tinyflow_depthwise_plan *plan, const uint32_t *constants,
                             const int8_t *const *lines, int8_t *output, uint32_t *columns);

#endif
