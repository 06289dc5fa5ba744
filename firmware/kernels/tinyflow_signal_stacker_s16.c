/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/micro/kernels/stacker.cc; its circular buffer is a queue here. */
#include "tinyflow_signal.h"

#include <string.h>

void tinyflow_signal_stacker_s16(const tinyflow_stacker_params *params, const int16_t *input,
                                 int16_t *frames, int32_t *count, int16_t *last, int16_t *output,
                                 uint8_t *valid)
{
    const size_t channels = params->channels, stacked = params->stacked;
    const size_t copies = count[1] ? 1 : 1 + params->left;
    size_t held = (size_t)count[0];
    for (size_t i = 0; i < copies; ++i, held += channels) {
        memcpy(frames + held, input, channels * sizeof *input);
    }
    *valid = held >= stacked;
    if (*valid) {
        const size_t done = channels * params->step;
        memcpy(output, frames, stacked * sizeof *frames);
        held -= done;
        memmove(frames, frames + done, held * sizeof *frames);
        if (last != NULL) {
            memcpy(last, output, stacked * sizeof *last);
        }
    } else if (last != NULL) {
        memcpy(output, last, stacked * sizeof *last);
    } else {
        memset(output, 0, stacked * sizeof *output);
    }
    count[0] = (int32_t)held;
    count[1] = 1;
}
