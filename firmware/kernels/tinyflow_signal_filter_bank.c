/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/filter_bank.cc. Sums wrap at 64 bits, as they do there. */
#include "tinyflow_signal.h"

static uint64_t weighted(int16_t weight, uint32_t energy)
{
    return (uint64_t)(int64_t)weight * energy;
}

void tinyflow_signal_filter_bank(const tinyflow_filter_bank_params *params, const uint32_t *input,
                                 uint64_t *output)
{
    uint64_t sum = 0;
    for (size_t channel = 0; channel <= params->channels; ++channel) {
        uint64_t next = 0;
        for (int32_t i = 0; i < params->widths[channel]; ++i) {
            const uint32_t energy = input[params->frequencies[channel] + i];
            const int32_t at = params->starts[channel] + i;
            sum += weighted(params->weights[at], energy);
            next += weighted(params->unweights[at], energy);
        }
        if (channel > 0) {
            output[channel - 1] = sum;
        }
        sum = next;
    }
}
