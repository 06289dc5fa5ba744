/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/window.cc. */
#include "tinyflow_signal.h"

static int16_t saturated(int32_t value)
{
    return (int16_t)(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
}

void tinyflow_signal_window_s16(const int16_t *input, const int16_t *window, size_t size,
                                int32_t shift, int16_t *output, size_t elements)
{
    for (size_t start = 0; start < elements; start += size) {
        for (size_t i = 0; i < size; ++i) {
            output[start + i] = saturated((input[start + i] * window[i]) >> shift);
        }
    }
}
