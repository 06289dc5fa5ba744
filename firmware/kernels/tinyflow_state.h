/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators that keep a state between calls: int8, exact with TFLM's reference kernels. Each
 * is in the file of its name. The state is read and rewritten.
 */
#ifndef TINYFLOW_STATE_H
#define TINYFLOW_STATE_H

#include <stddef.h>
#include <stdint.h>

/* Copies bytes; input and output do not overlap. */
void tinyflow_copy(const void *input, void *output, size_t size);

/* slots: the last inputs of `slot` bytes, `whole` bytes in all; the input is their new last one. */
void tinyflow_circular_buffer_s8(const int8_t *input, int8_t *slots, int8_t *output, size_t slot,
                                 size_t whole);

typedef struct {
    size_t batch;
    size_t inputs;
    size_t units;
    size_t rank; /* filters of a unit */
    size_t memory;
    int32_t input_zero_point;
    int32_t state_zero_point;
    int32_t output_zero_point;
    int32_t state_multiplier; /* from the sum of a filter's features to the state */
    int32_t state_shift;
    int32_t output_multiplier;
    int32_t output_shift;
    const int8_t *feature; /* [units][rank][inputs] */
    const void *time;      /* [units][rank][memory], of the state's type */
    const int32_t *bias;   /* [units] */
} tinyflow_svdf_params;

/* One step of an SVDF layer: input [batch][inputs], state [batch][units][rank][memory]. */
void tinyflow_svdf_s8(const tinyflow_svdf_params *params, const int8_t *input, int8_t *state,
                      int8_t *output);

/* The same with a state and time weights of 16 bits. */
void tinyflow_svdf_state_s16_s8(const tinyflow_svdf_params *params, const int8_t *input,
                                int16_t *state, int8_t *output);

/* A product with a matrix; the operand's zero point is in the bias. */
typedef struct {
    const int8_t *weights; /* [units][operands] */
    const int32_t *bias;   /* [units] */
    int32_t multiplier;
    int32_t shift;
} tinyflow_lstm_product;

typedef struct {
    tinyflow_lstm_product input;
    tinyflow_lstm_product hidden;
} tinyflow_lstm_gate;

typedef struct {
    int32_t multiplier;
    int32_t shift;
} tinyflow_lstm_scale;

typedef struct {
    size_t batch;
    size_t steps;
    size_t inputs;
    size_t units;
    size_t batch_stride; /* from one sequence to the next, in steps */
    size_t step_stride;  /* from one step to the next, in steps */
    tinyflow_lstm_gate input_gate;
    tinyflow_lstm_gate forget_gate;
    tinyflow_lstm_gate cell_gate;
    tinyflow_lstm_gate output_gate;
    tinyflow_lstm_scale kept;   /* forget gate times cell, to the cell */
    tinyflow_lstm_scale fresh;  /* input gate times cell gate, to the cell */
    tinyflow_lstm_scale result; /* output gate times tanh of the cell, to the hidden state */
    int32_t hidden_zero_point;
    int32_t cell_clip; /* 0 for none */
    int32_t tanh_multiplier;
    int32_t tanh_shift; /* to the right */
} tinyflow_lstm_params;

/*
 * A long short-term memory over `steps` steps; the output holds the hidden state of every step.
 * hidden and cell are [batch][units].
 */
void tinyflow_lstm_s8(const tinyflow_lstm_params *params, const int8_t *input, int8_t *hidden,
                      int16_t *cell, int8_t *output);

#endif
