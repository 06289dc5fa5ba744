/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/integer_ops/pooling.h. */
#include "tinyflow_requantize.h"
#include "tinyflow_window_rows.h"

/* Sum, greatest value and number of a channel's elements that a window covers. */
typedef struct {
    int32_t sum;
    int32_t greatest;
    int32_t count;
} summary;

static summary look(const tinyflow_window_params *params, const int8_t *const *rows,
                    int32_t channel, int32_t column)
{
    summary seen = {.greatest = INT8_MIN};
    const int32_t left = tinyflow_clamp(column, 0, params->input[2]);
    const int32_t right = tinyflow_clamp(column + params->kernel[1], 0, params->input[2]);
    for (int32_t y = 0; y < params->kernel[0]; ++y) {
        if (rows[y] == NULL) {
            continue;
        }
        for (int32_t x = left; x < right; ++x) {
            const int32_t value = rows[y][x * params->input[3] + channel];
            seen.sum += value;
            seen.greatest = value > seen.greatest ? value : seen.greatest;
            ++seen.count;
        }
    }
    return seen;
}

static int32_t average(summary seen)
{
    const int32_t half = seen.count / 2;
    return (seen.sum > 0 ? seen.sum + half : seen.sum - half) / seen.count;
}

static int32_t maximum(summary seen)
{
    return seen.greatest;
}

static void pool(const tinyflow_window_params *params, int32_t (*reduce)(summary),
                 const int8_t *const *rows, int8_t *output)
{
    for (int32_t x = 0; x < params->output[2]; ++x) {
        for (int32_t c = 0; c < params->output[3]; ++c) {
            const summary seen =
                look(params, rows, c, x * params->stride[1] - params->padding[1]);
            *output++ = (int8_t)tinyflow_clamp(reduce(seen), params->minimum, params->maximum);
        }
    }
}

void tinyflow_average_pool_row_s8(const tinyflow_window_params *params, const int8_t *const *rows,
                                  int8_t *output)
{
    pool(params, average, rows, output);
}

void tinyflow_max_pool_row_s8(const tinyflow_window_params *params, const int8_t *const *rows,
                              int8_t *output)
{
    pool(params, maximum, rows, output);
}
