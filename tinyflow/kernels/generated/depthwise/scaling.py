# SPDX-License-Identifier: Apache-2.0
"""Requantisation of a depthwise layer: which of three forms it has, and its constants.

- Where every channel's scale is below 1/4, that of `requantise.py`.
- Else the wide form: with `left = max(shift, 0)` and `right = max(-shift, 0)` at most 20,

      y = SMMLAR(acc << left, 2 * multiplier - 2**32, acc << left)
      y = saturate(y, 29 bits) * 4            beyond 2**28 the output is at its limit anyway
      y = y + (y >> 31)                       a quarter less where it is negative: halves go down
      t = SMMLAR(y, 2**(30 - right), zero_point)

  The accumulator is `tinyflow_shift_left`'s, which wraps, as all sums here do.
- Where results below the zero point do not count and the accumulators have bits to spare, the
  folded form, of two instructions: weights and bias come multiplied by `2**up`, 2 or more, so that

      y = SMMLA(acc << up, multiplier, offset)
      t = SSAT(y >> shift)                    shift = right + up - 1, the same for all channels
      offset = 2**(up - 2) + 2**(shift - 1) + (zero_point << shift)

  The reference rounds twice, `y = floor(acc * multiplier / 2**31 + 1/2)` and, for y >= 0,
  `floor(y / 2**right + 1/2)`. Of two floors in a row the inner one changes nothing, so that this is
  the floor of `(acc * multiplier + 2**30 + 2**(30 + right)) / 2**(31 + right)`; the sum above is
  that fraction's numerator times `2**up`, which has its last bit in the upper word. Where acc is
  negative so is the sum, but for halves, and the output is at the zero point either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.graph import Tensor
from tinyflow.ir.operators import DepthwiseConv2D
from tinyflow.ir.quantization import activation_range
from tinyflow.kernels.generated.requantise import Requantisation, requantisation
from tinyflow.numerics.multipliers import accumulator_multipliers

#: The greatest shift to the right of the wide form: 2**28 is then still beyond any output.
_MOST_RIGHT = 20
#: Least and most bits by which the folded form moves accumulators up.
_LEAST_UP, _MOST_UP = 2, 8
#: The shift of the folded form wherever it can be: layers of one shape then share their code.
_USUAL_SHIFT = 12
#: The most that keeps an output with the zero point in 31 bits.
_MOST_SHIFT = 22


@dataclass(frozen=True, eq=False)
class Scaling:
    """Requantisation of the channels by two multiplications.

    Attributes:
        doubled: uint32 (channels,), twice the multiplier.
        left: uint8 (channels,), the shift to the left of the wide form.
        right: uint8 (channels,), the exponent of the power of two that shifts to the right.
        wide: whether it is that form.
        signed: whether results below the zero point count.
        clamp: least and greatest output, None if saturation to int8 is the whole clamp.
        zero_point: of the output.
    """

    doubled: NDArray[np.uint32]
    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    wide: bool
    signed: bool
    clamp: tuple[int, int] | None
    zero_point: int

    @property
    def power(self) -> NDArray[np.uint32]:
        """The power of two that shifts to the right, of each channel (channels,)."""
        return (np.int64(1) << self.right.astype(np.int64)).astype(np.uint32)


@dataclass(frozen=True, eq=False)
class FoldedScaling:
    """The folded form.

    Attributes:
        up: int64 (channels,), bits by which weights and bias move up.
        multiplier: uint32 (channels,).
        offset: uint32 (channels,).
        shift: of all channels.
    """

    up: NDArray[np.int64]
    multiplier: NDArray[np.uint32]
    offset: NDArray[np.uint32]
    shift: int


def scaling_of(
    op: DepthwiseConv2D, source: Tensor, weights: Tensor, output: Tensor
) -> Scaling | None:
    """Return the scaling; None if a layer needs the wide form and a shift is too large for it."""
    multiplier, shift = accumulator_multipliers(source, weights, output, weights.shape[3])
    clamp = activation_range(op.activation, output.q)
    zero_point = output.q.zero_point
    requant = requantisation(multiplier, shift, zero_point, clamp)
    wide = requant is None
    zero = multiplier == 0
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    if wide and np.any((right > _MOST_RIGHT) & ~zero):
        return None
    if requant is None:
        requant = Requantisation(np.zeros((0, 2), np.uint32), zero_point, *clamp)
    # A power of 2**32 is none in 32 bits: 0, which is what a multiplier of 0 needs.
    exponent = np.where(zero, 32, (30 if wide else 32) - right)
    return Scaling(
        doubled=(multiplier.astype(np.int64) * 2).astype(np.uint32),
        left=np.where(zero, 0, left).astype(np.uint8),
        right=exponent.astype(np.uint8),
        wide=wide,
        signed=requant.signed,
        clamp=clamp if requant.clamped else None,
        zero_point=zero_point,
    )


def folded(
    scaling: Scaling, taps: NDArray[np.int8], bias: NDArray[np.int64]
) -> FoldedScaling | None:
    """The folded form of a layer, None if it has none.

    Args:
        scaling: of the layer.
        taps: int8 (lines, places, channels).
        bias: int64 (channels,), the input's zero point folded in.
    """
    zero = scaling.doubled == 0
    right = 32 - scaling.right.astype(np.int64)
    if scaling.wide or scaling.signed:
        return None
    some = right[~zero] if not zero.all() else np.array([_USUAL_SHIFT - _LEAST_UP])
    least, most = int(some.max()) + _LEAST_UP - 1, int(some.min()) + _MOST_UP - 1
    shift = min(max(least, _USUAL_SHIFT), most)
    if not least <= shift <= _MOST_SHIFT:
        return None
    up = np.where(zero, _LEAST_UP, shift + 1 - right)
    sums = np.abs(taps.astype(np.int64)).sum(axis=(0, 1))
    greatest = np.abs(taps.astype(np.int64)).max(axis=(0, 1))
    if np.any((np.abs(bias) + 128 * sums) << up >= 1 << 31) or np.any(greatest << up >= 1 << 15):
        return None
    offset = (np.int64(1) << (up - 2)) + (1 << (shift - 1)) + (scaling.zero_point << shift)
    return FoldedScaling(
        up=up,
        multiplier=scaling.doubled // 2,
        offset=(np.where(zero, scaling.zero_point << shift, offset) % (1 << 32)).astype(np.uint32),
        shift=shift,
    )
