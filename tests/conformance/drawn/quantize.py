# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of QUANTIZE and DEQUANTIZE."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.values import (
    LARGEST_MULTIPLIER,
    Cases,
    Draw,
    Drawn,
    named,
    quantised,
    shapes,
)
from tests.conformance.quantize import FLOAT, Stage, chain

#: uint8 occurs only at a model's edges.
_EDGES = ["int8", "uint8", "float32"]


def _stage(draw: Draw, dtype: str) -> Stage:
    if dtype == "float32":
        return FLOAT
    scale, zero_point = draw(quantised)
    return dtype, scale, zero_point + 128 * (dtype == "uint8")


@st.composite
def _chain(draw: Draw) -> Drawn:
    first, last = draw(st.sampled_from(_EDGES)), draw(st.sampled_from(_EDGES))
    inner = ["int8"] * draw(st.integers(1, 2))
    stages = [_stage(draw, dtype) for dtype in (first, *inner, last)]
    for (before, scale, _), (after, other, _) in pairwise(stages):
        assume("float32" in (before, after) or scale / other < LARGEST_MULTIPLIER)
    return named(chain, draw(shapes(1, 5)), *stages)


STRATEGIES: dict[str, Cases] = {"QUANTIZE, DEQUANTIZE": _chain()}
