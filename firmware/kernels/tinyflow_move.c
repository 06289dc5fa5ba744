/* SPDX-License-Identifier: Apache-2.0 */
/* A copy between strides, as loops over the box. */
#include "tinyflow_movement.h"

#include <string.h>

static void copy_row(const tinyflow_move_params *params, const uint8_t *from, uint8_t *to)
{
    const int32_t count = params->extent[TINYFLOW_MOVEMENT_RANK - 1];
    const int32_t read = params->read[TINYFLOW_MOVEMENT_RANK - 1];
    const int32_t write = params->write[TINYFLOW_MOVEMENT_RANK - 1];

    if (params->run == 1) {
        for (int32_t i = 0; i < count; ++i) {
            to[i * write] = from[i * read];
        }
        return;
    }
    for (int32_t i = 0; i < count; ++i) {
        memcpy(&to[i * write], &from[i * read], (size_t)params->run);
    }
}

void tinyflow_move(const tinyflow_move_params *params, const void *input, void *output)
{
    const int32_t *extent = params->extent, *read = params->read, *write = params->write;
    const uint8_t *from = (const uint8_t *)input + params->read_start;
    uint8_t *to = (uint8_t *)output + params->write_start;

    for (int32_t a = 0; a < extent[0]; ++a) {
        for (int32_t b = 0; b < extent[1]; ++b) {
            for (int32_t c = 0; c < extent[2]; ++c) {
                for (int32_t d = 0; d < extent[3]; ++d) {
                    copy_row(params, from + a * read[0] + b * read[1] + c * read[2] + d * read[3],
                             to + a * write[0] + b * write[1] + c * write[2] + d * write[3]);
                }
            }
        }
    }
}
