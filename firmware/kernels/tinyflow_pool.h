/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated poolings and means of int8. The loop over a window is generated for a model; see the
 * assembly files next to this one.
 */
#ifndef TINYFLOW_POOL_H
#define TINYFLOW_POOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    TINYFLOW_POOL_ROWS = 32, /* of a window, at most */
};

/* The pixels of one window, and what makes outputs of their sums. */
typedef struct {
    const int8_t *const *rows; /* of the input */
    uint32_t row_count;
    uint32_t start;   /* from the pointer to a row to the window's first pixel, bytes */
    uint32_t columns; /* pixels of a row */
    /*
     * Average: bias, factor, -1 where the number of pixels is even, -128.
     * Mean: bias, multiplier, power, zero point of the output.
     * Maximum: four times the least output, four times the greatest.
     */
    uint32_t constants[4];
} tinyflow_pool_window;

/* One pixel of the output. */
typedef void tinyflow_pool_kernel(const tinyflow_pool_window *window, int8_t *output,
                                  uint32_t channels);

typedef struct {
    int32_t input_height;
    int32_t input_width;
    int32_t output_height;
    int32_t output_width;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_y;
    int32_t stride_x;
    int32_t pad_y; /* rows above the input */
    int32_t pad_x; /* columns left of it */
    uint32_t channels;
    uint32_t averages; /* 1: constants of the averages are made for each window */
    uint32_t constants[4];
} tinyflow_pool_params;

/* One image. */
void tinyflow_pool(const tinyflow_pool_params *params, tinyflow_pool_kernel *pixel,
                   const int8_t *input, int8_t *output);

/* One row of the output; `rows` are kernel_height rows of the input, NULL outside of it. */
void tinyflow_pool_row(const tinyflow_pool_params *params, tinyflow_pool_kernel *pixel,
                       const int8_t *const *rows, int8_t *output);

#endif
