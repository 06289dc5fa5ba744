/* SPDX-License-Identifier: Apache-2.0 */
/* A copy whose reads are scattered: one table of offsets per dimension. */
#include "tinyflow_movement.h"

#include <string.h>

void tinyflow_take(const tinyflow_take_params *params, const int32_t *offsets, const void *input,
                   void *output)
{
    const int32_t *extent = params->extent;
    const int32_t *table_a = offsets, *table_b = table_a + extent[0];
    const int32_t *table_c = table_b + extent[1], *table_d = table_c + extent[2];
    const int32_t *table_e = table_d + extent[3];
    const uint8_t *from = input;
    uint8_t *to = output;

    for (int32_t a = 0; a < extent[0]; ++a) {
        for (int32_t b = 0; b < extent[1]; ++b) {
            for (int32_t c = 0; c < extent[2]; ++c) {
                for (int32_t d = 0; d < extent[3]; ++d) {
                    const uint8_t *row = from + table_a[a] + table_b[b] + table_c[c] + table_d[d];
                    for (int32_t e = 0; e < extent[4]; ++e) {
                        memcpy(to, row + table_e[e], (size_t)params->run);
                        to += params->run;
                    }
                }
            }
        }
    }
}
