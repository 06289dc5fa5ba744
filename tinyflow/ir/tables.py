# SPDX-License-Identifier: Apache-2.0
"""Functions of one int8 tensor, as tables: their dataclasses and rules.

Here too: LOG_SOFTMAX and L2_NORMALIZATION, functions of a row of the last dimension.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.ir.checks import OperatorRule, expect
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Unary


@dataclass(frozen=True)
class ElementFunction(Unary):
    """Base of elementwise functions of one tensor."""


@dataclass(frozen=True)
class Logistic(ElementFunction):
    """1 / (1 + exp(-x))."""

    kind = "LOGISTIC"


@dataclass(frozen=True)
class Tanh(ElementFunction):
    """The hyperbolic tangent."""

    kind = "TANH"


@dataclass(frozen=True)
class HardSwish(ElementFunction):
    """x * min(max(x + 3, 0), 6) / 6."""

    kind = "HARD_SWISH"


@dataclass(frozen=True)
class Relu(ElementFunction):
    """max(x, 0)."""

    kind = "RELU"


@dataclass(frozen=True)
class Relu6(ElementFunction):
    """min(max(x, 0), 6)."""

    kind = "RELU6"


@dataclass(frozen=True)
class ReluN1To1(ElementFunction):
    """min(max(x, -1), 1)."""

    kind = "RELU_N1_TO_1"


@dataclass(frozen=True)
class LeakyRelu(ElementFunction):
    """x, or alpha * x where x is negative."""

    kind = "LEAKY_RELU"

    alpha: float


@dataclass(frozen=True)
class Abs(ElementFunction):
    """|x|."""

    kind = "ABS"


@dataclass(frozen=True)
class Elu(ElementFunction):
    """x, or exp(x) - 1 where x is negative."""

    kind = "ELU"


@dataclass(frozen=True)
class Rsqrt(ElementFunction):
    """1 / sqrt(x)."""

    kind = "RSQRT"


@dataclass(frozen=True)
class LogSoftmax(Unary):
    """The logarithm of softmax over the last dimension."""

    kind = "LOG_SOFTMAX"


@dataclass(frozen=True)
class L2Normalization(Unary):
    """Each row of the last dimension divided by its length."""

    kind = "L2_NORMALIZATION"


def _same_shape(graph: Graph, op: Unary) -> None:
    expect(op, "the output", graph.tensors[op.output].shape, graph.tensors[op.input].shape)


#: Rules by operator, see `verify`.
RULES: dict[type[Operator], OperatorRule] = {
    ElementFunction: _same_shape,
    LogSoftmax: _same_shape,
    L2Normalization: _same_shape,
}
