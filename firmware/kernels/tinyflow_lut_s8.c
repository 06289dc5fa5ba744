/* SPDX-License-Identifier: Apache-2.0 */
/* A function of each element, as a table that the build has computed. */
#include "tinyflow_tables.h"

void tinyflow_lut_s8(const int8_t table[256], const int8_t *input, int8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = table[(uint8_t)input[i]];
    }
}
