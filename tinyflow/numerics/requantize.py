# SPDX-License-Identifier: Apache-2.0
"""TFLM's requantisation at build time: on whole arrays, and where it gives a constant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.quantization import FixedPoint
from tinyflow.numerics import fixed_point as fp

Ints = NDArray[np.int64]


def multiply_array(values: Ints, point: FixedPoint) -> Ints:
    """values * multiplier * 2^(shift - 31), rounded twice (`MultiplyByQuantizedMultiplier`).

    Values shifted to the left must stay within int32.
    """
    shifted = values << max(0, point.shift)
    exponent = max(0, -point.shift)
    product = (shifted * point.multiplier + (1 << 30)) >> 31
    mask = (1 << exponent) - 1
    return (product >> exponent) + ((product & mask) > (mask >> 1) + (product < 0))


def settle_constants(
    weights: Ints,
    bias: Ints,
    multiplier: NDArray[np.int32],
    shift: NDArray[np.int32],
    zero_point: int,
    limits: tuple[int, int],
) -> tuple[Ints, NDArray[np.int32], NDArray[np.int32]]:
    """Bias, multipliers and shifts that any kernel can take where an output has no weights.

    Such an output is a constant, but its scale may be of any size, and its bias too. A bias of
    eight times the constant and a scale of 1/8 give the same.

    Args:
        weights: (outputs, depth).
        bias: (outputs,).
        multiplier: (outputs,).
        shift: (outputs,), to the left.
        zero_point: of the output.
        limits: least and greatest output.
    """
    bias, multiplier, shift = bias.copy(), multiplier.copy(), shift.copy()
    for output in np.flatnonzero(~weights.any(axis=1)).tolist():
        scaled = fp.multiply(int(bias[output]), int(multiplier[output]), int(shift[output]))
        constant = fp.clamp(fp.wrap(scaled + zero_point), *limits) - zero_point
        bias[output], multiplier[output], shift[output] = 8 * constant, 1 << 30, -2
    return bias, multiplier, shift
