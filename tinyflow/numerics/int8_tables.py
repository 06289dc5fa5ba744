# SPDX-License-Identifier: Apache-2.0
"""Functions of one int8 value as tables of all 256, with TFLM's arithmetic.

Each takes the quantisation of input and output and gives int8 [256], indexed by the input's byte:
first 0 to 127, then -128 to -1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.quantization import (
    FixedPoint,
    Quantization,
    quantize_multiplier,
    round_half_away,
)
from tinyflow.numerics import fixed_point as fp

Table = NDArray[np.int8]

#: Integer bits of the fixed point that LOGISTIC and TANH take.
_INTEGER_BITS = 4


def _tabulate(function: Callable[[int], int]) -> Table:
    return np.array([function(byte - 256 if byte > 127 else byte) for byte in range(256)], np.int8)


def _ratio(source: Quantization, output: Quantization) -> FixedPoint:
    """Return the multiplier from one scale to another; the wheel divides in double precision,
    whatever C++ says.
    """
    return quantize_multiplier(source.scale / output.scale)


def logistic(source: Quantization, output: Quantization) -> Table:
    """1 / (1 + exp(-x)), for an output of scale 1/256 (`integer_ops/logistic.h`)."""
    return _saturating(
        source, lambda x: fp.rounding_shift_right(fp.logistic(x, _INTEGER_BITS), 23) - 128
    )


def tanh(source: Quantization, output: Quantization) -> Table:
    """tanh(x), for an output of scale 1/128 (`integer_ops/tanh.h`)."""
    return _saturating(source, lambda x: fp.rounding_shift_right(fp.tanh(x, _INTEGER_BITS), 24))


def _saturating(source: Quantization, function: Callable[[int], int]) -> Table:
    """A function of fixed point that is at its limits outside of [-15, 15]."""
    fraction, shift = math.frexp(source.scale * (1 << (31 - _INTEGER_BITS)))
    multiplier = int(fraction * (1 << 31))
    # As x86 shifts: the count modulo 64, into the sign.
    reach = ((1 << _INTEGER_BITS) - 1) << (31 - _INTEGER_BITS)
    radius = math.floor(reach / fp.wrap(1 << (shift % 64), 64))

    def evaluate(value: int) -> int:
        x = value - source.zero_point
        if x <= -radius:
            return -128
        if x >= radius:
            return 127
        return fp.clamp(function(fp.multiply(x, multiplier, shift)))

    return _tabulate(evaluate)


def hard_swish(source: Quantization, output: Quantization) -> Table:
    """x * min(max(x + 3, 0), 6) / 6 in 16 bits (`reference/hard_swish.h`)."""
    to_output, to_reluish = hard_swish_multipliers(source, output)
    output_multiplier = _sixteen_bits(to_output.multiplier)
    reluish_multiplier = _sixteen_bits(to_reluish.multiplier)

    def evaluate(value: int) -> int:
        fine = (value - source.zero_point) << 7
        # x with the output's scale, not yet shifted to it
        scaled = fp.doubling_high_multiply(fine, output_multiplier, 16)
        # x / 3 in 15 fractional bits, saturated
        reluish = fine
        if to_reluish.shift > 0:
            reluish = fp.clamp(reluish << (to_reluish.shift - 1), -(1 << 15), (1 << 15) - 1)
        reluish = fp.doubling_high_multiply(reluish, reluish_multiplier, 16)
        if to_reluish.shift > 0:
            reluish = fp.clamp(reluish << 1, -(1 << 15), (1 << 15) - 1)
        if to_reluish.shift < 0:
            reluish = fp.rounding_shift_right(reluish, -to_reluish.shift, 16)
        # (x + 3) / 6, then a product rounded towards zero
        product = ((reluish + (1 << 15)) >> 1) * scaled
        product = product >> 15 if product >= 0 else -(-product >> 15)
        shifted = fp.rounding_shift_right(product, -to_output.shift, 16)
        return fp.clamp(fp.wrap(shifted + output.zero_point, 16))

    return _tabulate(evaluate)


def hard_swish_multipliers(
    source: Quantization, output: Quantization
) -> tuple[FixedPoint, FixedPoint]:
    """Return multipliers from 1/128 of the input's scale to the output's, and to the scale in which
    3 is 2^15.
    """
    fine = source.scale / 128
    return quantize_multiplier(fine / output.scale), quantize_multiplier(fine * 32768 / 3)


def _sixteen_bits(multiplier: int) -> int:
    """A multiplier of 31 bits in 15, rounded (`DownScaleInt32ToInt16Multiplier`)."""
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1)


def requantize(source: Quantization, output: Quantization) -> Table:
    """x (`reference/requantize.h`)."""
    point = _ratio(source, output)

    def evaluate(value: int) -> int:
        scaled = fp.multiply(value - source.zero_point, point.multiplier, point.shift)
        return fp.clamp(fp.wrap(output.zero_point + scaled))

    return _tabulate(evaluate)


def relu(source: Quantization, output: Quantization) -> Table:
    """max(x, 0) (`ReluQuantized`)."""
    point = _ratio(source, output)

    def evaluate(value: int) -> int:
        scaled = fp.multiply(value - source.zero_point, point.multiplier, point.shift)
        return fp.clamp(fp.wrap(output.zero_point + scaled), output.zero_point)

    return _tabulate(evaluate)


def relu6(source: Quantization, output: Quantization) -> Table:
    """min(max(x, 0), 6), not requantised: the output's parameters do not matter.

    Source: `Relu6Prepare` and `Relu6Quantized`.
    """
    with np.errstate(over="ignore"):
        sixes = float(np.float32(6.0) / np.float32(source.scale))
    nearest = math.floor(sixes + 0.5) if math.isfinite(sixes) else sixes
    six = fp.clamp(fp.truncate(nearest + source.zero_point))
    return _tabulate(lambda value: six if value > six else max(value, source.zero_point))


def relu_n1_to_1(source: Quantization, output: Quantization) -> Table:
    """min(max(x, -1), 1); TFLM has no such kernel (`Relu1Eval` and `QuantizedReluX` of LiteRT).

    LiteRT's wheel divides the scales in single precision, unlike TFLM's.
    """
    point = quantize_multiplier(float(np.float32(source.scale) / np.float32(output.scale)))
    one = round_half_away(float(np.float32(1.0) / np.float32(output.scale)))
    low, high = max(-128, output.zero_point - one), min(127, output.zero_point + one)

    def evaluate(value: int) -> int:
        scaled = fp.multiply(value - source.zero_point, point.multiplier, point.shift)
        return min(max(fp.wrap(output.zero_point + scaled), low), high)

    return _tabulate(evaluate)


def leaky_relu(source: Quantization, output: Quantization, alpha: float) -> Table:
    """x, or alpha * x where x < 0 (`QuantizeLeakyRelu`)."""
    below = quantize_multiplier(abs(source.scale * alpha / output.scale))
    above = _ratio(source, output)

    def evaluate(value: int) -> int:
        x = value - source.zero_point
        if x >= 0:
            scaled = fp.multiply(x, above.multiplier, above.shift)
        else:
            scaled = fp.multiply(x, below.multiplier, below.shift)
            scaled = -scaled if alpha < 0 else scaled
        return fp.clamp(fp.wrap(output.zero_point + scaled))

    return _tabulate(evaluate)


def absolute(source: Quantization, output: Quantization) -> Table:
    """|x| (`AbsEvalQuantized`); nothing is scaled where the scales are equal."""
    point = _ratio(source, output)

    def evaluate(value: int) -> int:
        magnitude = abs(value - source.zero_point)
        if source.scale != output.scale:
            magnitude = fp.multiply(magnitude, point.multiplier, point.shift)
        return fp.clamp(fp.wrap(magnitude + output.zero_point))

    return _tabulate(evaluate)


#: Binary digits that RSQRT keeps of 1 / sqrt(x) beyond the point.
_RSQRT_SHIFT = 20


def rsqrt(source: Quantization, output: Quantization) -> Table:
    """1 / sqrt(x), the greatest value for 0 (`RsqrtEvalQuantized`)."""
    point = quantize_multiplier(1 / (math.sqrt(source.scale) * output.scale))

    def evaluate(value: int) -> int:
        x = value - source.zero_point
        if x <= 0:
            return 127
        multiplier, shift = fp.inverse_square_root(x)
        root = fp.multiply(1, multiplier, shift + _RSQRT_SHIFT)
        scaled = fp.multiply(root, point.multiplier, point.shift - _RSQRT_SHIFT)
        return fp.clamp(fp.wrap(scaled + output.zero_point))

    return _tabulate(evaluate)


def elu(source: Quantization, output: Quantization) -> Table:
    """x, or exp(x) - 1 where x < 0, in float32 (`PopulateLookupTable` of `elu.cc`)."""

    def evaluate(x: np.float32) -> np.float32:
        return x if x >= 0 else np.float32(math.exp(x)) - np.float32(1.0)

    return _populate(source, output, evaluate, saturates=False)


def exp(source: Quantization, output: Quantization) -> Table:
    """exp(x) in float32 (LiteRT's `exp.cc`; TFLM has no int8)."""

    def evaluate(x: np.float32) -> np.float32:
        # Above ln(2^1024) a double overflows, far above what float32 holds.
        return np.float32(math.exp(min(float(x), 700.0)))

    return _populate(source, output, evaluate)


def log(source: Quantization, output: Quantization) -> Table:
    """The natural logarithm in float32, the least value where x <= 0 (LiteRT's `LogPrepare`)."""
    least = np.float32(output.scale) * np.float32(-128 - output.zero_point)
    return _populate(source, output, lambda x: np.float32(math.log(x)) if x > 0 else least)


def neg() -> Table:
    """-x of zero points of 0; -128 stays (LiteRT's `neg.cc`; TFLM has no int8)."""
    return np.negative(np.arange(256).astype(np.uint8).view(np.int8))


def gelu(source: Quantization, output: Quantization, *, approximate: bool) -> Table:
    """x times the normal distribution, in float32 (LiteRT's `reference/gelu.h`).

    The approximate form is x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))).
    """
    half, one = np.float32(0.5), np.float32(1.0)
    factor, cubic = np.float32(math.sqrt(2 / math.pi)), np.float32(0.044715)
    minus_root = np.float32(-math.sqrt(0.5))

    def from_tanh(x: np.float32) -> np.float32:
        inner = factor * (x + cubic * x * x * x)
        return half * x * (one + np.float32(math.tanh(inner)))

    def from_erfc(x: np.float32) -> np.float32:
        return half * x * np.float32(math.erfc(x * minus_root))

    return _populate(source, output, from_tanh if approximate else from_erfc)


def _populate(
    source: Quantization,
    output: Quantization,
    function: Callable[[np.float32], np.float32],
    *,
    saturates: bool = True,
) -> Table:
    """A function in float32, dequantised before and quantised after (`LUTPopulate`).

    What lies beyond int32 differs: TFLM converts it as x86 does, LiteRT saturates.
    """
    inverse = np.float32(1.0) / np.float32(output.scale)

    @np.errstate(over="ignore", under="ignore", invalid="ignore")
    def evaluate(value: int) -> int:
        x = np.float32(source.scale) * np.float32(value - source.zero_point)
        steps = function(x) * inverse
        nearest = np.copysign(np.floor(np.abs(steps) + np.float64(0.5)), steps)
        offset = float(np.float32(nearest) + np.float32(output.zero_point))
        return fp.clamp(fp.truncate(min(max(offset, -128.0), 127.0) if saturates else offset))

    return _tabulate(evaluate)
