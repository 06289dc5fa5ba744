/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/fully_connected.h and reference/batch_matmul.h. */
#include "tinyflow_unquantised.h"

static float *multiply(const tinyflow_product_f32_params *params, const float *left,
                       const float *right, float *output)
{
    for (size_t row = 0; row < params->rows; ++row) {
        for (size_t column = 0; column < params->columns; ++column) {
            const float *a = &left[row * params->left.row_stride];
            const float *b = &right[column * params->right.column_stride];
            float sum = 0.0f;
            for (size_t i = 0; i < params->depth; ++i) {
                sum += *a * *b;
                a += params->left.column_stride;
                b += params->right.row_stride;
            }
            const float bias = params->bias != NULL ? params->bias[column] : 0.0f;
            *output++ = tinyflow_clamp_f32(sum + bias, &params->bounds);
        }
    }
    return output;
}

void tinyflow_product_f32(const tinyflow_product_f32_params *params, const float *left,
                          const float *right, float *output)
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
