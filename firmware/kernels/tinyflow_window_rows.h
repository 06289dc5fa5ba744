/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sliding windows, one row of the output at a time, for layers that run row by row. The rows of the
 * input need not lie behind each other; those above and below it are NULL. Of the parameters the
 * heights, the vertical stride, dilation and padding are not read, nor is the batch.
 */
#ifndef TINYFLOW_WINDOW_ROWS_H
#define TINYFLOW_WINDOW_ROWS_H

#include "tinyflow_rows.h"
#include "tinyflow_windows.h"

/* Convolution; filters_per_group filters see the kernel[2] channels of their group. */
void tinyflow_conv_row_s8(const tinyflow_window_params *params, const int8_t *const *rows,
                          int8_t *output);

/* Depthwise convolution; filters_per_group output channels come of one of the input's. */
void tinyflow_depthwise_conv_row_s8(const tinyflow_window_params *params, const int8_t *const *rows,
                                    int8_t *output);

/* Pooling; padding does not count. Weights, bias, requantisation and offsets are not read. */
void tinyflow_average_pool_row_s8(const tinyflow_window_params *params, const int8_t *const *rows,
                                  int8_t *output);
void tinyflow_max_pool_row_s8(const tinyflow_window_params *params, const int8_t *const *rows,
                              int8_t *output);

#endif
