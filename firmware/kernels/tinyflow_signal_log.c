/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/filter_bank_log.cc and log.cc. */
#include "tinyflow_signal.h"

#define SCALE_BITS 16
#define SEGMENT_BITS 9 /* of the scale's bits those behind the number of a segment */
/* log(2) times 2^16 */
#define LOG_2 45426u
#define HALF (1u << (SCALE_BITS - 1))

/* log2 of a number above 0 times 2^16, of straight lines between the segments' ends. */
static uint32_t log2_of(uint32_t number, const uint16_t *segments)
{
    uint32_t power = 31;
    while (number >> power == 0) {
        --power;
    }
    const uint32_t rest = number - ((uint32_t)1 << power);
    const uint32_t fraction =
        power < SCALE_BITS ? rest << (SCALE_BITS - power) : rest >> (power - SCALE_BITS);
    const uint32_t segment = fraction >> SEGMENT_BITS;
    const int32_t rise = segments[segment + 1] - segments[segment];
    const int32_t within = (int32_t)(fraction - (segment << SEGMENT_BITS));
    const int32_t correction = segments[segment] + ((rise * within) >> SCALE_BITS);
    return (power << SCALE_BITS) + fraction + (uint32_t)correction;
}

void tinyflow_signal_log(const uint32_t *input, const uint16_t *segments, uint32_t scale,
                         uint32_t correction_bits, int16_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        const uint32_t number = input[i] << correction_bits;
        uint32_t result = 0;
        if (number > 1) {
            const uint64_t product = (uint64_t)LOG_2 * log2_of(number, segments);
            const uint32_t natural = (uint32_t)((product + HALF) >> SCALE_BITS);
            result = (scale * natural + HALF) >> SCALE_BITS;
        }
        output[i] = (int16_t)(result < INT16_MAX ? result : INT16_MAX);
    }
}
