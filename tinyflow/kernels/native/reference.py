"""TFLM's requantisation on whole arrays, to compare cheaper arithmetic with at build time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.quantization import FixedPoint

Ints = NDArray[np.int64]


def multiply(values: Ints, point: FixedPoint) -> Ints:
    """values * multiplier * 2^(shift - 31), rounded twice (`MultiplyByQuantizedMultiplier`).

    Values shifted to the left must stay within int32.
    """
    shifted = values << max(0, point.shift)
    exponent = max(0, -point.shift)
    product = (shifted * point.multiplier + (1 << 30)) >> 31
    mask = (1 << exponent) - 1
    return (product >> exponent) + ((product & mask) > (mask >> 1) + (product < 0))
