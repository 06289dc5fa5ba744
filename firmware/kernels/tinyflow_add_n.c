/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/add_n.h. */
#include "tinyflow_math.h"
#include "tinyflow_sums.h"

void tinyflow_add_n_s8(const tinyflow_summed *scaling, const int8_t *const *sources, size_t count,
                       int8_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        uint32_t sum = tinyflow_summand(scaling, 0);
        for (size_t n = 0; n < count; ++n) {
            sum += tinyflow_summand(scaling, sources[n][i]);
        }
        output[i] = tinyflow_scale_output((int32_t)sum, &scaling->output, INT8_MIN, INT8_MAX);
    }
}

void tinyflow_add_n_f32(const float *const *sources, size_t count, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        float sum = 0.0f;
        for (size_t n = 0; n < count; ++n) {
            sum += sources[n][i];
        }
        output[i] = sum;
    }
}
