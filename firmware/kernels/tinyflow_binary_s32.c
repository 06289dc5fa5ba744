/* SPDX-License-Identifier: Apache-2.0 */
/* Reference: TFLM, reference/add.h, sub.h, mul.h, div.h, maximum_minimum.h. */
#include "tinyflow_unquantised.h"

typedef int32_t (*function_s32)(int32_t left, int32_t right);

/* One loop nest, into which each function is compiled. */
static inline void apply(function_s32 function, const tinyflow_broadcast *loops,
                         const int32_t *left, const int32_t *right, int32_t *output)
{
    tinyflow_position at = {0};
    do {
        for (size_t i = 0; i < loops->extent[TINYFLOW_INNER]; ++i) {
            *output++ = function(left[at.left + i * loops->left[TINYFLOW_INNER]],
                                 right[at.right + i * loops->right[TINYFLOW_INNER]]);
        }
    } while (tinyflow_next(loops, &at));
}

static int32_t sum(int32_t left, int32_t right)
{
    return (int32_t)((uint32_t)left + (uint32_t)right);
}

void tinyflow_add_s32(const tinyflow_broadcast *loops, const int32_t *left, const int32_t *right,
                      int32_t *output)
{
    apply(sum, loops, left, right, output);
}

static int32_t difference(int32_t left, int32_t right)
{
    return (int32_t)((uint32_t)left - (uint32_t)right);
}

void tinyflow_sub_s32(const tinyflow_broadcast *loops, const int32_t *left, const int32_t *right,
                      int32_t *output)
{
    apply(difference, loops, left, right, output);
}

static int32_t product(int32_t left, int32_t right)
{
    return (int32_t)((uint32_t)left * (uint32_t)right);
}

void tinyflow_mul_s32(const tinyflow_broadcast *loops, const int32_t *left, const int32_t *right,
                      int32_t *output)
{
    apply(product, loops, left, right, output);
}

/* Cut towards zero; the divisor is not 0. The one quotient that overflows wraps. */
static int32_t quotient(int32_t left, int32_t right)
{
    return right == -1 ? difference(0, left) : left / right;
}

void tinyflow_div_s32(const tinyflow_broadcast *loops, const int32_t *left, const int32_t *right,
                      int32_t *output)
{
    apply(quotient, loops, left, right, output);
}

static int32_t squared_difference(int32_t left, int32_t right)
{
    const uint32_t difference = (uint32_t)left - (uint32_t)right;
    return (int32_t)(difference * difference);
}

void tinyflow_squared_difference_s32(const tinyflow_broadcast *loops, const int32_t *left,
                                     const int32_t *right, int32_t *output)
{
    apply(squared_difference, loops, left, right, output);
}

static int32_t maximum(int32_t left, int32_t right)
{
    return left > right ? left : right;
}

void tinyflow_maximum_s32(const tinyflow_broadcast *loops, const int32_t *left,
                          const int32_t *right, int32_t *output)
{
    apply(maximum, loops, left, right, output);
}

static int32_t minimum(int32_t left, int32_t right)
{
    return left < right ? left : right;
}

void tinyflow_minimum_s32(const tinyflow_broadcast *loops, const int32_t *left,
                          const int32_t *right, int32_t *output)
{
    apply(minimum, loops, left, right, output);
}
