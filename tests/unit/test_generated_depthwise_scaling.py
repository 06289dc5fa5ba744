# SPDX-License-Identifier: Apache-2.0
"""The depthwise requantisation of two instructions is TFLite's double rounding, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.test_requantise import ACCUMULATORS, doubling_high_product, rounding_divide
from tinyflow.kernels.generated.depthwise.scaling import FoldedScaling, Scaling, folded

MULTIPLIERS = [2**30, 2**30 + 1, 2**31 - 1, 2**31 - 2, 1610612736, 1518500250]
NO_BIAS = np.zeros(1, np.int64)


def scaling(multiplier: list[int], right: list[int], zero_point: int, **changes: bool) -> Scaling:
    return Scaling(
        doubled=(np.array(multiplier, np.int64) * 2).astype(np.uint32),
        left=np.zeros(len(right), np.uint8),
        right=(32 - np.array(right)).astype(np.uint8),
        wide=changes.get("wide", False),
        signed=changes.get("signed", False),
        clamp=None,
        zero_point=zero_point,
    )


def taps(value: int, channels: int = 1) -> NDArray[np.int8]:
    return np.full((3, 3, channels), value, np.int8)


def outputs(how: FoldedScaling, acc: NDArray[np.int64], channel: int = 0) -> NDArray[np.int64]:
    """SMMLA and SSAT of accumulators that come moved up."""
    moved = acc << int(how.up[channel])
    assert np.all(np.abs(moved) < 1 << 31)
    multiplier, offset = (
        words.view(np.int32).astype(np.int64)[channel] for words in (how.multiplier, how.offset)
    )
    sums = offset + (moved * multiplier >> 32)
    assert np.all(np.abs(sums) < 1 << 31)
    return np.clip(sums >> how.shift, -128, 127)


@pytest.mark.parametrize("right", range(2, 21))
def test_it_is_the_double_rounding(right: int) -> None:
    rng = np.random.default_rng(right)
    for multiplier in MULTIPLIERS + rng.integers(2**30, 2**31, 8).tolist():
        # every tie of the second rounding near zero, and the accumulators around it
        ties = (2 * np.arange(-100, 300) + 1) * (1 << (right - 1))
        near = np.rint(ties * (2.0**31 / multiplier)).astype(np.int64)
        acc = np.concatenate([np.array(ACCUMULATORS), (near[:, None] + np.arange(-3, 4)).ravel()])
        for zero_point in (-128, -7, 0, 127):
            how = folded(scaling([multiplier], [right], zero_point), taps(100), NO_BIAS)
            assert how is not None
            some = acc[np.abs(acc) << int(how.up[0]) < 1 << 31]
            reference = rounding_divide(doubling_high_product(some, multiplier), right)
            np.testing.assert_array_equal(
                np.maximum(outputs(how, some), zero_point),
                np.clip(reference + zero_point, zero_point, 127),
            )


def test_channels_of_unlike_scales_share_the_shift() -> None:
    how = folded(scaling([2**30, 2**30, 0], [5, 11, 0], -5), taps(127, 3), np.zeros(3, np.int64))
    assert how is not None
    assert (how.shift, how.up.tolist()) == (12, [8, 2, 2])
    acc = np.arange(-70_000, 70_000)
    for channel, right in enumerate((5, 11)):
        reference = rounding_divide(doubling_high_product(acc, 2**30), right)
        np.testing.assert_array_equal(
            np.maximum(outputs(how, acc, channel), -5), np.clip(reference - 5, -5, 127)
        )
    assert set(outputs(how, acc, channel=2).tolist()) == {-5}


@pytest.mark.parametrize(
    ("how", "weight", "bias"),
    [
        (scaling([2**30], [6], 0, signed=True), 1, 0),
        (scaling([2**30], [6], 0, wide=True), 1, 0),
        (scaling([2**30] * 2, [2, 10], 0), 1, 0),
        (scaling([2**30], [31], 0), 1, 0),
        (scaling([2**30], [6], 0), 1, 1 << 28),
    ],
    ids=["signed", "wide", "scales too unlike", "scale too small", "sums too large"],
)
def test_other_layers_have_no_such_form(how: Scaling, weight: int, bias: int) -> None:
    channels = len(how.right)
    assert folded(how, taps(weight, channels), np.full(channels, bias, np.int64)) is None


def test_weights_that_would_not_fit_keep_it_away() -> None:
    assert folded(scaling([2**30], [5], 0), taps(127), NO_BIAS) is not None
    assert folded(scaling([2**30], [5], 0), taps(-128), NO_BIAS) is None
    assert folded(scaling([2**30], [6], 0), taps(-128), NO_BIAS) is not None
