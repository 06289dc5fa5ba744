/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, cast.cc. */
#include "tinyflow_unquantised.h"

static int32_t integer_at(const void *input, tinyflow_cast_type type, size_t i)
{
    switch (type) {
    case TINYFLOW_CAST_BOOL:
        return ((const uint8_t *)input)[i] != 0;
    case TINYFLOW_CAST_S8:
        return ((const int8_t *)input)[i];
    case TINYFLOW_CAST_S16:
        return ((const int16_t *)input)[i];
    default:
        return ((const int32_t *)input)[i];
    }
}

/* Cut towards zero, within the bounds, which are powers of two; NaN gives 0. */
static int32_t truncated(float value, tinyflow_cast_type type)
{
    const int32_t greatest = type == TINYFLOW_CAST_S8 ? INT8_MAX
                             : type == TINYFLOW_CAST_S16 ? INT16_MAX
                                                   : INT32_MAX;
    const float limit = type == TINYFLOW_CAST_S8 ? 128.0f
                        : type == TINYFLOW_CAST_S16 ? 32768.0f
                                              : 2147483648.0f;
    if (!(value == value)) {
        return 0;
    }
    if (value >= limit) {
        return greatest;
    }
    return value <= -limit ? -greatest - 1 : (int32_t)value;
}

/* The same within the bounds of uint32. */
static uint32_t truncated_u32(float value)
{
    if (!(value > 0.0f)) {
        return 0;
    }
    return value >= 4294967296.0f ? UINT32_MAX : (uint32_t)value;
}

static void put_integer(void *output, tinyflow_cast_type type, size_t i, int32_t value)
{
    switch (type) {
    case TINYFLOW_CAST_S8:
        ((int8_t *)output)[i] = (int8_t)value;
        break;
    case TINYFLOW_CAST_S16:
        ((int16_t *)output)[i] = (int16_t)value;
        break;
    case TINYFLOW_CAST_S32:
    case TINYFLOW_CAST_U32:
        ((int32_t *)output)[i] = value;
        break;
    case TINYFLOW_CAST_F32:
        ((float *)output)[i] = (float)value;
        break;
    default:
        ((uint8_t *)output)[i] = value != 0;
        break;
    }
}

static void put_float(void *output, tinyflow_cast_type type, size_t i, float value)
{
    if (type == TINYFLOW_CAST_F32) {
        ((float *)output)[i] = value;
    } else if (type == TINYFLOW_CAST_BOOL) {
        ((uint8_t *)output)[i] = value != 0.0f;
    } else if (type == TINYFLOW_CAST_U32) {
        ((uint32_t *)output)[i] = truncated_u32(value);
    } else {
        put_integer(output, type, i, truncated(value, type));
    }
}

void tinyflow_cast(const void *input, tinyflow_cast_type from, void *output, tinyflow_cast_type to,
                   size_t elements)
{
    for (size_t i = 0; i < elements; ++i) {
        if (from == TINYFLOW_CAST_F32) {
            put_float(output, to, i, ((const float *)input)[i]);
        } else if (from == TINYFLOW_CAST_U32 && to == TINYFLOW_CAST_F32) {
            ((float *)output)[i] = (float)((const uint32_t *)input)[i];
        } else {
            put_integer(output, to, i, integer_at(input, from, i));
        }
    }
}
