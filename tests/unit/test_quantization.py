# SPDX-License-Identifier: Apache-2.0
"""Fixed-point multipliers and activation ranges."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyflow.ir.quantization import (
    FixedPoint,
    Quantization,
    activation_range,
    quantize_multiplier,
    round_half_away,
)
from tinyflow.ir.types import Activation


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, FixedPoint(0, 0)),
        (1.0, FixedPoint(1 << 30, 1)),
        (0.5, FixedPoint(1 << 30, 0)),
        (0.75, FixedPoint(3 << 29, 0)),
        # The mantissa rounds up to 2^31 and is halved.
        (1.0 - 2.0**-33, FixedPoint(1 << 30, 1)),
        # The least that is kept, and the greatest that flushes to zero.
        (2.0**-32, FixedPoint(1 << 30, -31)),
        (2.0**-33, FixedPoint(0, 0)),
    ],
)
def test_multiplier_of_known_numbers(real: float, expected: FixedPoint) -> None:
    assert quantize_multiplier(real) == expected


@given(st.floats(min_value=2.0**-31, max_value=2.0**20))
def test_multiplier_is_the_nearest(real: float) -> None:
    point = quantize_multiplier(real)
    assert 1 << 30 <= point.multiplier < 1 << 31
    represented = Fraction(point.multiplier) * Fraction(2) ** (point.shift - 31)
    assert abs(represented - Fraction(real)) <= Fraction(2) ** (point.shift - 32)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.5, 1), (-0.5, -1), (1.49, 1), (-2.5, -3), (2.5, 3), (0.0, 0)]
)
def test_halves_go_away_from_zero(value: float, expected: int) -> None:
    assert round_half_away(value) == expected


@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "expected"),
    [
        (Activation.NONE, 0.1, 5, (-128, 127)),
        (Activation.RELU, 0.1, 5, (5, 127)),
        (Activation.RELU, 0.1, -128, (-128, 127)),
        (Activation.RELU6, 0.1, -10, (-10, 50)),
        (Activation.RELU6, 0.01, -10, (-10, 127)),
        (Activation.RELU_N1_TO_1, 0.02, 0, (-50, 50)),
    ],
)
def test_activation_range(
    activation: Activation, scale: float, zero_point: int, expected: tuple[int, int]
) -> None:
    assert activation_range(activation, Quantization((scale,), (zero_point,))) == expected
