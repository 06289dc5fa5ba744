/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/energy.cc. */
#include "tinyflow_signal.h"

void tinyflow_signal_energy_s16(const int16_t *input, uint32_t *output, size_t elements,
                                size_t start, size_t stop)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = 0;
    }
    for (size_t i = start; i < stop; ++i) {
        const int32_t real = input[2 * i], imaginary = input[2 * i + 1];
        output[i] = (uint32_t)(real * real) + (uint32_t)(imaginary * imaginary);
    }
}
