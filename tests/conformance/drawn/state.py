# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of the operators that keep a state."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.values import (
    LARGEST_MULTIPLIER,
    MOST_ELEMENTS,
    MOST_MACS,
    Cases,
    Draw,
    Drawn,
    named,
    powers,
    zero_points,
)
from tests.conformance.state import circular_buffer, lstm, svdf, window

_small = st.integers(1, 9)
_depths = _small | st.sampled_from([15, 16, 17, 33, 40])
_scales = powers(-3.0, -1.0) | powers(-3.0, -1.0) | powers(-7.0, 0.5)


@st.composite
def _svdf(draw: Draw) -> Drawn:
    inputs, units, memory, rank = (
        draw(_depths),
        draw(_small),
        draw(_depths),
        draw(st.integers(1, 3)),
    )
    batch = draw(st.sampled_from([1, 1, 2, 3]))
    assume(batch * units * rank * memory <= MOST_ELEMENTS)
    scales = source, feature, time, kept, output = tuple(draw(_scales) for _ in range(5))
    assume(source * feature / kept < LARGEST_MULTIPLIER)
    assume(kept * time / output < LARGEST_MULTIPLIER)
    state = draw(st.sampled_from(["int8", "int16"]))
    middle = zero_points if state == "int8" else st.integers(-400, 400)
    return named(
        svdf,
        inputs,
        units,
        memory,
        rank=rank,
        batch=batch,
        state=state,
        scales=scales,
        zero_points=(draw(zero_points), draw(middle), draw(zero_points)),
        relu=draw(st.booleans()),
        greatest=draw(st.sampled_from([127, 127, 10, 1])),
    )


@st.composite
def _lstm(draw: Draw) -> Drawn:
    steps, inputs, units = draw(st.integers(1, 6)), draw(_depths), draw(_depths)
    batch = draw(st.sampled_from([1, 1, 2, 3]))
    assume(4 * steps * batch * units * (inputs + units) <= MOST_MACS)
    assume(steps * batch * max(inputs, units) <= MOST_ELEMENTS)
    source, weights, hidden = draw(_scales), draw(_scales), draw(_scales)
    return named(
        lstm,
        steps,
        inputs,
        units,
        batch=batch,
        time_major=draw(st.booleans()),
        clip=draw(st.sampled_from([0.0, 0.0, 0.37, 3.0, 1e6, -1.0])),
        input_scale=source,
        weight_scale=weights / 8,
        hidden_scale=draw(st.sampled_from([1 / 128, hidden])),
        # The cell's scale must be a power of two that the reference can shift by.
        cell_power=draw(st.sampled_from([-11, -12]) | st.integers(-30, 2)),
        zero_points=(draw(zero_points), draw(zero_points)),
        bias=draw(st.sampled_from([1, 3000, 2**24, 2**31 - 1])),
        flat=draw(st.booleans()),
    )


@st.composite
def _window(draw: Draw) -> Drawn:
    zero_point = draw(zero_points)
    initial = draw(st.none() | zero_points)
    return named(window, draw(st.integers(1, 9)), initial=initial, zero_point=zero_point)


@st.composite
def _circular_buffer(draw: Draw) -> Drawn:
    inner = (draw(st.integers(1, 4)), draw(st.integers(1, 9)))
    return named(circular_buffer, draw(st.integers(1, 9)), inner, zero_point=draw(zero_points))


STRATEGIES: dict[str, Cases] = {
    "CIRCULAR_BUFFER": _circular_buffer(),
    "SVDF": _svdf(),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm(),
    "VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE": _window(),
}
