# SPDX-License-Identifier: Apache-2.0
"""A chain of fully connected layers: each weight is read once in an inference, in order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests.support.tflite_builder import TfliteBuilder

WIDTHS = (128, 96, 64, 10)


def dense_model(widths: tuple[int, ...] = WIDTHS) -> bytes:
    """An int8 `.tflite`; int8 (1, widths[0]) to int8 (1, widths[-1])."""
    rng = np.random.default_rng(5)
    b = TfliteBuilder()
    first = x = b.tensor((1, widths[0]), scale=0.05, zero_point=4, name="input")
    for index, (inputs, units) in enumerate(pairwise(widths)):
        weights = rng.integers(-127, 128, (units, inputs))
        bias = rng.integers(-9000, 9000, units)
        y = b.tensor((1, units), scale=0.05, zero_point=-7, name=f"dense_{index}")
        operands = [
            x,
            b.tensor((units, inputs), scale=0.1 / inputs, data=weights),
            b.tensor((units,), "int32", scale=0.05 * (0.1 / inputs), data=bias),
        ]
        b.operator("FULLY_CONNECTED", operands, [y])
        x = y
    return b.build([first], [x])
