# SPDX-License-Identifier: Apache-2.0
"""Multipliers of the operators, from the scales, as TFLM's prepare functions compute them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tinyflow.errors import UnsupportedError
from tinyflow.ir.graph import Tensor
from tinyflow.ir.operators import Operator
from tinyflow.ir.quantization import FixedPoint, quantize_multiplier


def accumulator_multipliers(
    source: Tensor, weights: Tensor, output: Tensor, channels: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Multiplier and shift per output channel, int32 of shape (channels,).

    The product of scales is formed in double precision
    (`PopulateConvolutionQuantizationParams` of `kernel_util.cc`).
    """
    scales = weights.q.scales if len(weights.q.scales) > 1 else weights.q.scales * channels
    points = [quantize_multiplier(source.q.scale * scale / output.q.scale) for scale in scales]
    return (
        np.array([point.multiplier for point in points], np.int32),
        np.array([point.shift for point in points], np.int32),
    )


def rescale(source: Tensor, output: Tensor) -> FixedPoint:
    """The multiplier from one tensor's scale to another's."""
    return quantize_multiplier(source.q.scale / output.q.scale)


ADD_LEFT_SHIFT = 20
ADD_LEFT_SHIFT_INT16 = 15


def add_multipliers(
    operator: Operator,
    left: Tensor,
    right: Tensor,
    output: Tensor,
    left_shift: int = ADD_LEFT_SHIFT,
) -> tuple[FixedPoint, FixedPoint, FixedPoint]:
    """Multipliers of both operands and of the sum or difference (`add_common.cc` of TFLM).

    All in double precision, as the `tflite-micro` wheel has it for SUB too.
    """
    twice_max = 2.0 * max(left.q.scale, right.q.scale)
    return (
        fraction(operator, left.q.scale / twice_max),
        fraction(operator, right.q.scale / twice_max),
        fraction(operator, twice_max / ((1 << left_shift) * output.q.scale)),
    )


def fraction(operator: Operator, real: float) -> FixedPoint:
    """A multiplier between 0 and 1 (`QuantizeMultiplierSmallerThanOneExp`).

    Raises:
        UnsupportedError: it is not, and the reference ends the program.
    """
    if 0.0 < real < 1.0:
        point = quantize_multiplier(real)
        if point.shift <= 0:
            return point
    raise UnsupportedError(
        f"{operator.kind} layer {operator.name!r}: the scales give the multiplier {real}, "
        "which is not between 0 and 1"
    )


def output_multiplier(operator: Operator, real: float) -> FixedPoint:
    """A multiplier of any size that the reference can shift by.

    Raises:
        UnsupportedError: it is 2**30 or more.
    """
    point = quantize_multiplier(real)
    if point.shift > 30:
        raise UnsupportedError(
            f"{operator.kind} layer {operator.name!r}: the scales give the multiplier {real}, "
            "at most 2**30"
        )
    return point


def mean_multiplier(source: Tensor, output: Tensor, count: int) -> FixedPoint:
    """The multiplier of a sum of `count` elements (`QuantizedMeanOrSum` of `reduce.h`)."""
    point = rescale(source, output)
    shift = min(count.bit_length() - 1, 32, 31 + point.shift)
    return FixedPoint((point.multiplier << shift) // count, point.shift - shift)


SOFTMAX_INTEGER_BITS = 5


def softmax_parameters(operator: Operator, source: Tensor, beta: float) -> tuple[FixedPoint, int]:
    """Multiplier of the input differences, and the least difference that counts.

    Source: `PreprocessSoftmaxScaling` and `CalculateInputRadius` of `quantization_util.cc`.

    Raises:
        UnsupportedError: the input's scale is too small for the reference's fixed point.
    """
    real = min(beta * source.q.scale * (1 << (31 - SOFTMAX_INTEGER_BITS)), float((1 << 31) - 1))
    if real <= 1.0:
        raise UnsupportedError(
            f"{operator.kind} layer {operator.name!r}: beta times the input's scale is {real}, "
            "too small"
        )
    point = quantize_multiplier(real)
    radius = ((1 << SOFTMAX_INTEGER_BITS) - 1) * (1 << (31 - SOFTMAX_INTEGER_BITS))
    return point, -math.floor(radius / (1 << point.shift))
