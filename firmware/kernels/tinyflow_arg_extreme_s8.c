/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/arg_min_max.h. */
#include "tinyflow_windows.h"

void tinyflow_arg_extreme_s8(const int8_t *input, int32_t *output, size_t outer, size_t count,
                             size_t inner, tinyflow_extreme extreme)
{
    for (size_t i = 0; i < outer; ++i) {
        for (size_t j = 0; j < inner; ++j) {
            const int8_t *first = &input[i * count * inner + j];
            *output++ = (int32_t)tinyflow_find_extreme_s8(first, count, inner, extreme);
        }
    }
}
