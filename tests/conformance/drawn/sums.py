# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of sums, running sums, and of what fills and updates tensors."""

from __future__ import annotations

import math

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.values import (
    Cases,
    Draw,
    Drawn,
    axis,
    named,
    quantised,
    shapes,
)
from tests.conformance.sums import (
    Quantised,
    add_n,
    broadcast_args,
    cumsum,
    filled,
    gather_nd,
    update_slice,
    zeros_like,
)

_small = shapes(1, 5, extent=6, elements=300)
_summed = st.sampled_from(["int8", "int8", "float32"])


def _scales(draw: Draw) -> tuple[Quantised, Quantised]:
    found = draw(quantised), draw(quantised)
    # TFLM ends the program unless this multiplier is below 1.
    assume(2 * found[0][0] / (2**20 * found[1][0]) < 1)
    return found


@st.composite
def _add_n(draw: Draw) -> Drawn:
    count, constant = draw(st.integers(2, 6)), draw(st.sampled_from([None, None, 0, 1]))
    numbers = _scales(draw)
    return named(add_n, draw(_small), count, draw(_summed), quantised=numbers, constant=constant)


@st.composite
def _cumsum(draw: Draw) -> Drawn:
    shape = draw(_small)
    order = {"exclusive": draw(st.booleans()), "reverse": draw(st.booleans())}
    place = axis(draw, len(shape))
    return named(cumsum, shape, place, draw(_summed), quantised=_scales(draw), **order)


@st.composite
def _update_slice(draw: Draw) -> Drawn:
    shape = draw(_small)
    update = tuple(draw(st.integers(1, extent)) for extent in shape)
    starts = tuple(draw(st.integers(-2, extent)) for extent in shape)
    return named(
        update_slice,
        shape,
        update,
        draw(st.sampled_from(["int8", "int16", "int32", "float32"])),
        starts=starts if draw(st.booleans()) else None,
        wide=draw(st.booleans()),
        constant=draw(st.sampled_from([None, None, 0, 1])),
        again=draw(st.booleans()),
    )


@st.composite
def _gather_nd(draw: Draw) -> Drawn:
    shape = draw(_small)
    depth, indices = draw(st.integers(1, len(shape))), draw(shapes(0, 2, extent=4))
    assume(math.prod(indices) * math.prod(shape[depth:]) <= 1000)
    dtype = draw(st.sampled_from(["int8", "float32"]))
    # Indices of an input are below the least of the extents, which are 1 or more.
    return named(gather_nd, shape, indices, depth, dtype, constant=draw(st.booleans()))


@st.composite
def _filled(draw: Draw) -> Drawn:
    dtype = draw(st.sampled_from(["int8", "int32", "float32"]))
    return named(filled, draw(shapes(1, 4)), dtype, constant=draw(st.booleans()))


@st.composite
def _zeros_like(draw: Draw) -> Drawn:
    dtype = draw(st.sampled_from(["int8", "int32", "int64", "float32"]))
    return named(zeros_like, draw(shapes(0, 4)), dtype)


@st.composite
def _broadcast_args(draw: Draw) -> Drawn:
    ranks = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    dtype = draw(st.sampled_from(["int32", "int64"]))
    return named(broadcast_args, *ranks, dtype, draw(st.sampled_from([None, 0, 1])))


STRATEGIES: dict[str, Cases] = {
    "ADD_N": _add_n(),
    "BROADCAST_ARGS": _broadcast_args(),
    "CUMSUM": _cumsum(),
    "DYNAMIC_UPDATE_SLICE": _update_slice(),
    "FILL": _filled(),
    "GATHER_ND": _gather_nd(),
    "ZEROS_LIKE": _zeros_like(),
}
