# SPDX-License-Identifier: Apache-2.0
"""Operators that keep state between invocations.

The vectors of a build are one sequence, so that every vector but the first meets a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

_RELU = schema.ActivationFunctionType.RELU
_TANH = schema.ActivationFunctionType.TANH


# -------------------------------------------------------------------------------- SVDF


def svdf(
    inputs: int,
    units: int,
    memory: int,
    *,
    rank: int = 1,
    batch: int = 1,
    state: str = "int16",
    scales: Sequence[float] = (0.03, 0.011, 0.0021, 0.0077, 0.05),
    zero_points: Sequence[int] = (0, 0, 0),
    relu: bool = False,
    greatest: int = 127,
) -> Case:
    """`scales`: of the input, both weights, the state and the output; `zero_points`: of the
    input, the state and the output."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        filters = units * rank
        source, feature, time, kept, output = scales
        x = b.tensor((batch, inputs), scale=source, zero_point=zero_points[0])
        shape = (filters, inputs)
        w = b.tensor(shape, scale=feature, data=rng.integers(-greatest, greatest + 1, shape))
        shape = (filters, memory)
        most = greatest * 258 if state == "int16" else greatest
        values = rng.integers(-most, most + 1, shape)
        t = b.tensor(shape, state, scale=time, data=values)
        bias_scale = float(np.float32(kept) * np.float32(time))
        values = rng.integers(-2000, 2000, units)
        bias = b.tensor((units,), "int32", scale=bias_scale, data=values)
        v = b.tensor((batch, memory * filters), state, kept, zero_points[1], variable=True)
        y = b.tensor((batch, units), scale=output, zero_point=zero_points[2])
        b.operator(
            *("SVDF", [x, w, t, bias, v], [y]),
            rank=rank,
            fusedActivationFunction=_RELU if relu else 0,
        )
        return [x], [y]

    return case


_SVDF: dict[str, Case] = {
    "svdf": svdf(10, 8, 6),
    "svdf s8 state": svdf(10, 8, 6, state="int8"),
    "svdf rank 2": svdf(7, 5, 9, rank=2),
    "svdf rank 3 s8 state": svdf(7, 3, 4, rank=3, state="int8"),
    "svdf relu": svdf(12, 16, 3, relu=True, zero_points=(3, 0, -128)),
    "svdf relu, other zero point": svdf(12, 16, 3, relu=True, zero_points=(3, 0, 5)),
    "svdf batch 3": svdf(6, 4, 5, rank=2, batch=3),
    "svdf batch 2 s8 state": svdf(6, 4, 5, batch=2, state="int8"),
    "svdf zero points low": svdf(9, 6, 4, zero_points=(-128, 0, -128)),
    "svdf zero points high": svdf(9, 6, 4, zero_points=(127, 0, 127)),
    "svdf s8 state zero points low": svdf(9, 6, 4, state="int8", zero_points=(-128, -128, -128)),
    "svdf s8 state zero points high": svdf(9, 6, 4, state="int8", zero_points=(127, 127, 127)),
    "svdf s8 state zero point": svdf(9, 6, 4, state="int8", zero_points=(5, 11, -3)),
    "svdf s16 state zero point": svdf(9, 6, 4, zero_points=(5, 300, -3)),
    "svdf memory 1": svdf(5, 4, 1),
    "svdf one input": svdf(1, 4, 3),
    "svdf one unit": svdf(5, 1, 3, rank=2),
    "svdf one of all": svdf(1, 1, 1),
    "svdf odd sizes s8 state": svdf(33, 17, 11, state="int8"),
    "svdf state saturates": svdf(40, 6, 4, scales=(0.5, 0.5, 1e-4, 1e-4, 0.5)),
    "svdf s8 state saturates": svdf(
        *(40, 6, 4), state="int8", scales=(0.5, 0.5, 1e-2, 0.1, 0.5), zero_points=(1, -7, 2)
    ),
    "svdf output saturates": svdf(9, 6, 12, scales=(0.03, 0.011, 0.0021, 0.0077, 1e-4)),
    "svdf tiny scales": svdf(9, 6, 12, scales=(1e-6, 1e-6, 1e-3, 1e-3, 3.0)),
    "svdf sum wraps": svdf(30, 4, 40, scales=(0.9, 0.9, 1e-5, 1e-4, 0.05)),
}
_SVDF |= {
    f"svdf scales {index}": svdf(
        8,
        6,
        5,
        state=("int8", "int16")[index % 2],
        scales=tuple(float(scale) for scale in np.random.default_rng(index).uniform(1e-3, 0.2, 5)),
        zero_points=tuple(int(p) for p in np.random.default_rng(index).integers(-20, 20, 3)),
    )
    for index in range(8)
}


