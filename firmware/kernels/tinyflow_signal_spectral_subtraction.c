/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/filter_bank_spectral_subtraction.cc. */
#include "tinyflow_signal.h"

void tinyflow_signal_spectral_subtraction(const tinyflow_spectral_subtraction_params *params,
                                          const uint32_t *input, uint32_t *state, uint32_t *output,
                                          uint32_t *noise)
{
    for (size_t i = 0; i < params->channels; ++i) {
        const uint32_t signal = input[i] << params->smoothing_bits;
        const uint64_t smoothed = (uint64_t)signal * params->fresh[i & 1]
                                  + (uint64_t)state[i] * params->kept[i & 1];
        uint32_t estimate = (uint32_t)(smoothed >> params->bits);
        state[i] = estimate;
        if (estimate > signal) {
            estimate = signal;
            if (params->clamping) {
                state[i] = estimate;
            }
        }
        const uint32_t least = (uint32_t)(((uint64_t)input[i] * params->least) >> params->bits);
        const uint32_t rest = (signal - estimate) >> params->smoothing_bits;
        output[i] = rest > least ? rest : least;
        noise[i] = state[i];
    }
}
