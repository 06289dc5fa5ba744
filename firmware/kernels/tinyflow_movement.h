/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between layouts, of elements of any size. What is copied where is worked out when the
 * model is compiled; all offsets and strides are in bytes. Each is in the file of its name.
 */
#ifndef TINYFLOW_MOVEMENT_H
#define TINYFLOW_MOVEMENT_H

#include <stddef.h>
#include <stdint.h>

/* Dimensions of a box; those a model does not need have an extent of 1 and come first. */
#define TINYFLOW_MOVEMENT_RANK 5

typedef struct {
    int32_t run; /* neighbouring bytes that stay together, the dimension within all others */
    int32_t extent[TINYFLOW_MOVEMENT_RANK];
    int32_t read[TINYFLOW_MOVEMENT_RANK]; /* strides; negative or 0 where elements turn or repeat */
    int32_t write[TINYFLOW_MOVEMENT_RANK];
    int32_t read_start;
    int32_t write_start;
} tinyflow_move_params;

/* Copies a box. Input and output do not overlap. */
void tinyflow_move(const tinyflow_move_params *params, const void *input, void *output);

typedef struct {
    int32_t run;
    int32_t extent[TINYFLOW_MOVEMENT_RANK];
} tinyflow_take_params;

/*
 * Writes in order what lies at the sum of one offset per dimension. offsets holds a table for each
 * dimension, one after another. Input and output do not overlap.
 */
void tinyflow_take(const tinyflow_take_params *params, const int32_t *offsets, const void *input,
                   void *output);

typedef struct {
    int32_t run;
    int32_t extent[TINYFLOW_MOVEMENT_RANK];
    int32_t value; /* of the bytes of the output that nothing is written to */
    size_t size;   /* of the output; 0 where all of it is written */
} tinyflow_put_params;

/* The inverse of tinyflow_take: reads in order, writes by offsets. Input and output do not overlap. */
void tinyflow_put(const tinyflow_put_params *params, const int32_t *offsets, const void *input,
                  void *output);

/* Returned by tinyflow_gather, and by the model, if an index is outside the input. */
#define TINYFLOW_INDEX_ERROR 1

typedef struct {
    size_t batches;
    size_t outer;
    size_t extent; /* of the dimension that the indices count along */
    size_t count;  /* indices of one batch */
    size_t run;    /* bytes that one index selects */
} tinyflow_gather_params;

/*
 * For each of input [batches][outer][extent][run] the runs at indices [batches][count], checked;
 * to output [batches][outer][count][run]. Input and output do not overlap.
 */
int tinyflow_gather(const tinyflow_gather_params *params, const int32_t *indices, const void *input,
                    void *output);

typedef struct {
    size_t slices;                    /* how many are taken */
    int32_t depth;                    /* dimensions that an index has a place in */
    int32_t step[TINYFLOW_MOVEMENT_RANK];   /* elements from one place of each to the next */
    int32_t run;                      /* elements of a slice */
    int32_t total;                    /* elements of the input */
    size_t size;                      /* bytes of an element */
} tinyflow_gather_nd_params;

/* The slices of the input at indices [slices][depth]; their sum of steps is checked. */
int tinyflow_gather_nd(const tinyflow_gather_nd_params *params, const int32_t *indices,
                       const void *input, void *output);

typedef struct {
    int32_t rank;
    int32_t shape[TINYFLOW_MOVEMENT_RANK];  /* of the input; dimensions of 1 fill up the front */
    int32_t update[TINYFLOW_MOVEMENT_RANK];
    size_t size; /* bytes of an element */
} tinyflow_update_slice_params;

/*
 * The input with the update written over it, from the starts on, which are moved so that it lies
 * within. The output may be the input.
 */
void tinyflow_update_slice(const tinyflow_update_slice_params *params, const void *input,
                           const void *update, const int32_t *starts, void *output);
void tinyflow_update_slice_s64(const tinyflow_update_slice_params *params, const void *input,
                               const void *update, const int64_t *starts, void *output);

/* `count` times the one value of `size` bytes. */
void tinyflow_fill(const void *value, size_t size, void *output, size_t count);

/* The shape that two shapes broadcast to, as long as the longer one; 1 where they do not. */
int tinyflow_broadcast_args_s32(const int32_t *left, size_t left_rank, const int32_t *right,
                                size_t right_rank, int32_t *output);
int tinyflow_broadcast_args_s64(const int64_t *left, size_t left_rank, const int64_t *right,
                                size_t right_rank, int64_t *output);

#endif