# -------------------------------------------------------------------------------- LSTM


def lstm(
    steps: int,
    inputs: int,
    units: int,
    *,
    batch: int = 1,
    time_major: bool = False,
    clip: float = 0.0,
    input_scale: float = 0.0273,
    weight_scale: float = 0.004,
    hidden_scale: float = 0.00781,
    cell_power: int = -11,
    zero_points: tuple[int, int] = (0, 0),
    bias: int = 3000,
    flat: bool = False,
) -> Case:
    """`zero_points`: of the input and the hidden state; `flat`: the cell has one dimension."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        outer = (steps, batch) if time_major else (batch, steps)
        x = b.tensor((*outer, inputs), scale=input_scale, zero_point=zero_points[0])

        def weights(depth: int) -> int:
            scale = float(np.float32(weight_scale * rng.uniform(0.5, 1.5)))
            values = rng.integers(-127, 128, (units, depth))
            return b.tensor((units, depth), scale=scale, data=values)

        from_input = [weights(inputs) for _ in range(4)]
        from_hidden = [weights(units) for _ in range(4)]
        biases = [
            b.tensor((units,), "int32", scale=1e-4, data=rng.integers(-bias, bias + 1, units))
            for _ in range(4)
        ]
        hidden = b.tensor((batch, units), "int8", hidden_scale, zero_points[1], variable=True)
        shape = (batch * units,) if flat else (batch, units)
        cell = b.tensor(shape, "int16", 2.0**cell_power, variable=True)
        y = b.tensor((*outer, units), scale=hidden_scale, zero_point=zero_points[1])
        none = [-1]
        b.operator(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [x, *from_input, *from_hidden, *none * 3, *biases, *none * 2, hidden, cell, *none * 4],
            [y],
            intermediates=[b.tensor((0,), "float32") for _ in range(5)],
            fusedActivationFunction=_TANH,
            timeMajor=time_major,
            cellClip=clip,
        )
        return [x], [y]

    return case


_LSTM: dict[str, Case] = {
    "lstm": lstm(7, 5, 6),
    "lstm time major": lstm(7, 5, 6, time_major=True),
    "lstm batch 3": lstm(4, 5, 6, batch=3),
    "lstm time major batch 3": lstm(4, 5, 6, batch=3, time_major=True),
    "lstm flat cell": lstm(4, 5, 6, batch=2, flat=True),
    "lstm one step": lstm(1, 8, 4),
    "lstm one input": lstm(3, 1, 4),
    "lstm one unit": lstm(3, 4, 1),
    "lstm one of all": lstm(1, 1, 1),
    "lstm wide": lstm(3, 33, 40),
    "lstm clipped": lstm(7, 5, 6, clip=0.37),
    "lstm clipped beyond its range": lstm(7, 5, 6, clip=1e6),
    "lstm negative clip": lstm(7, 5, 6, clip=-1.0),
    "lstm zero points low": lstm(5, 6, 7, zero_points=(-128, -128)),
    "lstm zero points high": lstm(5, 6, 7, zero_points=(127, 127)),
    "lstm zero points": lstm(5, 6, 7, zero_points=(15, 41)),
    "lstm gates saturate": lstm(5, 6, 7, input_scale=0.5, weight_scale=0.3),
    "lstm sums saturate": lstm(5, 6, 7, input_scale=0.06, weight_scale=0.06, hidden_scale=0.06),
    "lstm tiny weights": lstm(5, 6, 7, weight_scale=1e-6),
    "lstm hidden saturates": lstm(5, 6, 7, hidden_scale=0.001, zero_points=(3, 60)),
    "lstm tiny hidden scale": lstm(5, 6, 7, hidden_scale=2.0**-30, zero_points=(0, 1)),
    "lstm great biases": lstm(5, 6, 7, bias=2**31 - 1),
}
_LSTM |= {
    f"lstm cell scale 2^{power}": lstm(6, 5, 6, cell_power=power, weight_scale=0.01)
    for power in (-18, -16, -15, -14, -13, -12, -10, -9, -7, -3, 0, 2)
}
_LSTM |= {
    f"lstm scales {index}": lstm(
        5,
        6,
        7,
        input_scale=float(np.random.default_rng(index).uniform(1e-3, 0.2)),
        weight_scale=float(np.random.default_rng(index + 100).uniform(1e-4, 0.02)),
        hidden_scale=float(np.random.default_rng(index + 200).uniform(1e-3, 0.02)),
    )
    for index in range(6)
}


# --------------------------------------------------------------------- resource variables


def window(
    length: int,
    *,
    initial: int | None = None,
    dtype: str = "int8",
    zero_point: int = 0,
    container: str | None = "",
) -> Case:
    """A streaming buffer: the last `length` frames, of which the new one comes in at the end."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        name = f"window {len(b.subgraph.tensors)}"
        quantised: dict[str, Any] = {"dtype": dtype, "scale": 0.1, "zero_point": zero_point}
        frame, whole = (1, 1, 3), (1, length, 3)
        if initial is not None:
            with b.further_subgraph() as index:
                handle = b.tensor((), "resource")
                b.operator("VAR_HANDLE", [], [handle], sharedName=name, container=container)
                value = b.tensor(whole, **quantised, data=np.full(whole, initial))
                b.operator("ASSIGN_VARIABLE", [handle, value], [])
            b.operator("CALL_ONCE", [], [], initSubgraphIndex=index)
        handle = b.tensor((), "resource")
        b.operator("VAR_HANDLE", [], [handle], sharedName=name, container=container)
        x, before, all_, after = (
            b.tensor(shape, **quantised) for shape in (frame, whole, (1, length + 1, 3), whole)
        )
        b.operator("READ_VARIABLE", [handle], [before])
        b.operator("CONCATENATION", [before, x], [all_], axis=1)
        begin, end, strides = (
            b.tensor((3,), "int32", data=data)
            for data in ((0, 1, 0), (1, length + 1, 3), (1, 1, 1))
        )
        b.operator("STRIDED_SLICE", [all_, begin, end, strides], [after])
        b.operator("ASSIGN_VARIABLE", [handle, after], [])
        again = b.tensor((), "resource")
        b.operator("VAR_HANDLE", [], [again], sharedName=name, container=container)
        reread = b.tensor(whole, **quantised)
        b.operator("READ_VARIABLE", [again], [reread])
        return [x], [all_, reread, before]

    return case


