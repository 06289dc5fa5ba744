# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of truth values and of integers without a scale."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.conformance.drawn.values import Cases, Draw, Drawn, named, repeated, shapes, some_axes
from tests.conformance.logic import binary, negated, reduce_all, whole_quotient

_COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
_constants = st.sampled_from([None, None, 0, 1])


def _binary(kind: str, dtype: str = "bool", result: str = "bool") -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        # TFLM broadcasts truth values up to rank 4.
        whole = draw(shapes(0, 4, extent=6, elements=400))
        alike = draw(st.booleans())
        operands = (whole, whole) if alike else (repeated(draw, whole), repeated(draw, whole))
        constant = draw(_constants)
        return named(binary, kind, *operands, dtype=dtype, result=result, constant=constant)

    return drawn()


@st.composite
def _not(draw: Draw) -> Drawn:
    return named(negated, draw(shapes(0, 5)))


@st.composite
def _reduce_all(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 5, extent=6, elements=400))
    return named(reduce_all, shape, some_axes(draw, len(shape)), keep=draw(st.booleans()))


@st.composite
def _div(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4, extent=6, elements=200))
    return named(whole_quotient, shape, repeated(draw, shape))


STRATEGIES: dict[str, Cases] = {
    **{kind: _binary(kind) for kind in ("LOGICAL_AND", "LOGICAL_OR", "EQUAL", "NOT_EQUAL")},
    **{f"{kind} of int64": _binary(kind, "int64") for kind in _COMPARISONS},
    **{
        f"{kind} of {dtype}": _binary(kind, dtype, dtype)
        for kind, dtype in (
            ("MAXIMUM", "int64"),
            ("MINIMUM", "int64"),
            ("SQUARED_DIFFERENCE", "int32"),
        )
    },
    "DIV of int32": _div(),
    "LOGICAL_NOT": _not(),
    "REDUCE_ALL": _reduce_all(),
}
