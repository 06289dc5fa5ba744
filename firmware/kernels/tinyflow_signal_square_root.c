/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, signal/src/filter_bank_square_root.cc, square_root_32.cc and square_root_64.cc. */
#include "tinyflow_signal.h"

/* Rounded to nearest, but never up to 2^16: numbers of 32 bits have roots of 16. */
static uint32_t root_of_32_bits(uint32_t number)
{
    uint32_t root = 0;
    for (uint32_t bit = (uint32_t)1 << 30; bit != 0; bit >>= 2) {
        if (number >= root + bit) {
            number -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return number > root && root != UINT16_MAX ? root + 1 : root;
}

static uint32_t root_of(uint64_t number)
{
    if (number <= UINT32_MAX) {
        return root_of_32_bits((uint32_t)number);
    }
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit != 0; bit >>= 2) {
        if (number >= root + bit) {
            number -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint32_t)(number > root && root != UINT32_MAX ? root + 1 : root);
}

void tinyflow_signal_square_root(const uint64_t *input, const int32_t *bits, uint32_t *output,
                                 size_t elements)
{
    const uint32_t shift = (uint32_t)*bits & 31u;
    for (size_t i = 0; i < elements; ++i) {
        output[i] = root_of(input[i]) >> shift;
    }
}
