/*
 * Fixed-point arithmetic of the reference kernels: gemmlowp's two roundings.
 *
 * Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference", arXiv:1712.05877, appendix B; gemmlowp's fixedpoint.h.
 */
#ifndef TF_REQUANTIZE_H
#define TF_REQUANTIZE_H

#include <stdint.h>

/*
 * The high word of 2ab, rounded to nearest; saturates at 2^31 - 1. gemmlowp adds 2^30 to a positive
 * product and 1 - 2^30 to a negative one and divides towards zero; adding 2^30 and shifting down is
 * the same for both: a negative tie -(k + 1/2) gives -k either way.
 */
static inline int32_t tf_doubling_high_multiply(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* value / 2^exponent, rounded to nearest, halves away from zero; exponent is 0 to 31. */
static inline int32_t tf_rounding_shift_right(int32_t value, int32_t exponent)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t remainder = value & mask;
    const int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> exponent) + (remainder > threshold ? 1 : 0);
}

/* value * 2^exponent; wraps, as the reference does. */
static inline int32_t tf_shift_left(int32_t value, int32_t exponent)
{
    return (int32_t)((uint32_t)value << exponent);
}

/* value * multiplier * 2^(shift - 31); the multiplier is not negative, shift > 0 is to the left. */
static inline int32_t tf_requantize(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int64_t product = (int64_t)tf_shift_left(value, left) * multiplier;
    return tf_rounding_shift_right((int32_t)((product + (INT64_C(1) << 30)) >> 31), right);
}

static inline int32_t tf_clamp(int32_t value, int32_t minimum, int32_t maximum)
{
    return value < minimum ? minimum : value > maximum ? maximum : value;
}

#endif
