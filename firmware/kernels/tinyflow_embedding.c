/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, embedding_lookup.cc; GATHER along the first dimension is the same. */
#include "tinyflow_unquantised.h"

int tinyflow_embedding(const void *table, int32_t rows, size_t row_bytes, const int32_t *indices,
                       size_t count, void *output)
{
    uint8_t *to = output;
    for (size_t i = 0; i < count; ++i, to += row_bytes) {
        if (indices[i] < 0 || indices[i] >= rows) {
            return 1;
        }
        memcpy(to, (const uint8_t *)table + (size_t)indices[i] * row_bytes, row_bytes);
    }
    return 0;
}

int tinyflow_embedding_s8_f32(const int8_t *table, int32_t rows, size_t columns, float scale,
                              const int32_t *indices, size_t count, float *output)
{
    for (size_t i = 0; i < count; ++i) {
        if (indices[i] < 0 || indices[i] >= rows) {
            return 1;
        }
        for (size_t column = 0; column < columns; ++column) {
            *output++ = scale * (float)table[(size_t)indices[i] * columns + column];
        }
    }
    return 0;
}
