/* SPDX-License-Identifier: Apache-2.0 */
/* tanh(x) from expm1, by the method of Sun's fdlibm, in float as glibc (to 2.40) and newlib. */
#include "tinyflow_math.h"

float tinyflow_tanhf(float x)
{
    const uint32_t magnitude = tinyflow_bits_of(x) & 0x7fffffff;
    const float size = tinyflow_float_of(magnitude);
    float result = 1.0f;

    if (magnitude > 0x7f800000) {
        return x + x;
    }
    if (magnitude < 0x24000000) { /* below 2^-55 */
        return x;
    }
    if (magnitude < 0x3f800000) {
        const float t = tinyflow_expm1f(-2.0f * size);
        result = -t / (t + 2.0f);
    } else if (magnitude < 0x41b00000) { /* below 22 */
        const float t = tinyflow_expm1f(2.0f * size);
        result = 1.0f - 2.0f / (t + 2.0f);
    }
    return tinyflow_bits_of(x) >> 31 ? -result : result;
}
