# SPDX-License-Identifier: Apache-2.0
"""Tables of functions of int16 values, which TFLM interpolates between, and their scaling.

A table's entry is moved off the function by half the error that linear interpolation would have
in the middle of the interval after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.quantization import FixedPoint, round_half_away

#: Intervals of LOGISTIC's and TANH's table, each of 1/24 of LOGISTIC's argument.
_SIGMOID_INTERVALS = 255
#: Intervals of SOFTMAX's tables, each of 128 steps of the argument.
_SOFTMAX_INTERVALS = 512
#: Multiples of 1/4096 to those of 1 / (3 * 4096), in which the sigmoid's table is read.
_SIGMOID_UNIT = 3.0 * 4096.0
_INPUT_INTEGER_BITS = 3

_Float = np.float32


def sigmoid_table() -> NDArray[np.uint16]:
    """1 / (1 + exp(-i / 24)) in 16 fractional bits, for i from 0 to 255; the last is the limit.

    Source: `sigmoid_table_uint16` of `common.h`.
    """

    def sigmoid(place: float) -> float:
        return 65536.0 / (1.0 + math.exp(-place / 24))

    def entry(place: int) -> int:
        here, between, there = (sigmoid(place + part) for part in (0.0, 0.5, 1.0))
        return round_half_away(here - ((here + there) / 2 - between) / 2)

    return np.array([*map(entry, range(_SIGMOID_INTERVALS)), 65535], np.uint16)


def sigmoid_scaling(scale: float, shifts_of_powers: tuple[int, ...]) -> FixedPoint:
    """The input's scale to 1 / (3 * 4096), by a 15-bit multiplier and a shift to the right.

    Source: `LogisticPrepare` and `TanhPrepare`. A scale of 2**-12 times a power of two of
    `shifts_of_powers` takes exactly three times that power.
    """
    power = _nearest_power(scale)
    if power is not None and (shift := power + 15 - _INPUT_INTEGER_BITS) in shifts_of_powers:
        return FixedPoint(3 << shift, 0)
    multiplier, shift = scale * _SIGMOID_UNIT, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier *= 2.0
        shift += 1
    return FixedPoint(int(multiplier), -shift)


def _nearest_power(scale: float) -> int | None:
    """The scale's logarithm to base two where it is nearly whole, in float32 (`CheckedLog2`)."""
    per_octave = _Float(1.0) / _Float(math.log(_Float(2.0)))
    logarithm = _Float(math.log(_Float(scale))) * per_octave
    whole = round_half_away(float(logarithm))
    return whole if abs(logarithm - _Float(whole)) < _Float(1e-3) else None


def exponential_table() -> NDArray[np.int16]:
    """exp(x) in 15 fractional bits, for x from -10 to 0 (`InitializeLutForInt16`)."""
    return _softmax_table(10.0, 32767, lambda x: _Float(math.exp(x)))


def reciprocal_table() -> NDArray[np.int16]:
    """1 / (1 + x) in 15 fractional bits, for x from 0 to 1 (`InitializeLutForInt16`)."""
    return _softmax_table(1.0, -32768, lambda x: _Float(1.0) / (_Float(1.0) + x))


def _softmax_table(
    reach: float, zero_point: int, function: Callable[[np.float32], np.float32]
) -> NDArray[np.int16]:
    """A function on a range of that length, int16 of shape (513,).

    Every step is in float32 (`LUTPopulateInt16` of `common.h`).
    """
    steps = 65535
    scale, output_scale = _Float(reach) / _Float(steps), _Float(2.0) / _Float(steps)
    first, last = (scale * _Float(limit - zero_point) for limit in (-32768, 32767))
    lowest, highest = (output_scale * _Float(limit) for limit in (-32768, 32767))
    unit = _Float(steps + 1) / (highest - lowest)
    step = (last - first) / _Float(_SOFTMAX_INTERVALS)
    half_step = step / _Float(2.0)

    def entry(index: int) -> np.float32:
        start = first + _Float(index) * step
        end = first + _Float(index + 1) * step
        sample = _round(function(start) * unit)
        interpolated = _round((function(end) * unit + sample) / _Float(2.0))
        middle = _round(function(start + half_step) * unit)
        return sample - _round((interpolated - middle) / _Float(2.0))

    entries = [*map(entry, range(_SOFTMAX_INTERVALS)), _round(function(last) * unit)]
    return np.clip(np.array(entries), -32768, 32767).astype(np.int16)


def _round(value: np.float32) -> np.float32:
    return _Float(round_half_away(float(value)))
