/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, circular_buffer.cc. */
#include "tinyflow_state.h"

#include <string.h>

void tinyflow_circular_buffer_s8(const int8_t *input, int8_t *slots, int8_t *output, size_t slot,
                                 size_t whole)
{
    memmove(slots, slots + slot, whole - slot);
    memcpy(slots + whole - slot, input, slot);
    memcpy(output, slots, whole);
}
