# SPDX-License-Identifier: Apache-2.0
"""Cases of what TFLM lacks in int8, or in int32, and LiteRT's reference kernels have."""

from __future__ import annotations

import numpy as np

from tests.conformance.driver import Case
from tests.conformance.tables import unary
from tests.support.tflite_builder import TfliteBuilder


def select_int32(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Negative indices count from the end, as an embedding of Keras has it."""
    source = b.tensor((9,), "int8", 0.5, 3)
    shape = (9,)
    index, wrapped, result = (b.tensor(shape, "int32") for _ in range(3))
    negative = b.tensor(shape, "bool")
    b.operator("CAST", [source], [index])
    b.operator("LESS", [index, b.tensor((), "int32", data=0)], [negative])
    b.operator("ADD", [index, b.tensor((), "int32", data=20)], [wrapped])
    b.operator("SELECT", [negative, wrapped, index], [result])
    return [source], [result]


CASES: dict[str, Case] = {
    "exp": unary("EXP", (1, 70), (0.03, 10), (0.05, -128)),
    "exp_saturating": unary("EXP", (3, 70), (0.9, -10), (0.01, 5)),
    "gelu": unary("GELU", (1, 4, 40), (0.04, -5), (0.03, -110), approximate=False),
    "gelu_approximate": unary("GELU", (1, 4, 40), (0.04, -5), (0.03, -110), approximate=True),
    "log": unary("LOG", (1, 70), (0.03, -100), (0.02, 7)),
    "neg": unary("NEG", (1, 300), (0.05, 0), (0.05, 0)),
    "select_int32": select_int32,
}
