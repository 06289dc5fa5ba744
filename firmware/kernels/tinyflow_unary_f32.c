/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, elementwise.cc, activations.cc, leaky_relu.cc, reference/hard_swish.h and others. */
#include "tinyflow_unquantised.h"

void tinyflow_abs_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = fabsf(input[i]);
    }
}

void tinyflow_ceil_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = ceilf(input[i]);
    }
}

void tinyflow_floor_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = floorf(input[i]);
    }
}

void tinyflow_hard_swish_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        const float shifted = input[i] + 3.0f;
        const float raised = 0.0f < shifted ? shifted : 0.0f;
        output[i] = input[i] * (raised < 6.0f ? raised : 6.0f) / 6.0f;
    }
}

void tinyflow_neg_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = -input[i];
    }
}

void tinyflow_relu_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = input[i] < 0.0f ? 0.0f : input[i];
    }
}

void tinyflow_relu6_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = input[i] > 6.0f ? 6.0f : input[i] < 0.0f ? 0.0f : input[i];
    }
}

/* Halves to even; what rounds to 0 gives +0. */
static float rounded(float x)
{
    const float below = floorf(x), rest = x - below;
    const bool stays = rest < 0.5f || (rest == 0.5f && floorf(below / 2.0f) * 2.0f == below);
    return stays ? below : below + 1.0f;
}

void tinyflow_round_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = rounded(input[i]);
    }
}

void tinyflow_rsqrt_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = 1.0f / sqrtf(input[i]);
    }
}

void tinyflow_sqrt_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = sqrtf(input[i]);
    }
}

void tinyflow_square_f32(const float *input, float *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = input[i] * input[i];
    }
}

void tinyflow_leaky_relu_f32(const float *input, float *output, size_t elements, float alpha)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = input[i] > 0.0f ? input[i] : input[i] * alpha;
    }
}
