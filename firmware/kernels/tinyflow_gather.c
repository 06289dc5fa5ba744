/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, gather.cc, Gather. */
#include "tinyflow_movement.h"

#include <string.h>

int tinyflow_gather(const tinyflow_gather_params *params, const int32_t *indices, const void *input,
                    void *output)
{
    const uint8_t *from = input;
    uint8_t *to = output;

    for (size_t batch = 0; batch < params->batches; ++batch) {
        for (size_t outer = 0; outer < params->outer; ++outer) {
            for (size_t i = 0; i < params->count; ++i) {
                if (indices[i] < 0 || (size_t)indices[i] >= params->extent) {
                    return TINYFLOW_INDEX_ERROR;
                }
                memcpy(to, from + (size_t)indices[i] * params->run, params->run);
                to += params->run;
            }
            from += params->extent * params->run;
        }
        indices += params->count;
    }
    return 0;
}
