/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/micro/kernels/framer.cc; its circular buffer is a queue here. */
#include "tinyflow_signal.h"

#include <string.h>

/* Reads from a queue of samples and those behind it. */
static int16_t sample_at(const int16_t *queue, size_t count, const int16_t *more, size_t i)
{
    return i < count ? queue[i] : more[i - count];
}

void tinyflow_signal_framer_s16(const tinyflow_framer_params *params, const int16_t *input,
                                int16_t *samples, int32_t *count, int16_t *output, uint8_t *valid)
{
    const size_t size = params->size, step = params->step;
    size_t held = (size_t)*count;
    *valid = 1;
    for (size_t row = 0; row < params->rows; ++row) {
        int16_t *const queue = samples + row * params->kept;
        held = (size_t)*count;
        for (size_t frame = 0; frame < params->frames; ++frame) {
            if (held + step >= size) {
                for (size_t i = 0; i < size; ++i) {
                    output[i] = sample_at(queue, held, input, i);
                }
                for (size_t i = 0; i < held; ++i) {
                    queue[i] = sample_at(queue, held, input, i + step);
                }
            } else {
                memset(output, 0, size * sizeof *output);
                memcpy(queue + held, input, step * sizeof *input);
                held += step;
                *valid = 0;
            }
            input += step;
            output += size;
        }
    }
    *count = (int32_t)held;
}
