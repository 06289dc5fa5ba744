/* Reference: TFLM, reference/arg_min_max.h. */
#include "tf_windows.h"

/* The complement turns the order round, so that a minimum is a maximum of complements. */
void tf_arg_extreme_s8(const int8_t *input, int32_t *output, size_t outer, size_t count,
                       size_t inner, tf_extreme extreme)
{
    for (size_t i = 0; i < outer; ++i) {
        for (size_t j = 0; j < inner; ++j) {
            const int8_t *element = &input[i * count * inner + j];
            int32_t best = *element ^ extreme;
            size_t found = 0;
            for (size_t k = 1; k < count; ++k) {
                element += inner;
                const int32_t value = *element ^ extreme;
                if (value > best) {
                    best = value;
                    found = k;
                }
            }
            *output++ = (int32_t)found;
        }
    }
}
