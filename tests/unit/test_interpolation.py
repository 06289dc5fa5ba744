# SPDX-License-Identifier: Apache-2.0
"""Tables of int16 functions, and the C that reads them: checked over every input there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.numerics import int16_tables as interpolation
from tinyflow.oracle.oracle import Oracle

VALUES = np.arange(-32768, 32768, dtype=np.int16)
UNIT = 1 / 32768


def oracle(kind: str, scale: float, inputs: np.ndarray, **options: Any) -> np.ndarray:
    builder = TfliteBuilder()
    x = builder.tensor(inputs.shape, "int16", scale)
    y = builder.tensor(inputs.shape, "int16", UNIT)
    builder.operator(kind, [x], [y], **options)
    return Oracle(builder.build([x], [y])).run(inputs)[0]


def scaled(scale: float, powers: tuple[int, ...]) -> np.ndarray:
    """All inputs in steps of 1 / (3 * 4096)."""
    point = interpolation.sigmoid_scaling(scale, powers)
    rounding = (1 << -point.shift) >> 1
    return (VALUES.astype(np.int64) * point.multiplier + rounding) >> -point.shift


def between(magnitude: np.ndarray, bits: int) -> np.ndarray:
    """The sigmoid's table, interpolated; what is beyond it must be replaced."""
    table = interpolation.sigmoid_table().astype(np.int64)
    place = np.minimum(magnitude >> bits, 254)
    fraction = magnitude & ((1 << bits) - 1)
    return (table[place] << bits) + fraction * (table[place + 1] - table[place])


def logistic(scale: float) -> np.ndarray:
    x: Any = scaled(scale, (0,))
    above = np.where(abs(x) >> 9 >= 255, 0x7FFF << 10, between(abs(x), 9))
    return (np.where(x >= 0, above, (1 << 25) - above - 1) + (1 << 9)) >> 10


def tanh(scale: float) -> np.ndarray:
    x: Any = scaled(scale, (0, 1))
    above = np.where(abs(x) >> 8 >= 255, 0xFFFF << 8, between(abs(x), 8)) - (1 << 23)
    return (np.where(x >= 0, above, -above - 1) + (1 << 7)) >> 8


SCALES = st.floats(-44, 1.4).map(lambda e: float(np.float32(2.0**e))) | st.integers(-20, 1).map(
    lambda e: 2.0**e
)


@settings(deadline=None, max_examples=25)
@given(SCALES)
def test_logistic(scale: float) -> None:
    np.testing.assert_array_equal(oracle("LOGISTIC", scale, VALUES), logistic(scale))


@settings(deadline=None, max_examples=25)
@given(SCALES)
def test_tanh(scale: float) -> None:
    np.testing.assert_array_equal(oracle("TANH", scale, VALUES), tanh(scale))


@pytest.mark.parametrize("near", [2.0**-12 * 1.0006, 2.0**-12 * 0.9994, 2.0**-11, 2.0**-13])
def test_scales_near_a_power_of_two(near: float) -> None:
    scale = float(np.float32(near))
    np.testing.assert_array_equal(oracle("LOGISTIC", scale, VALUES), logistic(scale))
    np.testing.assert_array_equal(oracle("TANH", scale, VALUES), tanh(scale))


def lookup(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    place = np.clip(values, -32768, 32767) + 32768
    entries = table.astype(np.int64)
    base = entries[place >> 7]
    return base + (((entries[(place >> 7) + 1] - base) * (place & 127) + 64) >> 7)


def softmax(rows: np.ndarray) -> np.ndarray:
    """Softmax of inputs whose scale is that of the exponential's table."""
    differences = rows.astype(np.int64) - rows.max(axis=-1, keepdims=True)
    powers = lookup(interpolation.exponential_table(), differences + 32767)
    total = powers.sum(axis=-1, keepdims=True)
    headroom = 31 - np.floor(np.log2(total)).astype(np.int64)
    mantissa = ((total << (headroom - 1)) + (1 << 13)) >> 14
    reciprocal = lookup(interpolation.reciprocal_table(), mantissa - (1 << 16) - (1 << 15))
    shift = 31 - headroom
    return np.clip((powers * reciprocal + (1 << (shift - 1))) >> shift, 0, 32767)


def test_softmax_of_every_difference() -> None:
    """The exponential's table at each of its steps."""
    rows = np.stack([np.full(VALUES.shape, 32767, np.int16), VALUES], axis=-1)
    found = oracle("SOFTMAX", float(np.float32(10 / 65535)), rows, beta=1.0)
    np.testing.assert_array_equal(found, softmax(rows))


def test_softmax_of_every_sum() -> None:
    """The reciprocal's table all over: one in the row is 1, the others move the sum."""
    rng = np.random.default_rng(5)
    rows = rng.integers(-32768, 32768, (20_000, 5), np.int16)
    rows[:, 0] = 32767
    found = oracle("SOFTMAX", float(np.float32(10 / 65535)), rows, beta=1.0)
    np.testing.assert_array_equal(found, softmax(rows))
