/*
 * Sliding windows, one row of the output at a time, for layers that run row by row. The rows of the
 * input need not lie behind each other; those above and below it are NULL. Of the parameters the
 * heights, the vertical stride, dilation and padding are not read, nor is the batch.
 */
#ifndef TF_WINDOW_ROWS_H
#define TF_WINDOW_ROWS_H

#include "tf_rows.h"
#include "tf_windows.h"

/* Convolution; filters_per_group filters see the kernel[2] channels of their group. */
void tf_conv_row_s8(const tf_window_params *params, const int8_t *const *rows, int8_t *output);

/* Depthwise convolution; filters_per_group output channels come of one of the input's. */
void tf_depthwise_conv_row_s8(const tf_window_params *params, const int8_t *const *rows,
                              int8_t *output);

/* Pooling; padding does not count. Weights, bias, requantisation and offsets are not read. */
void tf_average_pool_row_s8(const tf_window_params *params, const int8_t *const *rows,
                            int8_t *output);
void tf_max_pool_row_s8(const tf_window_params *params, const int8_t *const *rows, int8_t *output);

#endif
