/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/add.h, sub.h, mul.h, div.h, maximum_minimum.h, prelu.h and others. */
#include "tinyflow_unquantised.h"

typedef float (*function_f32)(float left, float right);

/* One loop nest, into which each function is compiled. */
static inline void apply(function_f32 function, const tinyflow_binary_f32_params *params,
                         const float *left, const float *right, float *output)
{
    const tinyflow_broadcast *loops = &params->loops;
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            const float a = left[at.left + i * loops->left[TINYFLOW_INNER]];
            const float b = right[at.right + i * loops->right[TINYFLOW_INNER]];
            *output++ = tinyflow_clamp_f32(function(a, b), &params->bounds);
        }
    } while (tinyflow_next(loops, &at));
}

static float sum(float left, float right)
{
    return left + right;
}

void tinyflow_add_f32(const tinyflow_binary_f32_params *params, const float *left,
                      const float *right, float *output)
{
    apply(sum, params, left, right, output);
}

static float difference(float left, float right)
{
    return left - right;
}

void tinyflow_sub_f32(const tinyflow_binary_f32_params *params, const float *left,
                      const float *right, float *output)
{
    apply(difference, params, left, right, output);
}

static float product(float left, float right)
{
    return left * right;
}

void tinyflow_mul_f32(const tinyflow_binary_f32_params *params, const float *left,
                      const float *right, float *output)
{
    apply(product, params, left, right, output);
}

static float quotient(float left, float right)
{
    return left / right;
}

void tinyflow_div_f32(const tinyflow_binary_f32_params *params, const float *left,
                      const float *right, float *output)
{
    apply(quotient, params, left, right, output);
}

static float squared_difference(float left, float right)
{
    return (left - right) * (left - right);
}

void tinyflow_squared_difference_f32(const tinyflow_binary_f32_params *params, const float *left,
                                     const float *right, float *output)
{
    apply(squared_difference, params, left, right, output);
}

static float maximum(float left, float right)
{
    return left > right ? left : right;
}

void tinyflow_maximum_f32(const tinyflow_binary_f32_params *params, const float *left,
                          const float *right, float *output)
{
    apply(maximum, params, left, right, output);
}

static float minimum(float left, float right)
{
    return left < right ? left : right;
}

void tinyflow_minimum_f32(const tinyflow_binary_f32_params *params, const float *left,
                          const float *right, float *output)
{
    apply(minimum, params, left, right, output);
}

static float prelu(float left, float right)
{
    return left >= 0.0f ? left : left * right;
}

void tinyflow_prelu_f32(const tinyflow_binary_f32_params *params, const float *input,
                        const float *alpha, float *output)
{
    apply(prelu, params, input, alpha, output);
}
