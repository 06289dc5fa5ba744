/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of which only some rows are in memory, in a ring: for layers that run row by row. An image
 * that is there as a whole is a ring of all of its rows.
 */
#ifndef TINYFLOW_ROWS_H
#define TINYFLOW_ROWS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int8_t *start;
    int32_t held;   /* rows that have room in memory */
    int32_t height; /* rows of the image */
    int32_t bytes;  /* of a row */
} tinyflow_rows;

/* Address of a row; NULL above and below the image. */
static inline int8_t *tinyflow_row(const tinyflow_rows *rows, int32_t row)
{
    return row < 0 || row >= rows->height ? NULL : &rows->start[row % rows->held * rows->bytes];
}

/* The rows first, first + step, ... that a window covers, `count` of them. */
static inline void tinyflow_rows_window(const tinyflow_rows *rows, int32_t first, int32_t step,
                                        int32_t count, const int8_t **window)
{
    for (int32_t i = 0; i < count; ++i) {
        window[i] = tinyflow_row(rows, first + i * step);
    }
}

#endif
