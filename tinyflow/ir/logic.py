# SPDX-License-Identifier: Apache-2.0
"""Operators on truth values: their dataclasses and rules. A value is one byte, 0 or 1."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.ir.checks import OperatorRule, expect
from tinyflow.ir.elementwise import Binary
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Unary
from tinyflow.ir.windows import Reduction


@dataclass(frozen=True)
class LogicalAnd(Binary):
    """Whether both operands hold."""

    kind = "LOGICAL_AND"


@dataclass(frozen=True)
class LogicalOr(Binary):
    """Whether one operand holds, or both."""

    kind = "LOGICAL_OR"


@dataclass(frozen=True)
class LogicalNot(Unary):
    """Whether the input does not hold."""

    kind = "LOGICAL_NOT"


@dataclass(frozen=True)
class ReduceAll(Reduction):
    """Whether all elements over axes hold."""

    kind = "REDUCE_ALL"


def _same_shape(graph: Graph, op: LogicalNot) -> None:
    expect(op, "the output", graph.tensors[op.output].shape, graph.tensors[op.input].shape)


#: Rules by operator, see `verify`; those of `Binary` and `Reduction` hold, too.
RULES: dict[type[Operator], OperatorRule] = {LogicalNot: _same_shape}
