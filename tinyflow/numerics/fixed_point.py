# SPDX-License-Identifier: Apache-2.0
"""gemmlowp's fixed-point arithmetic on Python integers, as TFLM's reference kernels use it.

Qn is a 32-bit number with n integer bits and 31 - n fractional ones. What the reference leaves to
wrap around wraps here too.

Source: gemmlowp's `fixedpoint.h`; `common.h` and `common.cc` of TFLM's `kernels/internal`.
"""

from __future__ import annotations

import math

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
#: sqrt(1/2) as Q0.
_HALF_SQRT_2 = 1518500250
#: exp(-2^k) as Q0, for k = -2 to 4.
_EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def wrap(value: int, bits: int = 32) -> int:
    """The value modulo 2^bits, as a signed integer of that many bits."""
    half = 1 << (bits - 1)
    return (value + half) % (1 << bits) - half


def clamp(value: int, low: int = -128, high: int = 127) -> int:
    """The value within limits; those of int8 unless others are given."""
    return max(low, min(high, value))


def truncate(value: float) -> int:
    """A float cast to int32; what does not fit, NaN too, becomes the least, as on x86."""
    if not INT32_MIN <= value <= INT32_MAX:
        return INT32_MIN
    return math.trunc(value)


def doubling_high_multiply(a: int, b: int, bits: int = 32) -> int:
    """The high half of 2ab, rounded to nearest (`SaturatingRoundingDoublingHighMul`)."""
    half = 1 << (bits - 2)
    return min((a * b + half) >> (bits - 1), (1 << (bits - 1)) - 1)


def rounding_shift_right(value: int, exponent: int, bits: int = 32) -> int:
    """value / 2^exponent, halves away from zero (`RoundingDivideByPOT`).

    An exponent beyond the width makes the mask all ones, and the shift is taken modulo 32.
    """
    mask = wrap((1 << exponent) - 1, bits)
    threshold = (mask >> 1) + (value < 0)
    return wrap((value >> (exponent % 32)) + ((value & mask) > threshold), bits)


def saturating_shift_left(value: int, exponent: int) -> int:
    """value * 2^exponent, saturated (`SaturatingRoundingMultiplyByPOT`)."""
    return clamp(value << exponent, INT32_MIN, INT32_MAX)


def multiply(value: int, multiplier: int, shift: int) -> int:
    """value * multiplier * 2^(shift - 31), rounded twice (`MultiplyByQuantizedMultiplier`).

    A shift to the left is taken modulo 32.
    """
    shifted = wrap(value << (max(0, shift) % 32))
    return rounding_shift_right(doubling_high_multiply(shifted, multiplier), max(0, -shift))


def exp_of_negative(a: int, integer_bits: int) -> int:
    """exp(a) as Q0, for a <= 0 (`exp_on_negative_values`)."""
    if a == 0:
        return INT32_MAX
    quarter = 1 << (29 - integer_bits)
    small = (a & (quarter - 1)) - quarter
    result = _exp_of_small(small << integer_bits)
    for bit, power in enumerate(_EXP_OF_POWERS[: integer_bits + 2]):
        if (small - a) & (quarter << bit):
            result = doubling_high_multiply(result, power)
    return result


def _exp_of_small(a: int) -> int:
    """exp(a) for a in [-1/4, 0), Q0: a Taylor polynomial of fourth degree around -1/8."""
    exp_minus_eighth, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = doubling_high_multiply(x, x)
    x3 = doubling_high_multiply(x2, x)
    x4 = doubling_high_multiply(x2, x2)
    inner = doubling_high_multiply(rounding_shift_right(x4, 2) + x3, third) + x2
    tail = rounding_shift_right(inner, 1)
    return exp_minus_eighth + doubling_high_multiply(exp_minus_eighth, x + tail)


def _twice_reciprocal(a: int) -> int:
    """2 / (1 + a) as Q2, for a in [0, 1] as Q0: three steps of Newton and Raphson's division."""
    half_denominator = (a + INT32_MAX + 1) // 2
    x = 1515870810 + doubling_high_multiply(half_denominator, -1010580540)
    for _ in range(3):
        error = (1 << 29) - doubling_high_multiply(half_denominator, x)
        x = wrap(x + saturating_shift_left(doubling_high_multiply(x, error), 2))
    return x


def logistic(a: int, integer_bits: int) -> int:
    """1 / (1 + exp(-a)) as Q0 (`gemmlowp::logistic`)."""
    if a == 0:
        return 1 << 30
    # Twice the reciprocal in Q2 is the reciprocal in Q1.
    positive = saturating_shift_left(_twice_reciprocal(exp_of_negative(-abs(a), integer_bits)), 1)
    return positive if a > 0 else INT32_MAX - positive


def tanh(a: int, integer_bits: int) -> int:
    """tanh(a) as Q0 (`gemmlowp::tanh`)."""
    if a == 0:
        return 0
    # tanh(|a|) = (1 - e) / (1 + e) = 2 / (1 + e) - 1, with e = exp(-2|a|).
    e = exp_of_negative(-abs(a), integer_bits + 1)
    positive = saturating_shift_left(_twice_reciprocal(e) - (1 << 29), 2)
    return positive if a > 0 else -positive


def inverse_square_root(value: int) -> tuple[int, int]:
    """Multiplier and shift of 1 / sqrt(value), value > 0 (`GetInvSqrtQuantizedMultiplierExp`)."""
    if value <= 1:
        return INT32_MAX, 0
    shift = 11
    while value >= 1 << 29:
        value //= 4
        shift += 1
    pairs = (31 - value.bit_length()) // 2 - 1
    shift -= pairs
    value <<= 2 * pairs
    half_input = rounding_shift_right(value >> 1, 1)
    three_halves = (1 << 28) + (1 << 27)
    x = 1 << 28  # 1 as Q3; products of two are Q6, of three Q9
    for _ in range(5):
        cube = saturating_shift_left(doubling_high_multiply(doubling_high_multiply(x, x), x), 6)
        difference = doubling_high_multiply(three_halves, x) - doubling_high_multiply(
            half_input, cube
        )
        x = saturating_shift_left(difference, 3)
    x = doubling_high_multiply(x, _HALF_SQRT_2)
    if shift < 0:
        x = wrap(x << -shift)
        shift = 0
    return x, -shift
