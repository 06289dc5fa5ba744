/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, gather_nd.cc, GatherNd, whose sums of steps wrap. */
#include "tinyflow_movement.h"

#include <string.h>

int tinyflow_gather_nd(const tinyflow_gather_nd_params *params, const int32_t *indices,
                       const void *input, void *output)
{
    const uint8_t *from = input;
    uint8_t *to = output;
    const size_t bytes = (size_t)params->run * params->size;

    for (size_t slice = 0; slice < params->slices; ++slice) {
        uint32_t sum = 0;
        for (int32_t n = 0; n < params->depth; ++n) {
            sum += (uint32_t)*indices++ * (uint32_t)params->step[n];
        }
        const int32_t place = (int32_t)sum;
        if (place < 0 || place > params->total - params->run) {
            return TINYFLOW_INDEX_ERROR;
        }
        memcpy(to, from + (size_t)place * params->size, bytes);
        to += bytes;
    }
    return 0;
}
