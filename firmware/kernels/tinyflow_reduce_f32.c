/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/reduce.h, Mean and ReduceGeneric. */
#include "tinyflow_unquantised.h"

typedef float (*function_f32)(float so_far, float value);

static inline float reduced(function_f32 function, float result, const tinyflow_loop *loops,
                            const float *input)
{
    for (size_t i = 0; i < loops[0].extent; ++i) {
        for (size_t j = 0; j < loops[1].extent; ++j) {
            const float *element = &input[i * loops[0].stride + j * loops[1].stride];
            for (size_t k = 0; k < loops[2].extent; ++k) {
                result = function(result, *element);
                element += loops[2].stride;
            }
        }
    }
    return result;
}

/* Reduces to each element of the output, then divides. */
static inline void reduce(function_f32 function, float initial, float divisor,
                          const tinyflow_reduction *loops, const float *input, float *output)
{
    const tinyflow_loop *kept = loops->kept;
    for (size_t i = 0; i < kept[0].extent; ++i) {
        for (size_t j = 0; j < kept[1].extent; ++j) {
            for (size_t k = 0; k < kept[2].extent; ++k) {
                const float *first =
                    &input[i * kept[0].stride + j * kept[1].stride + k * kept[2].stride];
                *output++ = reduced(function, initial, loops->reduced, first) / divisor;
            }
        }
    }
}

static float sum(float so_far, float value)
{
    return so_far + value;
}

static float greater(float so_far, float value)
{
    return value > so_far ? value : so_far;
}

static float lesser(float so_far, float value)
{
    return value < so_far ? value : so_far;
}

void tinyflow_sum_f32(const tinyflow_reduction *loops, const float *input, float *output)
{
    reduce(sum, 0.0f, 1.0f, loops, input, output);
}

void tinyflow_mean_f32(const tinyflow_reduction *loops, const float *input, float *output)
{
    const tinyflow_loop *over = loops->reduced;
    const size_t count = over[0].extent * over[1].extent * over[2].extent;
    reduce(sum, 0.0f, (float)count, loops, input, output);
}

void tinyflow_reduce_max_f32(const tinyflow_reduction *loops, const float *input, float *output)
{
    reduce(greater, -FLT_MAX, 1.0f, loops, input, output);
}

void tinyflow_reduce_min_f32(const tinyflow_reduction *loops, const float *input, float *output)
{
    reduce(lesser, FLT_MAX, 1.0f, loops, input, output);
}
