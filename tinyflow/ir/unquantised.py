# SPDX-License-Identifier: Apache-2.0
"""Operators on float32 and int32, and conversions to and from them.

What other families have, such as ADD, is one dataclass for all types: the tensors' types
distinguish them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.ir.checks import OperatorRule, expect
from tinyflow.ir.elementwise import AddN, Binary, Comparison, Prelu, Select
from tinyflow.ir.graph import Graph
from tinyflow.ir.movement import BroadcastArgs, Gather, GatherNd
from tinyflow.ir.operators import (
    Add,
    Mean,
    Operator,
    Pool2D,
    Reshape,
    Softmax,
    TensorId,
    Weighted,
)
from tinyflow.ir.tables import ElementFunction, L2Normalization, LogSoftmax
from tinyflow.ir.types import Activation, DType
from tinyflow.ir.windows import ArgExtreme, BatchMatMul, CumSum, Reduction, ResizeBilinear


@dataclass(frozen=True)
class Div(Binary):
    """Quotient."""

    kind = "DIV"

    activation: Activation


@dataclass(frozen=True)
class FloorDiv(Binary):
    """The greatest integer not above the quotient; a divisor of 0 ends the inference."""

    kind = "FLOOR_DIV"


@dataclass(frozen=True)
class FloorMod(Binary):
    """Remainder of a division by FLOOR_DIV; it has the divisor's sign."""

    kind = "FLOOR_MOD"


@dataclass(frozen=True)
class L2Pool2D(Pool2D):
    """Square root of the mean of squares over a window; padding does not count."""

    kind = "L2_POOL_2D"


@dataclass(frozen=True)
class Neg(ElementFunction):
    """-x."""

    kind = "NEG"


@dataclass(frozen=True)
class Exp(ElementFunction):
    """e to the power of x."""

    kind = "EXP"


@dataclass(frozen=True)
class Log(ElementFunction):
    """The natural logarithm."""

    kind = "LOG"


@dataclass(frozen=True)
class Sin(ElementFunction):
    """The sine."""

    kind = "SIN"


@dataclass(frozen=True)
class Cos(ElementFunction):
    """The cosine."""

    kind = "COS"


@dataclass(frozen=True)
class Sqrt(ElementFunction):
    """The square root."""

    kind = "SQRT"


@dataclass(frozen=True)
class Square(ElementFunction):
    """x * x."""

    kind = "SQUARE"


@dataclass(frozen=True)
class Floor(ElementFunction):
    """The greatest integer not above x."""

    kind = "FLOOR"


@dataclass(frozen=True)
class Ceil(ElementFunction):
    """The least integer not below x."""

    kind = "CEIL"


@dataclass(frozen=True)
class Round(ElementFunction):
    """The nearest integer, halves to even."""

    kind = "ROUND"


@dataclass(frozen=True)
class Gelu(ElementFunction):
    """x times the normal distribution at x; `approximate` takes it from a hyperbolic tangent."""

    kind = "GELU"

    approximate: bool


@dataclass(frozen=True)
class Cast(ElementFunction):
    """Conversion from one type to another, with no scale."""

    kind = "CAST"


@dataclass(frozen=True)
class Embedding(Operator):
    """The rows of a constant table at computed indices."""

    kind = "EMBEDDING_LOOKUP"
    input_fields = ("indices", "table")

    indices: TensorId
    table: TensorId
    output: TensorId


@dataclass(frozen=True)
class Tabulated(ElementFunction):
    """A function of one int8 tensor that replaces a chain of others, or a float subgraph.

    Attributes:
        kinds: the operators it replaces, in order.
        values: int8, by the input's byte: of 0 to 127, then of -128 to -1.
    """

    kind = "TABLE"

    kinds: tuple[str, ...]
    values: tuple[int, ...]

    @property
    def title(self) -> str:
        """The operators it replaces."""
        return "+".join(self.kinds)


#: Operators that compute, whose arithmetic depends on the type.
_COMPUTING = (
    Add,
    AddN,
    ArgExtreme,
    BatchMatMul,
    Binary,
    CumSum,
    ElementFunction,
    L2Normalization,
    LogSoftmax,
    Mean,
    Pool2D,
    Prelu,
    Reduction,
    ResizeBilinear,
    Select,
    Softmax,
    Weighted,
)


_UNQUANTISED = (DType.FLOAT32, DType.INT32, DType.INT64)


def is_float(graph: Graph, operator: Operator) -> bool:
    """Whether an operator computes in float32; moving and converting is not computing."""
    touched = (*operator.inputs(), *operator.outputs())
    return (
        isinstance(operator, _COMPUTING)
        and not isinstance(operator, Cast | Tabulated)
        and any(graph.tensors[index].dtype is DType.FLOAT32 for index in touched)
    )


def is_unquantised(graph: Graph, operator: Operator) -> bool:
    """Whether an operator computes on float32 or int32, or replaces such operators."""
    if isinstance(operator, Tabulated):
        return True
    if isinstance(operator, Comparison) and graph.tensors[operator.left].dtype is DType.BOOL:
        return True
    if isinstance(operator, Add | Binary | Select):
        return graph.tensors[operator.left].dtype in _UNQUANTISED
    return is_float(graph, operator)


def index_extent(graph: Graph, tensor: TensorId) -> int | None:
    """Return the number of choices if a tensor holds indices; else None."""
    carried, extents = {tensor}, []
    for op in graph.operators:
        if isinstance(op, Gather) and op.indices in carried:
            extents.append(graph.tensors[op.input].shape[op.axis])
        elif isinstance(op, GatherNd) and op.indices in carried:
            count = graph.tensors[op.indices].shape[-1]
            extents.append(min(graph.tensors[op.input].shape[:count]))
        elif isinstance(op, BroadcastArgs) and carried & {*op.inputs()}:
            extents.append(2)  # extents that agree: of 0 and 1, any two
        elif isinstance(op, Embedding) and op.indices in carried:
            extents.append(graph.tensors[op.table].shape[0])
        elif isinstance(op, Add | Select | Reshape) and carried & {*op.inputs()}:
            carried |= {*op.outputs()}  # negative ones made to count from the end
    return min(extents, default=None)


def _rows(graph: Graph, op: Embedding) -> None:
    table = graph.tensors[op.table].shape
    due = graph.tensors[op.indices].shape + table[1:]
    expect(op, "the output", graph.tensors[op.output].shape, due)


#: Rules by operator, see `verify`; those of `Binary` and `ElementFunction` hold, too.
RULES: dict[type[Operator], OperatorRule] = {Embedding: _rows}
