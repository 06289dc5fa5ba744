/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, dynamic_update_slice.cc. */
#include "tinyflow_movement.h"

#include <string.h>

static void update_from(const tinyflow_update_slice_params *params, const void *input,
                        const void *update, const int32_t *start, void *output)
{
    const int32_t *shape = params->shape, *part = params->update;
    const size_t run = (size_t)part[4] * params->size;
    const uint8_t *from = update;
    uint8_t *to = output;

    if (output != input) {
        size_t bytes = params->size;
        for (int32_t n = 0; n < TINYFLOW_MOVEMENT_RANK; ++n) {
            bytes *= (size_t)shape[n];
        }
        memcpy(output, input, bytes);
    }
    for (int32_t a = 0; a < part[0]; ++a) {
        for (int32_t b = 0; b < part[1]; ++b) {
            for (int32_t c = 0; c < part[2]; ++c) {
                for (int32_t d = 0; d < part[3]; ++d) {
                    const int32_t plane = ((start[0] + a) * shape[1] + start[1] + b) * shape[2];
                    const int32_t row = (plane + start[2] + c) * shape[3] + start[3] + d;
                    memcpy(to + (size_t)(row * shape[4] + start[4]) * params->size, from, run);
                    from += run;
                }
            }
        }
    }
}

static int32_t within(const tinyflow_update_slice_params *params, int32_t dimension, int64_t start)
{
    const int32_t most = params->shape[dimension] - params->update[dimension];
    return start < 0 ? 0 : start > most ? most : (int32_t)start;
}

void tinyflow_update_slice(const tinyflow_update_slice_params *params, const void *input,
                           const void *update, const int32_t *starts, void *output)
{
    const int32_t first = TINYFLOW_MOVEMENT_RANK - params->rank;
    int32_t start[TINYFLOW_MOVEMENT_RANK] = {0};
    for (int32_t n = first; n < TINYFLOW_MOVEMENT_RANK; ++n) {
        start[n] = within(params, n, starts[n - first]);
    }
    update_from(params, input, update, start, output);
}

void tinyflow_update_slice_s64(const tinyflow_update_slice_params *params, const void *input,
                               const void *update, const int64_t *starts, void *output)
{
    const int32_t first = TINYFLOW_MOVEMENT_RANK - params->rank;
    int32_t start[TINYFLOW_MOVEMENT_RANK] = {0};
    for (int32_t n = first; n < TINYFLOW_MOVEMENT_RANK; ++n) {
        start[n] = within(params, n, starts[n - first]);
    }
    update_from(params, input, update, start, output);
}
