# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of the operators of TFLM's signal library that keep a state."""

from __future__ import annotations

import math

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.values import Cases, Draw, Drawn, named, shapes
from tests.conformance.streams import delay, framer, overlap_add, spectral_subtraction, stacker

_rows = shapes(0, 2, extent=3)
_number = st.integers(0, 2**14) | st.integers(-(2**31), 2**31 - 1)


@st.composite
def _spectral_subtraction(draw: Draw) -> Drawn:
    return named(
        spectral_subtraction,
        draw(st.integers(1, 30)),
        even=(draw(_number), draw(_number)),
        odd=(draw(_number), draw(_number)),
        least=draw(_number),
        smoothing_bits=draw(st.integers(0, 31)),
        bits=draw(st.integers(0, 63)),
        clamping=draw(st.booleans()),
    )


@st.composite
def _framer(draw: Draw) -> Drawn:
    rows, step, frames = draw(_rows), draw(st.integers(1, 12)), draw(st.integers(1, 3))
    size = draw(st.integers(1, 40))
    assume(math.prod(rows) * frames * size <= 600)
    prefill = draw(st.booleans()) and step <= size  # else the reference overruns its buffer
    return named(framer, (*rows, step * frames), size, step, prefill=prefill)


@st.composite
def _overlap_add(draw: Draw) -> Drawn:
    shape = (*draw(_rows), draw(st.integers(1, 3)), draw(st.integers(1, 30)))
    assume(math.prod(shape) <= 600)
    step = draw(st.integers(1, shape[-1]))
    return named(overlap_add, shape, step, draw(st.sampled_from(["int16", "float32"])))


@st.composite
def _delay(draw: Draw) -> Drawn:
    return named(delay, (*draw(_rows), draw(st.integers(1, 20))), draw(st.integers(0, 40)))


@st.composite
def _stacker(draw: Draw) -> Drawn:
    left, right = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    step = draw(st.integers(1, left + right + 1))
    return named(stacker, draw(st.integers(1, 12)), left, right, step)


STRATEGIES: dict[str, Cases] = {
    "SignalDelay": _delay(),
    "SignalFilterBankSpectralSubtraction": _spectral_subtraction(),
    "SignalFramer": _framer(),
    "SignalOverlapAdd": _overlap_add(),
    "SignalStacker": _stacker(),
}
