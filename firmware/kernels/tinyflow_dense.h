/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated kernels of layers that run through their inputs once: fully connected ones.
 * Their loops are generated for a model; see the assembly files next to this one.
 */
#ifndef TINYFLOW_DENSE_H
#define TINYFLOW_DENSE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t row_bytes;     /* of a row's steps, 8 for each */
    uint32_t block_outputs; /* outputs that are computed in whole blocks */
    uint32_t outputs;       /* all of them */
    int32_t zero_point;     /* of the output */
    uint32_t multiplier;    /* the one scale, unless it is in the packed weights */
    uint32_t power;
} tinyflow_fully_connected_params;

/* One row: `row` is what tinyflow_fully_connected_s8 makes of the inputs, `packed_weights` holds the weights. */
typedef void tinyflow_fully_connected_row(const uint32_t *row, int8_t *output,
                                          const uint32_t *packed_weights,
                                          const tinyflow_fully_connected_params *params);

/*
 * output [rows][outputs] = input [rows][depth] times weights, plus bias.
 * `row` is scratch: one word and params->row_bytes.
 */
void tinyflow_fully_connected_s8(const tinyflow_fully_connected_params *params,
                                 tinyflow_fully_connected_row *compute,
                                 const uint32_t *packed_weights, const int8_t *input,
                                 int8_t *output, size_t rows, size_t depth, uint32_t *row);

#endif
