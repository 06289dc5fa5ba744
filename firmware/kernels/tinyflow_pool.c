/* SPDX-License-Identifier: Apache-2.0 */
/* The windows of poolings: each cut to the part of it that lies in the input. */
#include "tinyflow_pool.h"

/* Division of a sum by `pixels`, for the average: see the assembly. */
static void average(tinyflow_pool_window *window)
{
    const uint32_t pixels = window->row_count * window->columns;
    window->constants[0] = 128u * pixels + pixels / 2u;
    window->constants[1] = ((UINT32_C(1) << 30) + pixels - 1u) / pixels;
    window->constants[2] = pixels % 2u - 1u;
    window->constants[3] = (uint32_t)-128;
}

void tinyflow_pool_row(const tinyflow_pool_params *params, tinyflow_pool_kernel *pixel,
                       const int8_t *const *rows, int8_t *output)
{
    tinyflow_pool_window window = {.rows = rows, .row_count = (uint32_t)params->kernel_height};
    for (size_t i = 0; i < sizeof window.constants / sizeof window.constants[0]; ++i) {
        window.constants[i] = params->constants[i];
    }
    while (*window.rows == NULL) {
        ++window.rows;
        --window.row_count;
    }
    while (window.rows[window.row_count - 1] == NULL) {
        --window.row_count;
    }
    uint32_t columns = 0; /* that the constants are for */
    for (int32_t x = 0; x < params->output_width; ++x, output += params->channels) {
        const int32_t first = x * params->stride_x - params->pad_x;
        const int32_t last = first + params->kernel_width;
        const int32_t begin = first > 0 ? first : 0;
        const int32_t end = last < params->input_width ? last : params->input_width;
        window.start = (uint32_t)begin * params->channels;
        window.columns = (uint32_t)(end - begin);
        if (params->averages != 0 && window.columns != columns) {
            columns = window.columns;
            average(&window);
        }
        pixel(&window, output, params->channels);
    }
}

void tinyflow_pool(const tinyflow_pool_params *params, tinyflow_pool_kernel *pixel,
                   const int8_t *input, int8_t *output)
{
    const int8_t *rows[TINYFLOW_POOL_ROWS];
    const size_t in_pitch = (size_t)params->input_width * params->channels;
    const size_t out_pitch = (size_t)params->output_width * params->channels;
    for (int32_t y = 0; y < params->output_height; ++y, output += out_pitch) {
        const int32_t first = y * params->stride_y - params->pad_y;
        for (int32_t k = 0; k < params->kernel_height; ++k) {
            const int32_t row = first + k;
            const int within = row >= 0 && row < params->input_height;
            rows[k] = within ? &input[(size_t)row * in_pitch] : NULL;
        }
        tinyflow_pool_row(params, pixel, rows, output);
    }
}
