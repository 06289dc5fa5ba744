# SPDX-License-Identifier: Apache-2.0
"""Cases of QUANTIZE and DEQUANTIZE, at the edges of a model and within."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

#: A tensor's type, scale and zero point; those of float32 mean nothing.
Stage = tuple[str, float, int]


def chain(shape: Sequence[int], *stages: Stage) -> Case:
    """A tensor taken from each of the types and quantisations to the next."""

    def tensor(b: TfliteBuilder, stage: Stage) -> int:
        dtype, scale, zero_point = stage
        if dtype == "float32":
            return b.tensor(shape, dtype)
        return b.tensor(shape, dtype, scale, zero_point)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        del rng
        tensors = [tensor(b, stage) for stage in stages]
        for (source, result), stage in zip(pairwise(tensors), stages[1:], strict=True):
            kind = "DEQUANTIZE" if stage[0] == "float32" else "QUANTIZE"
            b.operator(kind, [source], [result])
        return tensors[:1], tensors[-1:]

    return case


FLOAT: Stage = ("float32", 1.0, 0)

CASES: dict[str, Case] = {
    "edges_float": chain((1, 4, 6), FLOAT, ("int8", 0.011, -5), ("int8", 0.017, 9), FLOAT),
    "edges_uint8": chain(
        (1, 4, 6), ("uint8", 0.02, 120), ("int8", 0.011, -5), ("int8", 0.017, 9), ("uint8", 0.02, 7)
    ),
    "quantize_saturates": chain((1, 60), FLOAT, ("int8", 0.001, 127)),
    "quantize_coarse": chain((60,), FLOAT, ("int8", 3.0, -128)),
    "dequantize_uint8": chain((2, 30), ("uint8", 0.3, 255), FLOAT),
    "dequantize_fine": chain((2, 30), ("int8", 1e-9, -128), FLOAT),
    "requantize_same": chain((7, 9), ("int8", 0.05, 3), ("int8", 0.05, 3)),
    "requantize_moved": chain((7, 9), ("int8", 0.05, -128), ("int8", 0.05, 127)),
    "requantize_saturates": chain((7, 9), ("int8", 7.0, 0), ("int8", 0.001, 0)),
    "requantize_vanishes": chain((7, 9), ("int8", 1e-8, 100), ("int8", 90.0, -7)),
    "requantize_uint8": chain((7, 9), ("uint8", 0.03, 255), ("int8", 0.02, 0)),
    "requantize_to_uint8": chain((7, 9), ("int8", 0.03, -128), ("uint8", 0.02, 0)),
}
