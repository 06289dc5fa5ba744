# SPDX-License-Identifier: Apache-2.0
"""A model as the converter writes it by default: float32 in, int8 or int16 inside, float32 out."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tests.support.tflite_builder import TfliteBuilder

CHANNELS = 4
SCALE, ZERO = 0.05, 3


def float_ends_model(shape: Sequence[int], dtype: str = "int8", *, reshaped: bool = False) -> bytes:
    """A convolution of stride 2 (int8) or a sum (int16) of an image, between two conversions.

    Args:
        shape: height, width, channels.
        dtype: of what lies between.
        reshaped: the caller gives and is given flat floats.
    """
    b = TfliteBuilder()
    zero = ZERO if dtype == "int8" else 0
    given = (1, prod(shape)) if reshaped else (1, *shape)
    x = b.tensor(given, "float32", name="image")
    real = _reshaped(b, x, (1, *shape)) if reshaped else x
    quantised = b.tensor((1, *shape), dtype, SCALE, zero)
    b.operator("QUANTIZE", [real], [quantised])
    height, width, channels = shape
    if dtype == "int16":
        result_shape = (1, *shape)
        result = b.tensor(result_shape, dtype, 0.1)
        b.operator("ADD", [quantised, quantised], [result], potScaleInt16=False)
    else:
        result_shape = (1, (height + 1) // 2, (width + 1) // 2, CHANNELS)
        result = b.tensor(result_shape, dtype, 0.1, -7)
        rng = np.random.default_rng(0)
        weights = rng.integers(-127, 128, (CHANNELS, 3, 3, channels), dtype=np.int8)
        bias = b.tensor((CHANNELS,), "int32", scale=0.0005, data=[100, -50, 0, 7])
        b.operator(
            "CONV_2D",
            [quantised, b.tensor(weights.shape, scale=0.01, data=weights), bias],
            [result],
            strideH=2,
            strideW=2,
            dilationHFactor=1,
            dilationWFactor=1,
        )
    y = b.tensor(result_shape, "float32", name="scores")
    b.operator("DEQUANTIZE", [result], [y])
    return b.build([x], [_reshaped(b, y, (1, prod(result_shape))) if reshaped else y])


def _reshaped(b: TfliteBuilder, index: int, shape: tuple[int, ...]) -> int:
    result = b.tensor(shape, "float32")
    wanted = b.tensor((len(shape),), "int32", data=list(shape))
    b.operator("RESHAPE", [index, wanted], [result])
    return result
