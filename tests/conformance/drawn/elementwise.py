# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of the elementwise operators."""

from __future__ import annotations

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.values import (
    LARGEST_MULTIPLIER,
    Cases,
    Draw,
    Drawn,
    Shape,
    activations,
    named,
    powers,
    quantised,
    repeated,
    shapes,
    zero_points,
)
from tests.conformance.elementwise import (
    BOTH_COMPUTED,
    LEFT_CONSTANT,
    RIGHT_CONSTANT,
    binary,
    mask,
    selection,
)

_COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
#: A broadcast takes five loops at most, and no more dimensions give more loops than that.
_RANK = 5

_constants = st.sampled_from([BOTH_COMPUTED, BOTH_COMPUTED, LEFT_CONSTANT, RIGHT_CONSTANT])
_whole = shapes(0, _RANK, extent=7, elements=700)


def _operands(draw: Draw) -> tuple[Shape, Shape]:
    """Two shapes that broadcast, alike as often as not."""
    whole = draw(_whole)
    if draw(st.booleans()):
        return whole, whole
    return repeated(draw, whole), repeated(draw, whole)


def _arithmetic(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        numbers = [draw(quantised) for _ in range(3)]
        left, right, output = (scale for scale, _ in numbers)
        if kind == "MUL":
            assume(left * right / output < LARGEST_MULTIPLIER)
        else:
            # TFLM ends the program unless this multiplier is below 1.
            assume(2 * max(left, right) / (2**20 * output) < 1)
        attributes = {"constant": draw(_constants), "quantised": numbers}
        activation = draw(activations(output))
        shapes_ = _operands(draw)
        return named(binary, kind, *shapes_, **attributes, fusedActivationFunction=activation)

    return drawn()


@st.composite
def _div(draw: Draw) -> Drawn:
    numbers = [draw(quantised) for _ in range(3)]
    left, right, output = (scale for scale, _ in numbers)
    # Beyond, the reference's shifts are not defined.
    assume(2**-26 < left / (right * output) < 2**22)
    attributes = {"constant": draw(_constants), "quantised": numbers}
    activation = draw(activations(output))
    return named(binary, "DIV", *_operands(draw), **attributes, fusedActivationFunction=activation)


@st.composite
def _squared_difference(draw: Draw) -> Drawn:
    numbers = [draw(quantised) for _ in range(3)]
    left, right, output = (scale for scale, _ in numbers)
    assume((2 * max(left, right)) ** 2 / (2**14 * output) < LARGEST_MULTIPLIER)
    attributes = {"constant": draw(_constants), "quantised": numbers}
    return named(binary, "SQUARED_DIFFERENCE", *_operands(draw), **attributes)


@st.composite
def _prelu(draw: Draw) -> Drawn:
    numbers = [draw(quantised) for _ in range(3)]
    source, alpha, output = (scale for scale, _ in numbers)
    assume(max(1.0, alpha) * source / output < LARGEST_MULTIPLIER)
    shape = draw(shapes(1, _RANK, extent=7, elements=700))
    slopes = repeated(draw, shape)
    constant = draw(st.sampled_from([BOTH_COMPUTED, RIGHT_CONSTANT]))
    return named(binary, "PRELU", shape, slopes, constant=constant, quantised=numbers)


def _extremum(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        numbers = [draw(quantised)] * 3
        attributes = {"constant": draw(_constants), "quantised": numbers}
        return named(binary, kind, *_operands(draw), **attributes)

    return drawn()


def _comparison(kind: str) -> Cases:
    #: TFLM ends the program unless the scales of both operands are below 1.
    below_1 = powers(-3.0, -0.01) | powers(-12.0, -0.01)

    @st.composite
    def drawn(draw: Draw) -> Drawn:
        whole = draw(_whole)
        four: Any = tuple(repeated(draw, whole) for _ in range(4))
        constants = draw(st.sampled_from(["....", ".c..", "c...", "..c.", "...c", ".c.c", ".ccc"]))
        scale = draw(below_1)
        other = scale if draw(st.booleans()) else draw(below_1)
        numbers = ((scale, draw(zero_points)), (other, draw(zero_points)))
        return named(selection, kind, four, constants, numbers)

    return drawn()


@st.composite
def _mask(draw: Draw) -> Drawn:
    whole = draw(_whole)
    return named(mask, *(repeated(draw, whole) for _ in range(3)))


@st.composite
def _mask_of_one_shape(draw: Draw) -> Drawn:
    """SELECT broadcasts nothing, but takes one condition for all or one for each row."""
    shape = draw(shapes(1, _RANK, extent=7, elements=700))
    condition = draw(st.sampled_from([shape, shape[:1], ()]))
    return named(mask, condition, shape, shape, "SELECT")


STRATEGIES: dict[str, Cases] = {
    **{kind: _arithmetic(kind) for kind in ("ADD", "SUB", "MUL")},
    **{kind: _extremum(kind) for kind in ("MAXIMUM", "MINIMUM")},
    **{kind: _comparison(kind) for kind in _COMPARISONS},
    "DIV": _div(),
    "PRELU": _prelu(),
    "SELECT": _mask_of_one_shape(),
    "SELECT_V2": _mask(),
    "SQUARED_DIFFERENCE": _squared_difference(),
}
