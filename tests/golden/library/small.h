/* SPDX-License-Identifier: Apache-2.0 */
/*
 * small: 6 layers, 2,320 multiply-accumulates, int8.
 * Made by tinyflow 0.1.0 from a .tflite of SHA-256 7f5f1f7b198f6d862eb7a1672290c15c6c0eee306251cc5028b332eda9cd43da.
 *
 * Use: small_init() once; write the inputs, small_invoke(), read the outputs. Inputs and
 * outputs lie in the arena, where a layer may write over an input once it is consumed: write
 * every input again before each small_invoke(). Not reentrant; no heap is used.
 */
#ifndef TINYFLOW_MODEL_SMALL_H
#define TINYFLOW_MODEL_SMALL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the one static buffer that holds every activation and scratch. */
#define SMALL_ARENA_SIZE 632u
#define SMALL_LAYER_COUNT 6u

#define SMALL_INPUT_COUNT 1u

/* input 0: image */
#define SMALL_INPUT_0_TYPE int8_t
#define SMALL_INPUT_0_SIZE 192u /* bytes */
#define SMALL_INPUT_0_ELEMENTS 192u
#define SMALL_INPUT_0_RANK 4u
#define SMALL_INPUT_0_SHAPE {1, 8, 8, 3}
#define SMALL_INPUT_0_SCALE 0.0500000007f
#define SMALL_INPUT_0_ZERO_POINT (3)

#define SMALL_OUTPUT_COUNT 1u

/* output 0: classes */
#define SMALL_OUTPUT_0_TYPE int8_t
#define SMALL_OUTPUT_0_SIZE 4u /* bytes */
#define SMALL_OUTPUT_0_ELEMENTS 4u
#define SMALL_OUTPUT_0_RANK 2u
#define SMALL_OUTPUT_0_SHAPE {1, 4}
#define SMALL_OUTPUT_0_SCALE 0.00390625f
#define SMALL_OUTPUT_0_ZERO_POINT (-128)

/* Resets the model's state, of which this one has none; call it once before the first inference. */
void small_init(void);

/* The memory of an input, to be written before small_invoke(); NULL if there is none. */
int8_t *small_input(size_t index);

/* The memory of an output, to be read after small_invoke(); NULL if there is none. */
const int8_t *small_output(size_t index);

/* Runs the model. 0, or the error code of the kernel that failed. */
int small_invoke(void);

/* A real value as input 0 has it: rounded half away from zero, saturated. */
static inline int8_t small_quantize_input_0(float value)
{
    const float scaled = value / SMALL_INPUT_0_SCALE;
    if (!(scaled > (float)(-128 - 1 - SMALL_INPUT_0_ZERO_POINT))) {
        return -128;
    }
    if (scaled >= (float)(127 + 1 - SMALL_INPUT_0_ZERO_POINT)) {
        return 127;
    }
    const int32_t whole = (int32_t)scaled;
    const float fraction = scaled - (float)whole;
    const int32_t away = fraction >= 0.5f ? 1 : fraction <= -0.5f ? -1 : 0;
    const int32_t result = whole + away + SMALL_INPUT_0_ZERO_POINT;
    return (int8_t)(result < -128 ? -128 : result > 127 ? 127 : result);
}

/* An element of output 0 as a real value. */
static inline float small_dequantize_output_0(int8_t value)
{
    return SMALL_OUTPUT_0_SCALE * (float)((int32_t)value - SMALL_OUTPUT_0_ZERO_POINT);
}

#ifdef __cplusplus
}
#endif

#endif
