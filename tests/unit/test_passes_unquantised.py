# SPDX-License-Identifier: Apache-2.0
"""Passes that leave out what changes nothing: identities, reshapes, duplicates, unread results."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.support.rewritten import check_exact, file_of, optimised, titles
from tests.support.tflite_builder import TfliteBuilder

needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
Step = Callable[[TfliteBuilder, int], int]
SHAPE = (1, 4, 1, 6)


def reshape(shape: tuple[int, ...]) -> Step:
    def add(b: TfliteBuilder, source: int) -> int:
        output = b.tensor(shape, scale=0.1, zero_point=3)
        b.operator("RESHAPE", [source, constant(b, shape)], [output])
        return output

    return add


def moved(kind: str, operand: object, **options: Any) -> Step:
    """An operator with a constant operand, from SHAPE to SHAPE."""

    def add(b: TfliteBuilder, source: int) -> int:
        output = b.tensor(SHAPE, scale=0.1, zero_point=3)
        b.operator(kind, [source, constant(b, operand)], [output], **options)
        return output

    return add


def unary(kind: str, scale: float = 0.1, zero_point: int = 3, **options: Any) -> Step:
    def add(b: TfliteBuilder, source: int) -> int:
        shape = tuple(int(n) for n in b.subgraph.tensors[source].shape)
        output = b.tensor(shape, scale=scale, zero_point=zero_point)
        b.operator(kind, [source], [output], **options)
        return output

    return add


def transpose(order: tuple[int, ...]) -> Step:
    def add(b: TfliteBuilder, source: int) -> int:
        output = b.tensor([SHAPE[axis] for axis in order], scale=0.1, zero_point=3)
        b.operator("TRANSPOSE", [source, constant(b, order)], [output])
        return output

    return add


def dense(b: TfliteBuilder, source: int) -> int:
    weights = np.random.default_rng(1).integers(-127, 128, (5, 24))
    output = b.tensor((1, 5), scale=0.5, zero_point=-4)
    b.operator("FULLY_CONNECTED", [source, b.tensor((5, 24), scale=0.01, data=weights)], [output])
    return output


def constant(b: TfliteBuilder, values: Any) -> int:
    return b.tensor(np.shape(values), "int32", data=values)


def net(*steps: Step) -> Callable[[TfliteBuilder], tuple[int, int]]:
    def build(b: TfliteBuilder) -> tuple[int, int]:
        source = b.tensor(SHAPE, scale=0.1, zero_point=3)
        value = source
        for step in steps:
            value = step(b, value)
        return source, value

    return build


#: Each with the operators that are left of it.
CASES: dict[str, tuple[tuple[Step, ...], list[str]]] = {
    "transpose of ones": ((transpose((0, 2, 1, 3)), dense), ["FULLY_CONNECTED"]),
    "transpose": ((transpose((0, 3, 1, 2)), dense), ["TRANSPOSE", "FULLY_CONNECTED"]),
    "pad by nothing": ((moved("PAD", np.zeros((4, 2))), dense), ["FULLY_CONNECTED"]),
    "tile once": ((moved("TILE", (1, 1, 1, 1)), dense), ["FULLY_CONNECTED"]),
    "broadcast to itself": ((moved("BROADCAST_TO", SHAPE), dense), ["FULLY_CONNECTED"]),
    "join of one": ((unary("CONCATENATION", axis=1), dense), ["FULLY_CONNECTED"]),
    "same quantisation": ((unary("QUANTIZE"), dense), ["FULLY_CONNECTED"]),
    "other zero point": ((unary("QUANTIZE", zero_point=4),), ["QUANTIZE"]),
    "relu twice": ((unary("RELU"), unary("RELU")), ["RELU"]),
    "relu of sixes": ((unary("RELU6"), unary("RELU"), dense), ["RELU6", "FULLY_CONNECTED"]),
    "reshapes": (
        (reshape((4, 6)), reshape((24,)), reshape(SHAPE), unary("ABS")),
        ["ABS"],
    ),
    "reshape of an output": ((unary("ABS"), reshape((4, 6))), ["ABS", "RESHAPE"]),
    "several reshapes of an output": (
        (reshape((24,)), unary("ABS"), reshape((2, 12)), reshape((4, 6))),
        ["RESHAPE", "ABS", "RESHAPE"],
    ),
    "identity at the end": ((unary("ABS"), moved("PAD", np.zeros((4, 2)))), ["ABS"]),
    "identity alone": ((moved("PAD", np.zeros((4, 2))),), ["RESHAPE"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_left(name: str) -> None:
    steps, left = CASES[name]
    assert titles(optimised(file_of([net(*steps)]))) == left


@needs_compiler
def test_the_results_stay() -> None:
    graph = check_exact(file_of([net(*steps) for steps, _ in CASES.values()]))
    assert len(graph.outputs) == len(CASES)


def test_a_reversing_slice_is_no_identity() -> None:
    b = TfliteBuilder()
    x, y = (b.tensor((4,), scale=0.1) for _ in range(2))
    operands = [constant(b, values) for values in ([0], [0], [-1])]
    b.operator("STRIDED_SLICE", [x, *operands], [y], beginMask=1, endMask=1)
    assert titles(optimised(b.build([x], [y]))) == ["STRIDED_SLICE"]


@needs_compiler
def test_equal_operators_run_once() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 8), scale=0.1)
    halves = []
    for _ in range(2):
        weights = b.tensor((8, 8), scale=0.02, data=np.eye(8) * 100)
        middle, half = b.tensor((1, 8), scale=0.1), b.tensor((1, 8), scale=0.1)
        b.operator("FULLY_CONNECTED", [x, weights], [middle])
        b.operator("ABS", [middle], [half])
        halves.append(half)
    other = b.tensor((1, 8), scale=0.2)
    b.operator("ABS", [halves[0]], [other])
    total = b.tensor((1, 8), scale=0.2)
    b.operator("ADD", halves, [total])
    assert titles(check_exact(b.build([x], [total, other]))) == [
        "FULLY_CONNECTED",
        "ABS",
        "ABS",
        "ADD",
    ]


def test_equal_outputs_of_the_model_stay_two() -> None:
    b = TfliteBuilder()
    x, y, z = (b.tensor((4,), scale=0.1) for _ in range(3))
    b.operator("ABS", [x], [y])
    b.operator("ABS", [x], [z])
    assert optimised(b.build([x], [y, z])).outputs == (y, z)


def test_unread_operators_are_removed() -> None:
    b = TfliteBuilder()
    x, y, unread, neither = (b.tensor((4,), scale=0.1) for _ in range(4))
    b.operator("ABS", [x], [y])
    b.operator("RELU", [x], [unread])
    b.operator("ABS", [unread], [neither])
    assert titles(optimised(b.build([x], [y]))) == ["ABS"]
