# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of the functions of one tensor, and of those of a row."""

from __future__ import annotations

from typing import Any

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
from tests.conformance.tables import (
    L2_NORMALIZATION,
    LOG_SOFTMAX,
    LOGISTIC,
    SOFTMAX,
    TANH,
    Quantized,
    unary,
)


def _fixed(kind: str, output: Quantized) -> Cases:
    """A function whose output has one quantisation only."""

    @st.composite
    def drawn(draw: Draw) -> Drawn:
        return named(unary, kind, draw(shapes(1, 5)), draw(quantised), output)

    return drawn()


def _function(kind: str, most: float = LARGEST_MULTIPLIER) -> Cases:
    """A function of any quantisation; the scale is at most `most` times the output's."""

    @st.composite
    def drawn(draw: Draw) -> Drawn:
        source, output = draw(quantised), draw(quantised)
        if kind == "RSQRT":
            source = (source[0], -128)  # only what is never negative has a root
            # The scales must not be too small for the root's fixed point.
            assume(source[0] ** 0.5 * output[0] > 2.0**-30)
        assume(source[0] < most * output[0])
        options: dict[str, Any] = {}
        if kind == "LEAKY_RELU":
            options["alpha"] = draw(st.sampled_from([0.0, 0.01, 0.3, 1.0, -0.5, 2.0]))
        return named(unary, kind, draw(shapes(1, 5)), source, output, **options)

    return drawn()


#: SOFTMAX takes every input of up to 511 elements in a row.
_rows = shapes(1, 4, extent=20) | st.tuples(st.sampled_from([1, 2]), st.integers(100, 511))


@st.composite
def _softmax(draw: Draw) -> Drawn:
    source, beta = draw(quantised), draw(st.sampled_from([1.0, 1.0, 0.1, 7.0]))
    # The scale must be above 2^-26 for the fixed point of the differences.
    assume(beta * source[0] > 2.0**-25)
    return named(unary, "SOFTMAX", draw(_rows), source, SOFTMAX, beta=beta)


@st.composite
def _log_softmax(draw: Draw) -> Drawn:
    source = draw(quantised)
    # The scale must be above 2^-26 for the fixed point of the differences.
    assume(source[0] > 2.0**-25)
    return named(unary, "LOG_SOFTMAX", draw(_rows), source, LOG_SOFTMAX)


@st.composite
def _l2_normalization(draw: Draw) -> Drawn:
    shape = draw(_rows)
    return named(unary, "L2_NORMALIZATION", shape, draw(quantised), L2_NORMALIZATION)


STRATEGIES: dict[str, Cases] = {
    "ABS": _function("ABS"),
    "ELU": _function("ELU"),
    # The scale must be below 128 times the output's.
    "HARD_SWISH": _function("HARD_SWISH", 128.0),
    "L2_NORMALIZATION": _l2_normalization(),
    "LEAKY_RELU": _function("LEAKY_RELU", 2.0**29),
    "LOGISTIC": _fixed("LOGISTIC", LOGISTIC),
    "LOG_SOFTMAX": _log_softmax(),
    "RELU": _function("RELU"),
    "RELU6": _function("RELU6"),
    "RELU_N1_TO_1": _function("RELU_N1_TO_1"),
    "RSQRT": _function("RSQRT"),
    "SOFTMAX": _softmax(),
    "TANH": _fixed("TANH", TANH),
}