def _swap() -> Case:
    """A snapshot that outlives two assignments, one of them of a constant."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        name = f"swap {len(b.subgraph.tensors)}"
        handle = b.tensor((), "resource")
        b.operator("VAR_HANDLE", [], [handle], sharedName=name, container="")
        x, old, middle, kept = (b.tensor((2, 5), scale=0.1, zero_point=7) for _ in range(4))
        constant = b.tensor((2, 5), scale=0.1, data=rng.integers(-128, 128, (2, 5)))
        b.operator("READ_VARIABLE", [handle], [old])
        b.operator("ASSIGN_VARIABLE", [handle, constant], [])
        b.operator("READ_VARIABLE", [handle], [middle])
        b.operator("ASSIGN_VARIABLE", [handle, x], [])
        b.operator("MAXIMUM", [old, middle], [kept])
        return [x], [kept, old]

    return case


# ---------------------------------------------------------------------- circular buffers


def circular_buffer(
    slots: int, inner: tuple[int, int] = (1, 3), *, zero_point: int = 0, cycles: int | None = 1
) -> Case:
    """And a second one that is filled by the oldest slot of the first."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        quantised: dict[str, Any] = {"scale": 0.1, "zero_point": zero_point}
        x, oldest = (b.tensor((1, 1, *inner), **quantised) for _ in range(2))
        first, second = (b.tensor((1, slots, *inner), **quantised, variable=True) for _ in range(2))
        options = {} if cycles is None else {"cycles_max": cycles}
        b.custom("CIRCULAR_BUFFER", [x], [first], **options)
        begin, size = (
            b.tensor((4,), "int32", data=data) for data in ((0, 0, 0, 0), (1, 1, *inner))
        )
        b.operator("SLICE", [first, begin, size], [oldest])
        b.custom("CIRCULAR_BUFFER", [oldest], [second], **options)
        for operator in b.subgraph.operators[-3:]:
            if cycles is None:
                operator.customOptions = None
        return [x], [first, second]

    return case


_BUFFERS: dict[str, Case] = {
    "circular buffer": circular_buffer(4),
    "circular buffer zero point low": circular_buffer(3, zero_point=-128),
    "circular buffer zero point high": circular_buffer(3, (2, 5), zero_point=127),
    "circular buffer of one slot": circular_buffer(1),
    "circular buffer of 13 slots, no period": circular_buffer(13, cycles=None),
    "circular buffer of 25 slots, period 0": circular_buffer(25, (1, 1), cycles=0),
}


_VARIABLES: dict[str, Case] = {
    "variable": window(4),
    "variable zero point low": window(4, zero_point=-128),
    "variable zero point high": window(3, zero_point=127),
    "variable initial value": window(4, initial=-9, zero_point=3),
    "variable initial value 0": window(4, initial=0, zero_point=3),
    "variable of one element": window(1, initial=1),
    "variable snapshot": _swap(),
}

CASES: dict[str, Case] = _SVDF | _LSTM | _VARIABLES | _BUFFERS
