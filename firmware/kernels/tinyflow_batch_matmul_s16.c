/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/batch_matmul.h, with the transpositions of batch_matmul.cc. */
#include "tinyflow_products_s16.h"
#include "tinyflow_requantize.h"
#include "tinyflow_s16.h"

static int16_t *multiply(const tinyflow_batch_matmul_params *params, const int16_t *left,
                         const int16_t *right, int16_t *output)
{
    for (size_t row = 0; row < params->rows; ++row) {
        for (size_t column = 0; column < params->columns; ++column) {
            const int16_t *a = &left[row * params->left.row_stride];
            const int16_t *b = &right[column * params->right.column_stride];
            int64_t sum = 0;
            for (size_t i = 0; i < params->depth; ++i) {
                sum += *a * *b;
                a += params->left.column_stride;
                b += params->right.row_stride;
            }
            const int32_t result = tinyflow_requantize_wide(sum, params->multiplier, params->shift);
            *output++ = (int16_t)tinyflow_clamp(result, params->minimum, params->maximum);
        }
    }
    return output;
}

void tinyflow_batch_matmul_s16(const tinyflow_batch_matmul_params *params, const int16_t *left,
                               const int16_t *right, int16_t *output)
{
    const size_t *a = params->left.step, *b = params->right.step;
    for (size_t i = 0; i < params->batches[0]; ++i) {
        for (size_t j = 0; j < params->batches[1]; ++j) {
            for (size_t k = 0; k < params->batches[2]; ++k) {
                output = multiply(params, &left[i * a[0] + j * a[1] + k * a[2]],
                                  &right[i * b[0] + j * b[1] + k * b[2]], output);
            }
        }
    }
}
