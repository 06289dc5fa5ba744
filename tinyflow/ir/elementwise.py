# SPDX-License-Identifier: Apache-2.0
"""Element-wise operators of two operands: their dataclasses and rules.

Operands are broadcast as NumPy does: aligned at the last dimension, extents of 1 repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyflow.ir.checks import OperatorRule, expect, fail
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, TensorId
from tinyflow.ir.types import Activation


@dataclass(frozen=True)
class Binary(Operator):
    """Base of operators with two operands; either may be constant."""

    input_fields = ("left", "right")

    left: TensorId
    right: TensorId
    output: TensorId


@dataclass(frozen=True)
class AddN(Operator):
    """Sum of two or more tensors of one shape."""

    kind = "ADD_N"
    input_fields = ("sources",)

    sources: tuple[TensorId, ...]
    output: TensorId


@dataclass(frozen=True)
class Mul(Binary):
    """Product."""

    kind = "MUL"

    activation: Activation


@dataclass(frozen=True)
class Sub(Binary):
    """Difference."""

    kind = "SUB"

    activation: Activation


@dataclass(frozen=True)
class Maximum(Binary):
    """The larger of two values of one quantisation."""

    kind = "MAXIMUM"


@dataclass(frozen=True)
class Minimum(Binary):
    """The smaller of two values of one quantisation."""

    kind = "MINIMUM"


@dataclass(frozen=True)
class SquaredDifference(Binary):
    """Square of the difference."""

    kind = "SQUARED_DIFFERENCE"


@dataclass(frozen=True)
class Prelu(Operator):
    """The input where it is not negative, else `alpha` times the input."""

    kind = "PRELU"
    input_fields = ("input", "alpha")

    input: TensorId
    alpha: TensorId
    output: TensorId


@dataclass(frozen=True)
class Comparison(Binary):
    """Base of the comparisons; the output is bool."""


@dataclass(frozen=True)
class Equal(Comparison):
    """left == right."""

    kind = "EQUAL"


@dataclass(frozen=True)
class NotEqual(Comparison):
    """left != right."""

    kind = "NOT_EQUAL"


@dataclass(frozen=True)
class Greater(Comparison):
    """left > right."""

    kind = "GREATER"


@dataclass(frozen=True)
class GreaterEqual(Comparison):
    """left >= right."""

    kind = "GREATER_EQUAL"


@dataclass(frozen=True)
class Less(Comparison):
    """left < right."""

    kind = "LESS"


@dataclass(frozen=True)
class LessEqual(Comparison):
    """left <= right."""

    kind = "LESS_EQUAL"


@dataclass(frozen=True)
class Select(Operator):
    """`left` where the condition, which is bool, holds, else `right`."""

    kind = "SELECT_V2"
    input_fields = ("condition", "left", "right")

    condition: TensorId
    left: TensorId
    right: TensorId
    output: TensorId


@dataclass(frozen=True)
class SelectV1(Select):
    """`left` or `right`, of one shape; the condition is of that shape, or of leading dimensions."""

    kind = "SELECT"


def broadcast(graph: Graph, op: Operator) -> None:
    """The operands have shapes that agree, and the output the shape they give together."""
    shapes = [graph.tensors[index].shape for index in op.inputs()]
    found = [graph.tensors[index].shape for index in op.outputs()]
    try:
        due = np.broadcast_shapes(*shapes)
    except ValueError as error:
        shown = " and ".join(str(list(shape)) for shape in shapes)
        raise fail(op, f"operands of the shapes {shown}") from error
    if [_significant(shape) for shape in found] != [_significant(due)]:
        raise fail(op, f"the output has the shape {list(found[0])}, not {list(due)}")


def _significant(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its leading dimensions of 1."""
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _select(graph: Graph, op: Select) -> None:
    if not isinstance(op, SelectV1):
        broadcast(graph, op)
        return
    shape = graph.tensors[op.left].shape
    expect(op, "the second value", graph.tensors[op.right].shape, shape)
    expect(op, "the output", graph.tensors[op.output].shape, shape)
    condition = graph.tensors[op.condition].shape
    if condition not in (shape, shape[:1], ()):
        raise fail(op, f"a condition of the shape {list(condition)} for {list(shape)}")


def _add_n(graph: Graph, op: AddN) -> None:
    for index in op.sources:
        expect(op, "a summand", graph.tensors[index].shape, graph.tensors[op.output].shape)


#: Rules by operator, see `verify`.
RULES: dict[type[Operator], OperatorRule] = {
    AddN: _add_n,
    Binary: broadcast,
    Prelu: broadcast,
    Select: _select,
}
