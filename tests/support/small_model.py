# SPDX-License-Identifier: Apache-2.0
"""A model of nine layers, of every common kind, that builds and runs in a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.tflite_builder import TfliteBuilder

INPUT_SHAPE = (1, 8, 8, 3)
CLASSES = 4
RELU, SAME, VALID = 1, 0, 1


def small_model(rename: Callable[[str], str] = str, *, seed: int = 0) -> bytes:
    """An int8 `.tflite`; `rename` gives each tensor its name."""
    rng = np.random.default_rng(seed)
    b = TfliteBuilder()

    def activation(shape: tuple[int, ...], name: str, scale: float = 0.05, zero: int = 3) -> int:
        return b.tensor(shape, scale=scale, zero_point=zero, name=rename(name))

    def constant(shape: tuple[int, ...], name: str, axis: int = 0) -> int:
        data = rng.integers(-127, 128, shape, dtype=np.int8)
        scales = rng.uniform(0.002, 0.02, shape[axis]).tolist()
        return b.tensor(shape, scale=scales, data=data, axis=axis, name=rename(name))

    def bias(size: int, name: str) -> int:
        data = rng.integers(-2000, 2000, size)
        return b.tensor((size,), "int32", scale=0.001, data=data, name=rename(name))

    def window(stride: int) -> dict[str, Any]:
        return {
            "strideH": stride,
            "strideW": stride,
            "dilationHFactor": 1,
            "dilationWFactor": 1,
            "padding": SAME,
            "fusedActivationFunction": RELU,
        }

    image = activation(INPUT_SHAPE, "image")
    stem = activation((1, 4, 4, 4), "stem")
    b.operator(
        "CONV_2D",
        [image, constant((4, 3, 3, 3), "stem/kernel"), bias(4, "stem/bias")],
        [stem],
        **window(2),
    )
    spatial = activation((1, 4, 4, 4), "spatial")
    b.operator(
        "DEPTHWISE_CONV_2D",
        [stem, constant((1, 3, 3, 4), "spatial/kernel", axis=3), bias(4, "spatial/bias")],
        [spatial],
        depthMultiplier=1,
        **window(1),
    )
    total = activation((1, 4, 4, 4), "add", 0.08)
    b.operator("ADD", [stem, spatial], [total])
    pooled = activation((1, 1, 1, 4), "pool", 0.08)
    b.operator(
        "AVERAGE_POOL_2D",
        [total],
        [pooled],
        filterHeight=4,
        filterWidth=4,
        strideH=4,
        strideW=4,
        padding=VALID,
    )
    flat = activation((1, 4), "flat", 0.08)
    shape = b.tensor((2,), "int32", data=[1, 4], name=rename("flat/shape"))
    b.operator("RESHAPE", [pooled, shape], [flat])
    scores = activation((1, CLASSES), "scores", 0.1)
    weights = b.tensor(
        (CLASSES, 4),
        scale=0.01,
        data=rng.integers(-127, 128, (CLASSES, 4), dtype=np.int8),
        name=rename("scores/kernel"),
    )
    b.operator("FULLY_CONNECTED", [flat, weights, bias(CLASSES, "scores/bias")], [scores])
    classes = activation((1, CLASSES), "classes", 1 / 256, -128)
    b.operator("SOFTMAX", [scores], [classes], beta=1.0)
    return b.build([image], [classes])


def float_model() -> bytes:
    """An int8 `.tflite` with layers left in float32: one a table can replace, and another."""
    b = TfliteBuilder()
    source = b.tensor((1, 6), scale=0.05, zero_point=3)
    values = b.tensor((1, 6), "float32")
    b.operator("DEQUANTIZE", [source], [values])
    bent = b.tensor((1, 6), "float32", name="bent")
    b.operator("ELU", [values], [bent])
    shifted = b.tensor((1, 6), "float32")
    b.operator("ADD", [bent, b.tensor((), "float32", data=0.5)], [shifted])
    quantised = b.tensor((1, 6), scale=0.04, zero_point=-20)
    b.operator("QUANTIZE", [shifted], [quantised])
    again = b.tensor((1, 6), "float32")
    b.operator("DEQUANTIZE", [quantised], [again])
    scaled = b.tensor((1, 6), "float32", name="scaled")
    b.operator("MUL", [again, b.tensor((6,), "float32", data=np.arange(6))], [scaled])
    soft = b.tensor((1, 6), "float32", name="soft")
    b.operator("SOFTMAX", [scaled], [soft], beta=1.0)
    result = b.tensor((1, 6), scale=1 / 256, zero_point=-128)
    b.operator("QUANTIZE", [soft], [result])
    return b.build([source], [result])
