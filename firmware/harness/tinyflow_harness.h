/* SPDX-License-Identifier: Apache-2.0 */
/* Serves a model over the UART: the device's side of the harness protocol. */
#ifndef TINYFLOW_HARNESS_H
#define TINYFLOW_HARNESS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The longest request payload; the model's tensors are read and written in pieces. Behind the 5
 * bytes that say where a piece belongs there is room for whole elements of any type.
 */
#define TINYFLOW_HARNESS_MAX_PAYLOAD (5u + 504u)

/* Element types, as the protocol numbers them. */
enum {
    TINYFLOW_INT8 = 0,
    TINYFLOW_UINT8 = 1,
    TINYFLOW_INT16 = 2,
    TINYFLOW_INT32 = 3,
    TINYFLOW_FLOAT32 = 4,
    TINYFLOW_INT64 = 5,
    TINYFLOW_BOOL = 6, /* a byte, 0 or 1 */
    TINYFLOW_UINT32 = 7,
    TINYFLOW_UINT64 = 8,
};

typedef struct {
    uint8_t type;
    uint8_t rank;
    const uint32_t *shape; /* `rank` dimensions */
    uint32_t bytes;
    float scale;
    int32_t zero_point;
    /*
     * Of a float32 tensor that the model holds in another type: they convert `count` elements from
     * element `first` on. NULL where the tensor lies in the model's memory as it is.
     */
    int (*write)(size_t first, const float *values, size_t count);
    int (*read)(size_t first, float *values, size_t count);
} tinyflow_tensor_t;

/* A model and the functions that run it. */
typedef struct {
    const char *name;  /* at most 255 bytes, as is the board's */
    const char *board;
    uint8_t digest[8]; /* the start of the .tflite file's SHA-256 */
    uint32_t arena_bytes;
    uint32_t clock_hz;
    uint16_t layer_count;
    uint8_t input_count;
    uint8_t output_count;
    const tinyflow_tensor_t *inputs;
    const tinyflow_tensor_t *outputs;
    void (*init)(void);
    void *(*input)(size_t index);
    const void *(*output)(size_t index);
    int (*invoke)(void);
} tinyflow_model_t;

/* Answers requests for ever; call it after tinyflow_mcu_init(). */
_Noreturn void tinyflow_harness_run(const tinyflow_model_t *model);

#endif
