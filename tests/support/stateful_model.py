# SPDX-License-Identifier: Apache-2.0
"""A model that keeps a state in every way there is."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.support.tflite_builder import TfliteBuilder

_RELU = schema.ActivationFunctionType.RELU
_TANH = schema.ActivationFunctionType.TANH
FEATURES, UNITS, FRAMES = 6, 4, 3


def stateful_model() -> bytes:
    """An SVDF layer, an LSTM over its last outputs, and these in a variable.

    int8 input (1, 6), int8 output (1, 3, 4). The variable has initial values.
    """
    rng = np.random.default_rng(7)
    b = TfliteBuilder()
    x = b.tensor((1, FEATURES), scale=0.05, zero_point=-4, name="x")
    frame = _svdf(b, rng, x)
    window = _window(b, rng, frame)
    y = _lstm(b, rng, window)
    return b.build([x], [y])


def _svdf(b: TfliteBuilder, rng: np.random.Generator, x: int) -> int:
    feature = b.tensor((UNITS, FEATURES), scale=0.01, data=_weights(rng, UNITS, FEATURES))
    time = b.tensor((UNITS, 5), "int16", 2.0**-15, data=100 * _weights(rng, UNITS, 5))
    scale = float(np.float32(2.0**-10) * np.float32(2.0**-15))
    bias = b.tensor((UNITS,), "int32", scale, data=rng.integers(-(2**20), 2**20, UNITS))
    state = b.tensor((1, 5 * UNITS), "int16", 2.0**-10, variable=True, name="svdf/state")
    y = b.tensor((1, UNITS), scale=0.02, zero_point=3, name="svdf")
    b.operator("SVDF", [x, feature, time, bias, state], [y], rank=1, fusedActivationFunction=_RELU)
    return y


def _window(b: TfliteBuilder, rng: np.random.Generator, frame: int) -> int:
    quantised: dict[str, Any] = {"scale": 0.02, "zero_point": 3}
    shape = (1, FRAMES, UNITS)
    with b.further_subgraph() as index:
        handle = b.tensor((), "resource")
        b.operator("VAR_HANDLE", [], [handle], sharedName="frames", container="")
        first = b.tensor(shape, **quantised, data=_weights(rng, *shape))
        b.operator("ASSIGN_VARIABLE", [handle, first], [])
    b.operator("CALL_ONCE", [], [], initSubgraphIndex=index)
    handle = b.tensor((), "resource")
    b.operator("VAR_HANDLE", [], [handle], sharedName="frames", container="")
    old = b.tensor(shape, **quantised, name="old frames")
    b.operator("READ_VARIABLE", [handle], [old])
    wide = b.tensor((1, 1, UNITS), **quantised, name="frame")
    sizes = b.tensor((3,), "int32", data=(1, 1, UNITS))
    b.operator("RESHAPE", [frame, sizes], [wide])
    all_ = b.tensor((1, FRAMES + 1, UNITS), **quantised, name="all frames")
    b.operator("CONCATENATION", [old, wide], [all_], axis=1)
    begin, end, strides = (
        b.tensor((3,), "int32", data=data)
        for data in ((0, 1, 0), (1, FRAMES + 1, UNITS), (1, 1, 1))
    )
    new = b.tensor(shape, **quantised, name="new frames")
    b.operator("STRIDED_SLICE", [all_, begin, end, strides], [new])
    b.operator("ASSIGN_VARIABLE", [handle, new], [])
    return new


def _lstm(b: TfliteBuilder, rng: np.random.Generator, x: int) -> int:
    from_input = [
        b.tensor((UNITS, UNITS), scale=0.01, data=_weights(rng, UNITS, UNITS)) for _ in range(4)
    ]
    from_hidden = [
        b.tensor((UNITS, UNITS), scale=0.01, data=_weights(rng, UNITS, UNITS)) for _ in range(4)
    ]
    biases = [
        b.tensor((UNITS,), "int32", scale=2e-4, data=rng.integers(-3000, 3000, UNITS))
        for _ in range(4)
    ]
    hidden = b.tensor((1, UNITS), scale=0.0078, zero_point=5, variable=True, name="lstm/hidden")
    cell = b.tensor((1, UNITS), "int16", 2.0**-12, variable=True, name="lstm/cell")
    y = b.tensor((1, FRAMES, UNITS), scale=0.0078, zero_point=5, name="lstm")
    # As the converter writes them; LiteRT wants them, TFLM does not look at them.
    inner = [b.tensor((0,), "float32") for _ in range(4)]
    inner.append(b.tensor((0,), scale=0.0078, zero_point=5))
    none = [-1]
    b.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [x, *from_input, *from_hidden, *none * 3, *biases, *none * 2, hidden, cell, *none * 4],
        [y],
        intermediates=inner,
        fusedActivationFunction=_TANH,
    )
    return y


def _weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-127, 128, shape)
