# SPDX-License-Identifier: Apache-2.0
"""A model with weights of four bits, and with operators that either oracle alone lacks."""

from __future__ import annotations

import numpy as np

from tests.support.tflite_builder import TENSOR_TYPES, TfliteBuilder

INPUT_SHAPE = (1, 6, 6, 3)
RELU, SAME = 1, 0


def mixed_model() -> bytes:
    """CONV_2D and FULLY_CONNECTED of int4, TILE, SELECT, RELU_N1_TO_1, GATHER, ARG_MAX to int64."""
    rng = np.random.default_rng(11)
    b = TfliteBuilder()

    def values(shape: tuple[int, ...]) -> int:
        return b.tensor(shape, scale=0.05, zero_point=-7)

    def weights(shape: tuple[int, ...]) -> int:
        scales = rng.uniform(0.02, 0.2, shape[0]).tolist()
        return b.tensor(shape, "int4", scales, data=rng.integers(-8, 8, shape))

    def bias(size: int) -> int:
        return b.tensor((size,), "int32", data=rng.integers(-300, 300, size))

    def numbers(*data: int) -> int:
        return b.tensor((len(data),), "int32", data=data)

    image, chosen = b.tensor(INPUT_SHAPE, scale=0.05, zero_point=3), b.tensor((2,), "int32")
    stem = values((1, 3, 3, 4))
    b.operator(
        "CONV_2D",
        [image, weights((4, 3, 3, 3)), bias(4)],
        [stem],
        strideH=2,
        strideW=2,
        padding=SAME,
        fusedActivationFunction=RELU,
    )
    tiled = values((1, 3, 6, 4))
    b.operator("TILE", [stem, numbers(1, 1, 2, 1)], [tiled])
    clipped = values((1, 3, 6, 4))
    b.operator("RELU_N1_TO_1", [tiled], [clipped])
    larger = b.tensor((1, 3, 6, 4), "bool")
    b.operator("GREATER", [tiled, clipped], [larger])
    picked = values((1, 3, 6, 4))
    b.operator("SELECT", [larger, clipped, tiled], [picked])
    flat = values((1, 72))
    b.operator("RESHAPE", [picked, numbers(1, 72)], [flat])
    scores = b.tensor((1, 5), scale=0.5, zero_point=4)
    b.operator("FULLY_CONNECTED", [flat, weights((5, 72)), bias(5)], [scores])
    best = b.tensor((1,), "int64")
    b.operator("ARG_MAX", [scores, numbers(1)], [best], outputType=TENSOR_TYPES["int64"])
    some = b.tensor((1, 2), scale=0.5, zero_point=4)
    b.operator("GATHER", [scores, chosen], [some], axis=1)
    return b.build([image, chosen], [best, some])
