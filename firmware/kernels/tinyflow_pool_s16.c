/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/pooling.h. */
#include "tinyflow_requantize.h"
#include "tinyflow_s16.h"

/* The part of a window that lies inside the input: ends are exclusive. */
typedef struct {
    int32_t top;
    int32_t bottom;
    int32_t left;
    int32_t right;
} window;

static window window_at(const tinyflow_pool_s16_params *params, int32_t y, int32_t x)
{
    const int32_t row = y * params->stride[0] - params->padding[0];
    const int32_t column = x * params->stride[1] - params->padding[1];
    return (window){
        .top = tinyflow_clamp(row, 0, params->input[1]),
        .bottom = tinyflow_clamp(row + params->kernel[0], 0, params->input[1]),
        .left = tinyflow_clamp(column, 0, params->input[2]),
        .right = tinyflow_clamp(column + params->kernel[1], 0, params->input[2]),
    };
}

static int32_t average(const tinyflow_pool_s16_params *params, const int16_t *channel, window at)
{
    const int32_t count = (at.bottom - at.top) * (at.right - at.left);
    int32_t sum = 0;
    for (int32_t y = at.top; y < at.bottom; ++y) {
        for (int32_t x = at.left; x < at.right; ++x) {
            sum += channel[(y * params->input[2] + x) * params->input[3]];
        }
    }
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

static int32_t maximum(const tinyflow_pool_s16_params *params, const int16_t *channel, window at)
{
    int32_t greatest = INT16_MIN;
    for (int32_t y = at.top; y < at.bottom; ++y) {
        for (int32_t x = at.left; x < at.right; ++x) {
            const int32_t value = channel[(y * params->input[2] + x) * params->input[3]];
            greatest = value > greatest ? value : greatest;
        }
    }
    return greatest;
}

typedef int32_t reduction(const tinyflow_pool_s16_params *params, const int16_t *channel,
                          window at);

static void pool(const tinyflow_pool_s16_params *params, reduction *reduce, const int16_t *input,
                 int16_t *output)
{
    for (int32_t batch = 0; batch < params->output[0]; ++batch) {
        for (int32_t y = 0; y < params->output[1]; ++y) {
            for (int32_t x = 0; x < params->output[2]; ++x) {
                const window at = window_at(params, y, x);
                for (int32_t c = 0; c < params->output[3]; ++c) {
                    *output++ = (int16_t)tinyflow_clamp(reduce(params, &input[c], at), params->minimum,
                                                        params->maximum);
                }
            }
        }
        input += params->input[1] * params->input[2] * params->input[3];
    }
}

void tinyflow_average_pool_s16(const tinyflow_pool_s16_params *params, const int16_t *input,
                               int16_t *output)
{
    pool(params, average, input, output);
}

void tinyflow_max_pool_s16(const tinyflow_pool_s16_params *params, const int16_t *input,
                           int16_t *output)
{
    pool(params, maximum, input, output);
}
