/* SPDX-License-Identifier: Apache-2.0 */
#include "tinyflow_state.h"

#include <string.h>

void tinyflow_copy(const void *input, void *output, size_t size)
{
    memcpy(output, input, size);
}
