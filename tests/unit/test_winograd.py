# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of Winograd's convolution in integers: matrices, ranges, what is declined."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tinyflow.kernels.generated.winograd import (
    ALGORITHMS,
    Algorithm,
    largest_accumulator,
    transform_weights,
)

Ints = NDArray[np.int64]

G = {
    2: np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 1]]),
    4: np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [1, -2, 4], [0, 0, 1]]),
}
C = {2: np.array([2, 1, 1, 2]), 4: np.array([6, -4, -4, 1, 1, 24])}
A_T = {
    2: np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
    4: np.array(
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    ),
}
B_T = {
    2: np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    4: np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    ),
}  # fmt: skip
algorithms = pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda one: f"side {one.side}")


def int32(values: Ints) -> Ints:
    """Modulo 2**32."""
    return (values + (1 << 31)) % (1 << 32) - (1 << 31)


def correlate(patch: Ints, taps: Ints, side: int) -> Ints:
    """The sums themselves, (side, side), of a patch and a filter (3, 3), both of all channels."""
    return np.array(
        [
            [int((patch[:, y : y + 3, x : x + 3] * taps).sum()) for x in range(side)]
            for y in range(side)
        ]
    )


def winograd(patch: Ints, taps: Ints, bias: int, algorithm: Algorithm) -> Ints:
    """Compute what the generated code computes, before the requantisation."""
    side = algorithm.side
    u = G[side] @ taps @ G[side].T
    v = B_T[side] @ (patch + algorithm.offset) @ B_T[side].T
    assert max(abs(u).max(), abs(v).max()) < 1 << 15
    m = int32((u * v).sum(axis=0))
    folded = bias - algorithm.offset * int(taps.sum())
    m[1, 1] = int32(m[1, 1] + folded * algorithm.bias_factor)
    scaled = A_T[side] @ (C[side][:, None] * m * C[side]) @ A_T[side].T
    if side == 4:
        scaled *= pow(9, -1, 1 << 32)
    result: Ints = int32(scaled) // algorithm.scale
    return result


def greatest(matrix: Ints, low: int, high: int) -> int:
    """The greatest magnitude that `matrix @ square @ matrix.T` takes, elements in that range."""
    factors = np.einsum("ia,jb->ijab", matrix, matrix)
    ends = [np.where(factors > 0, high, low), np.where(factors > 0, low, high)]
    return max(int(abs((factors * end).sum(axis=(2, 3))).max()) for end in ends)


@algorithms
def test_it_is_the_convolution(algorithm: Algorithm) -> None:
    rng = np.random.default_rng(algorithm.side)
    n = algorithm.side + 2
    for _ in range(50):
        channels = int(rng.integers(1, 60))
        patch = rng.integers(-128, 128, (channels, n, n))
        taps = rng.integers(-128, 128, (channels, 3, 3))
        bias = int(rng.integers(-(1 << 20), 1 << 20))
        expected = correlate(patch, taps, algorithm.side) + bias
        np.testing.assert_array_equal(winograd(patch, taps, bias, algorithm), expected)


@algorithms
def test_transforms_fit_int16_whatever_the_input(algorithm: Algorithm) -> None:
    offset = algorithm.offset
    weights = greatest(G[algorithm.side], -128, 127)
    inputs = greatest(B_T[algorithm.side], -128 + offset, 127 + offset)
    assert (weights, inputs) == {2: (1152, 512), 4: (6272, 68 * 255)}[algorithm.side]
    assert max(weights, inputs) < 1 << 15


def test_two_lanes_in_a_word_come_apart() -> None:
    """A low lane made positive does not borrow from the high one; then its sign is put right."""
    rng = np.random.default_rng(0)
    high, low = rng.integers(-(1 << 15), 1 << 15, (2, 1000))
    word = (high * (1 << 16) + low + 0x8000) % (1 << 32) ^ 0x8000
    np.testing.assert_array_equal(int32(word) >> 16, high)
    np.testing.assert_array_equal((word + 0x8000) % (1 << 16) - 0x8000, low)


@algorithms
def test_accumulators_up_to_the_bound_come_out_and_no_further(algorithm: Algorithm) -> None:
    n = algorithm.side + 2
    limit = (1 << 31) // algorithm.scale
    zeros = np.zeros((1, n, n), np.int64), np.zeros((1, 3, 3), np.int64)
    assert algorithm.fits(limit - 1)
    assert not algorithm.fits(limit)
    for bias in (limit - 1, 1 - limit):
        np.testing.assert_array_equal(winograd(*zeros, bias, algorithm), bias)
    assert (winograd(*zeros, limit, algorithm) != limit).all()


@pytest.mark.parametrize("zero_point", [-128, -5, 127])
def test_the_largest_accumulator_is_reached_by_none(zero_point: int) -> None:
    rng = np.random.default_rng(1)
    weights = rng.integers(-128, 128, (3, 3, 3, 4)).astype(np.int8)
    bias = np.array([5000, -300, 0], np.int32)
    bound = largest_accumulator(weights, bias, zero_point)
    wide = weights.reshape(3, -1).astype(np.int64)
    high = np.where(wide > 0, 127 - zero_point, -128 - zero_point)
    low = np.where(wide > 0, -128 - zero_point, 127 - zero_point)
    found = [(wide * end).sum(axis=1) + bias for end in (high, low)]
    assert np.abs(found).max() <= bound


def test_weights_are_pairs_of_taps() -> None:
    weights = np.arange(-72, 72, dtype=np.int16).astype(np.int8).reshape(2, 3, 3, 8)
    words = transform_weights(weights)
    assert words.shape == (2, 18)
    found = words.view(np.int8).reshape(2, 72)
    first, last = found[:, :64].reshape(2, 4, 4, 2, 2), found[:, 64:].reshape(2, 4, 2)
    for channel in range(8):
        pair, place = 2 * (channel // 4) + channel % 2, channel % 4 // 2
        taps = weights[..., channel].reshape(2, 9)
        np.testing.assert_array_equal(first[:, pair, :, place].reshape(2, 8), taps[:, :8])
        np.testing.assert_array_equal(last[:, pair, place], taps[:, 8])
