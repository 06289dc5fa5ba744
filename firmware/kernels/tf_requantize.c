/* Reference: TFLM, reference/requantize.h. */
#include "tf_requantize.h"
#include "tf_kernels.h"

static int32_t requantize(const tf_requantize_params *params, int32_t value)
{
    return tf_requantize(value - params->input_zero_point, params->multiplier, params->shift)
           + params->output_zero_point;
}

void tf_requantize_s8_s8(const tf_requantize_params *params, const int8_t *input, int8_t *output,
                         size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int8_t)tf_clamp(requantize(params, input[i]), INT8_MIN, INT8_MAX);
    }
}

void tf_requantize_s8_u8(const tf_requantize_params *params, const int8_t *input, uint8_t *output,
                         size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (uint8_t)tf_clamp(requantize(params, input[i]), 0, UINT8_MAX);
    }
}

void tf_requantize_u8_s8(const tf_requantize_params *params, const uint8_t *input, int8_t *output,
                         size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int8_t)tf_clamp(requantize(params, input[i]), INT8_MIN, INT8_MAX);
    }
}

void tf_requantize_s8_s16(const tf_requantize_params *params, const int8_t *input, int16_t *output,
                          size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int16_t)tf_clamp(requantize(params, input[i]), INT16_MIN, INT16_MAX);
    }
}

void tf_requantize_s16_s8(const tf_requantize_params *params, const int16_t *input, int8_t *output,
                          size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int8_t)tf_clamp(requantize(params, input[i]), INT8_MIN, INT8_MAX);
    }
}

void tf_requantize_s16_s16(const tf_requantize_params *params, const int16_t *input,
                           int16_t *output, size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        output[i] = (int16_t)tf_clamp(requantize(params, input[i]), INT16_MIN, INT16_MAX);
    }
}
