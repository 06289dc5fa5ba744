/* SPDX-License-Identifier: Apache-2.0 */
#include "tinyflow_movement.h"

#include <string.h>

void tinyflow_fill(const void *value, size_t size, void *output, size_t count)
{
    uint8_t *to = output;
    for (size_t i = 0; i < count; ++i) {
        memcpy(to, value, size);
        to += size;
    }
}
