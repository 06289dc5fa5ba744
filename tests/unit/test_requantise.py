# SPDX-License-Identifier: Apache-2.0
"""Requantisation in two multiplications is TFLite's double rounding, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tinyflow.kernels.generated.requantise import requantisation

Ints = NDArray[np.int64]

#: Edge cases of rounding: the ends of the ranges, and their neighbours.
ACCUMULATORS = [0, 1, -1, 2, -2, 3, -3, 2**30, -(2**30), 2**30 - 1, 2**31 - 1, 2**31 - 2]
ACCUMULATORS += [-(2**31), -(2**31) + 1]
MULTIPLIERS = [2**30, 2**30 + 1, 2**31 - 1, 2**31 - 2, 1610612736, 1518500250]


def doubling_high_product(a: Ints, b: int) -> Ints:
    """gemmlowp's SaturatingRoundingDoublingHighMul; its saturation needs b = -2**31."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))


def rounding_divide(x: Ints, exponent: int) -> Ints:
    """gemmlowp's RoundingDivideByPOT."""
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def smmlar(a: Ints, b: int, c: Ints | int) -> Ints:
    """The instruction, on int32 in int64; its result wraps."""
    high = (np.asarray(c, np.int64)) + ((a * b + (1 << 31)) >> 32)
    return (high + (1 << 31)) % (1 << 32) - (1 << 31)


def both(acc: Ints, multiplier: int, exponent: int, zero_point: int, low: int) -> tuple[Ints, Ints]:
    """The reference's outputs, and those of the two multiplications."""
    reference = rounding_divide(doubling_high_product(acc, multiplier), exponent) + zero_point
    how = requantisation(
        np.array([multiplier], np.int32), np.array([-exponent], np.int32), zero_point, (low, 127)
    )
    assert how is not None
    doubled, power = how.words.view(np.int32)[0].tolist()
    y = smmlar(acc, doubled, acc)
    if how.signed:
        y = (y + (y >> 31) + (1 << 31)) % (1 << 32) - (1 << 31)
    return np.clip(reference, low, 127), np.clip(smmlar(y, power, zero_point), low, 127)


@pytest.mark.parametrize("exponent", range(2, 32))
@pytest.mark.parametrize("relu", [True, False])
def test_it_is_the_double_rounding(exponent: int, relu: bool) -> None:
    rng = np.random.default_rng(exponent)
    spread = rng.integers(-(2**31), 2**31, 1_000) >> rng.integers(0, 31, 1_000)
    drawn = rng.integers(2**30, 2**31, 8).tolist()
    for multiplier in MULTIPLIERS + drawn:
        # every tie of the second rounding near zero, and the accumulators around it
        ties = (2 * np.arange(-100, 100) + 1) * (1 << (exponent - 1))
        near = np.rint(ties * (2.0**31 / multiplier)).astype(np.int64)
        near = (near[:, None] + np.arange(-3, 4)).ravel()
        near = near[(near >= -(2**31)) & (near < 2**31)]
        acc = np.concatenate([np.array(ACCUMULATORS), spread, near])
        for zero_point in (-128, -7, 0, 127):
            low = zero_point if relu else -128
            expected, found = both(acc, multiplier, exponent, zero_point, low)
            np.testing.assert_array_equal(found, expected)


def test_a_multiplier_of_zero_gives_the_zero_point() -> None:
    how = requantisation(np.zeros(1, np.int32), np.zeros(1, np.int32), -5, (-128, 127))
    assert how is not None
    doubled, power = how.words.view(np.int32)[0].tolist()
    acc = np.array(ACCUMULATORS)
    y = smmlar(acc, doubled, acc)
    assert set(smmlar(y + (y >> 31), power, -5).tolist()) == {-5}


@pytest.mark.parametrize("shift", [-1, 0, 3])
def test_a_scale_of_a_quarter_or_more_needs_another_way(shift: int) -> None:
    constants = np.array([2**30], np.int32), np.array([shift], np.int32)
    assert requantisation(*constants, 0, (-128, 127)) is None
