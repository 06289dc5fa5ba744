/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/arg_min_max.h. */
#include "tinyflow_unquantised.h"

/* The sign turns the order round, so that a minimum is a maximum. */
static int32_t find(const float *element, size_t count, size_t inner, float sign)
{
    float best = *element * sign;
    int32_t found = 0;
    for (size_t i = 1; i < count; ++i) {
        element += inner;
        const float value = *element * sign;
        if (value > best) {
            best = value;
            found = (int32_t)i;
        }
    }
    return found;
}

void tinyflow_arg_extreme_f32(const float *input, int32_t *output, size_t outer, size_t count,
                              size_t inner, tinyflow_extreme extreme)
{
    for (size_t i = 0; i < outer; ++i) {
        for (size_t j = 0; j < inner; ++j) {
            *output++ = find(&input[i * count * inner + j], count, inner,
                             extreme == TINYFLOW_MINIMUM ? -1.0f : 1.0f);
        }
    }
}
