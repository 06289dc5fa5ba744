# SPDX-License-Identifier: Apache-2.0
"""Models with IF and WHILE, which no converter writes for so little."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.support.tflite_builder import TfliteBuilder

SHAPE = (1, 8)
#: Adds a subgraph's operators; takes its inputs, gives its outputs.
Body = Callable[[TfliteBuilder, list[int]], list[int]]


def subgraph(b: TfliteBuilder, inputs: Sequence[Callable[[], int]], body: Body) -> int:
    """A subgraph by its index; `inputs` make its inputs."""
    with b.further_subgraph() as index:
        given = [make() for make in inputs]
        b.subgraph.outputs = np.array(body(b, list(given)), np.int32)
        b.subgraph.inputs = np.array(given, np.int32)
    return index


def values(b: TfliteBuilder) -> int:
    return b.tensor(SHAPE, scale=0.1, zero_point=3)


def counter(b: TfliteBuilder) -> int:
    return b.tensor((), "int32")


def unary(kind: str) -> Body:
    """An operator of one input and one output of the same scale."""

    def body(b: TfliteBuilder, inputs: list[int]) -> list[int]:
        y = values(b)
        b.operator(kind, [inputs[-1]], [y])
        return [*inputs[:-1], y]

    return body


_RELU = unary("RELU")


def added(b: TfliteBuilder, inputs: list[int]) -> list[int]:
    """Values plus a constant; a counter before them is one more."""
    *counters, x = inputs
    y = values(b)
    constant = b.tensor(SHAPE, scale=0.1, zero_point=3, data=np.arange(-4, 4))
    b.operator("ADD", [x, constant], [y])
    results = []
    for index in counters:
        results.append(counter(b))
        b.operator("ADD", [index, b.tensor((), "int32", data=1)], [results[-1]])
    return [*results, y]


def branches(
    *,
    known: bool | None = None,
    then: Body = _RELU,
    otherwise: Body = added,
    shape: Sequence[int] = (),
) -> bytes:
    """An IF of a condition that is an input, or a constant that is `known`."""
    b = TfliteBuilder()
    x, y = values(b), values(b)
    condition = b.tensor(
        shape, "bool", data=None if known is None else np.full(shape, known), name="condition"
    )
    arguments = [lambda: values(b)]
    indices = [subgraph(b, arguments, body) for body in (then, otherwise)]
    b.operator(
        "IF", [condition, x], [y], thenSubgraphIndex=indices[0], elseSubgraphIndex=indices[1]
    )
    result = values(b)
    b.operator("RELU", [y], [result])
    return b.build([x] if known is not None else [x, condition], [result, y])


def loop(steps: int, *, body: Body = added, start: int | None = 0) -> bytes:
    """A WHILE that counts from `start`, or from an input, to before `steps`."""
    b = TfliteBuilder()
    x, y, count = values(b), values(b), counter(b)
    first = b.tensor((), "int32", data=start)
    arguments = [lambda: counter(b), lambda: values(b)]

    def less(b: TfliteBuilder, inputs: list[int]) -> list[int]:
        goes_on = b.tensor((), "bool")
        b.operator("LESS", [inputs[0], b.tensor((), "int32", data=steps)], [goes_on])
        return [goes_on]

    indices = subgraph(b, arguments, less), subgraph(b, arguments, body)
    b.operator(
        *("WHILE", [first, x], [count, y]),
        condSubgraphIndex=indices[0],
        bodySubgraphIndex=indices[1],
    )
    result = values(b)
    b.operator("RELU", [y], [result])
    return b.build([x] if start is not None else [first, x], [result])
