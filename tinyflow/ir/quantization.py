# SPDX-License-Identifier: Apache-2.0
"""Quantisation parameters, and the fixed-point arithmetic of TFLite's reference kernels.

The functions follow `tensorflow/lite/kernels/internal/quantization_util.cc` and
`kernel_util.cc` to the bit: a multiplier is computed in double precision from float32 scales.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyflow.ir.types import Activation


class PerAxisError(ValueError):
    """One scale or zero point is asked of a tensor that is quantised per axis."""


@dataclass(frozen=True)
class Quantization:
    """real = scale * (quantised - zero_point), per tensor or along `axis`.

    Attributes:
        scales: one float32 value per tensor, or one per index of `axis`.
        zero_points: as many as scales.
        axis: the quantised dimension, None if the parameters are per tensor.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None

    @property
    def scale(self) -> float:
        """The scale of a tensor quantised per tensor.

        Raises:
            PerAxisError: there are several.
        """
        self._check_per_tensor()
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor quantised per tensor.

        Raises:
            PerAxisError: there are several.
        """
        self._check_per_tensor()
        return self.zero_points[0]

    def _check_per_tensor(self) -> None:
        if len(self.scales) != 1 or len(self.zero_points) != 1:
            raise PerAxisError(f"{len(self.scales)} scales along axis {self.axis}")


@dataclass(frozen=True)
class FixedPoint:
    """A positive real number as `multiplier * 2**(shift - 31)`; shift > 0 is to the left."""

    multiplier: int
    shift: int


def quantize_multiplier(real: float) -> FixedPoint:
    """A real multiplier as a 31-bit mantissa and a power of two (`QuantizeMultiplier`).

    Numbers below 2**-32 flush to zero, as the reference does.
    """
    if real == 0.0:
        return FixedPoint(0, 0)
    fraction, shift = math.frexp(real)
    mantissa = math.floor(fraction * (1 << 31) + 0.5)
    if mantissa == 1 << 31:
        mantissa //= 2
        shift += 1
    if shift < -31:
        return FixedPoint(0, 0)
    return FixedPoint(mantissa, shift)


def round_half_away(value: float) -> int:
    """C's `round`: halves go away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def activation_range(
    activation: Activation, quantization: Quantization, low: int = -128, high: int = 127
) -> tuple[int, int]:
    """The clamp a fused activation means on a quantised output.

    Source: `CalculateActivationRangeQuantized`; the division is in float32, as there.
    """

    def quantize(real: float) -> int:
        step = np.float32(real) / np.float32(quantization.scale)
        return quantization.zero_point + round_half_away(float(step))

    match activation:
        case Activation.NONE:
            return low, high
        case Activation.RELU:
            return max(low, quantize(0.0)), high
        case Activation.RELU6:
            return max(low, quantize(0.0)), min(high, quantize(6.0))
        case Activation.RELU_N1_TO_1:
            return max(low, quantize(-1.0)), min(high, quantize(1.0))


def int16_range(activation: Activation, quantization: Quantization) -> tuple[int, int]:
    """The clamp of a fused activation on an int16 output."""
    return activation_range(activation, quantization, -(1 << 15), (1 << 15) - 1)
