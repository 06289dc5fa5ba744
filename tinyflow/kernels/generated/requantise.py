# SPDX-License-Identifier: Apache-2.0
"""Requantisation in two multiplications: the constants, and which form a layer needs.

TFLite's reference scales an accumulator by `multiplier * 2**(shift - 31)` with two roundings:
`SaturatingRoundingDoublingHighMul`, then `RoundingDivideByPOT` (half away from zero). For shifts of
-31 to -2, which is every scale below 1/4, both are one SMMLAR each, for any accumulator `acc`:

    y = SMMLAR(acc, 2 * multiplier - 2**32, acc)    the doubling high product: the multiplier is in
                                                    [2**30, 2**31), so that twice it is negative as
                                                    an int32, and acc as addend makes up for 2**32
    y = y + (y >> 31)                               halves of negative numbers go down
    t = SMMLAR(y, 2**(32 + shift), zero_point)      the rounding shift, and the zero point

The step between is not needed where the output is clamped below at its zero point: it changes
negative results only. `tests/unit/test_requantise.py` proves it over all rounding cases.
A multiplier of 0, which the reference makes of scales below 2**-32, has 0 for both constants.

SMMLAR(a, b, c) is `(c * 2**32 + a * b + 2**31) >> 32`: Armv7-M Architecture Reference Manual
(Arm DDI 0403E), A7.7.153.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Requantisation:
    """Requantisation of a layer's accumulators to its outputs.

    Attributes:
        words: uint32 (channels, 2): the constants of both multiplications, as the code reads them.
        zero_point: of the output.
        low: the fused clamp.
        high: the fused clamp.
    """

    words: NDArray[np.uint32]
    zero_point: int
    low: int
    high: int

    @property
    def signed(self) -> bool:
        """Whether results below the zero point count, so that the step between is needed."""
        return self.low < self.zero_point

    @property
    def clamped(self) -> bool:
        """Whether saturation to int8 is not the whole clamp."""
        return (self.low, self.high) != (-128, 127)


def requantisation(
    multiplier: NDArray[np.int32],
    shift: NDArray[np.int32],
    zero_point: int,
    clamp: tuple[int, int],
) -> Requantisation | None:
    """The constants, or None if a channel's scale is 1/4 or more.

    Args:
        multiplier: int32 (channels,).
        shift: int32 (channels,), to the left.
        zero_point: of the output.
        clamp: least and greatest output.
    """
    zero = multiplier == 0
    if np.any((shift > -2) & ~zero):
        return None
    doubled = (multiplier.astype(np.int64) * 2) & 0xFFFFFFFF
    power = np.where(zero, 0, np.int64(1) << (32 + np.where(zero, -2, shift).astype(np.int64)))
    words = np.stack([doubled, power], axis=1).astype(np.uint32)
    return Requantisation(words, zero_point, *clamp)
