/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/micro/kernels/delay.cc; its circular buffer is a queue here. */
#include "tinyflow_signal.h"

void tinyflow_signal_delay_s16(const int16_t *input, int16_t *samples, int16_t *output, size_t rows,
                               size_t elements, size_t length)
{
    for (size_t row = 0; row < rows; ++row) {
        for (size_t i = 0; i < elements; ++i) {
            output[i] = i < length ? samples[i] : input[i - length];
        }
        for (size_t i = 0; i < length; ++i) {
            const size_t next = i + elements;
            samples[i] = next < length ? samples[next] : input[next - length];
        }
        input += elements;
        output += elements;
        samples += length;
    }
}
