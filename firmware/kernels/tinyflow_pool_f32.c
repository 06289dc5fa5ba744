/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/pooling.h. */
#include "tinyflow_unquantised.h"

typedef float (*function_f32)(float so_far, float value);
typedef float (*result_f32)(float reduced, float count);

/* The part of a window that lies within the input: [first, last). */
typedef struct {
    int32_t first;
    int32_t last;
} range;

static range inside(int32_t position, int32_t kernel, int32_t extent)
{
    const range found = {
        .first = position < 0 ? 0 : position,
        .last = position + kernel < extent ? position + kernel : extent,
    };
    return found;
}

static inline void pool(function_f32 function, float initial, result_f32 finish,
                        const tinyflow_pool_f32_params *params, const float *input, float *output)
{
    const int32_t channels = params->input[3];
    for (int32_t batch = 0; batch < params->output[0]; ++batch) {
        for (int32_t y = 0; y < params->output[1]; ++y) {
            const range rows = inside(y * params->stride[0] - params->padding[0],
                                      params->kernel[0], params->input[1]);
            for (int32_t x = 0; x < params->output[2]; ++x) {
                const range columns = inside(x * params->stride[1] - params->padding[1],
                                             params->kernel[1], params->input[2]);
                const int32_t count = (rows.last - rows.first) * (columns.last - columns.first);
                for (int32_t c = 0; c < channels; ++c) {
                    float result = initial;
                    for (int32_t i = rows.first; i < rows.last; ++i) {
                        for (int32_t j = columns.first; j < columns.last; ++j) {
                            result = function(result,
                                              input[(i * params->input[2] + j) * channels + c]);
                        }
                    }
                    *output++ = tinyflow_clamp_f32(finish(result, (float)count), &params->bounds);
                }
            }
        }
        input += params->input[1] * params->input[2] * channels;
    }
}

static float sum(float so_far, float value)
{
    return so_far + value;
}

static float greater(float so_far, float value)
{
    return so_far < value ? value : so_far;
}

static float sum_of_squares(float so_far, float value)
{
    return so_far + value * value;
}

static float mean(float reduced, float count)
{
    return reduced / count;
}

static float same(float reduced, float count)
{
    (void)count;
    return reduced;
}

static float root_of_mean(float reduced, float count)
{
    return sqrtf(reduced / count);
}

void tinyflow_average_pool_f32(const tinyflow_pool_f32_params *params, const float *input,
                               float *output)
{
    pool(sum, 0.0f, mean, params, input, output);
}

void tinyflow_max_pool_f32(const tinyflow_pool_f32_params *params, const float *input,
                           float *output)
{
    pool(greater, -FLT_MAX, same, params, input, output);
}

void tinyflow_l2_pool_f32(const tinyflow_pool_f32_params *params, const float *input, float *output)
{
    pool(sum_of_squares, 0.0f, root_of_mean, params, input, output);
}
