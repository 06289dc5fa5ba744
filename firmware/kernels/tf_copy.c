#include "tf_state.h"

#include <string.h>

void tf_copy(const void *input, void *output, size_t size)
{
    memcpy(output, input, size);
}
