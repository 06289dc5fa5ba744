# SPDX-License-Identifier: Apache-2.0
"""Element-wise operators of two operands, in portable C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyflow.boards import Board
from tinyflow.errors import UnsupportedError
from tinyflow.ir.elementwise import (
    Comparison,
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Maximum,
    Minimum,
    Mul,
    NotEqual,
    Prelu,
    Select,
    SelectV1,
    SquaredDifference,
    Sub,
)
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Add, Operator
from tinyflow.ir.quantization import (
    FixedPoint,
    activation_range,
    int16_range,
    quantize_multiplier,
)
from tinyflow.ir.unquantised import Div
from tinyflow.kernels.base import Constant, Kernel, Overlap, output_of
from tinyflow.kernels.cmsis_nn.elementwise import elementwise_work
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.numerics.multipliers import (
    ADD_LEFT_SHIFT_INT16,
    add_multipliers,
    fraction,
    output_multiplier,
)

#: Nested loops of the C; `tinyflow_elementwise.h` has the same number.
LOOPS = 5
SQUARED_DIFFERENCE_LEFT_SHIFT = 7
_HEADER = "tinyflow_elementwise.h"


def loops(
    operator: Operator, output: tuple[int, ...], *operands: tuple[int, ...]
) -> dict[str, list[Any]]:
    """The loop nest of a broadcast, outermost first: extents, and each operand's steps.

    No operand's rank is above the output's. Neighbouring dimensions that all operands run
    through alike become one loop, as in `BroadcastBinaryOpSimple` of TFLM's `broadcast_loop.h`.

    Raises:
        UnsupportedError: more loops are left than the kernels have.
    """
    shapes = [(1,) * (len(output) - len(shape)) + shape for shape in operands]
    nest: list[tuple[int, list[int]]] = []
    strides = [1] * len(shapes)
    for axis in reversed(range(len(output))):
        extents = [shape[axis] for shape in shapes]
        steps = [0 if n == 1 else stride for n, stride in zip(extents, strides, strict=True)]
        strides = [stride * n for n, stride in zip(extents, strides, strict=True)]
        if output[axis] == 1:
            continue
        if nest and steps == [step * nest[-1][0] for step in nest[-1][1]]:
            nest[-1] = (nest[-1][0] * output[axis], nest[-1][1])
        else:
            nest.append((output[axis], steps))
    if len(nest) > LOOPS:
        raise UnsupportedError(
            f"{operator.kind} layer {operator.name!r}: the broadcast takes {len(nest)} nested "
            f"loops, at most {LOOPS}"
        )
    nest += [(1, [0] * len(shapes))] * (LOOPS - len(nest))
    nest.reverse()
    return {
        "extents": [extent for extent, _ in nest],
        "steps": [[steps[i] for _, steps in nest] for i in range(len(shapes))],
    }


def _kernel(
    op: Operator,
    graph: Graph,
    function: str,
    template: str,
    *,
    shapes: Sequence[tuple[int, ...]] = (),
    header: str = _HEADER,
    file: str | None = None,
    **context: object,
) -> Kernel:
    """A kernel on the operands' broadcast; constant operands go to flash.

    `shapes` are the operands' where they are not aligned at the last dimension.
    """
    output = output_of(graph, op)
    fields = [(field, graph.tensors[getattr(op, field)]) for field in op.input_fields]
    shapes = shapes or [tensor.shape for _, tensor in fields]
    shape = output.shape
    for each in shapes:  # a rank above the output's has leading dimensions of 1 only
        shape = (1,) * (len(each) - len(shape)) + shape
    return Kernel(
        operator=op,
        function=function,
        library="tinyflow",
        template=f"portable/{template}.c.j2",
        context={
            "function": function,
            "loops": loops(op, shape, *shapes),
            **dict(fields),
            "output": output,
            **context,
        },
        constants=tuple(
            Constant(
                field,
                tensor.dtype.c_type,
                tensor.values.astype(tensor.dtype.c_type.removesuffix("_t")),
                f"{field} {list(tensor.shape)}",
            )
            for field, tensor in fields
            if tensor.is_constant
        ),
        header=header,
        file=file,
        needs=() if header == _HEADER else (_HEADER,),
        overlaps=tuple(
            Overlap(field, exact=True)
            for field, tensor in fields
            if not tensor.is_constant and _is_like(tensor, output)
        ),
        work=elementwise_work(output),
    )


def _is_like(operand: Tensor, output: Tensor) -> bool:
    """Whether the loops run through an operand as through the output."""
    return operand.shape == output.shape and operand.size == output.size


def mul_s8(op: Mul, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """MUL: int8, broadcast in up to five loops, one operand may be constant."""
    left, right, output = _operands(op, graph)
    return _kernel(
        op,
        graph,
        "tinyflow_mul_s8",
        "mul_s8",
        multiplier=output_multiplier(op, left.q.scale * right.q.scale / output.q.scale),
        range=activation_range(op.activation, output.q),
    )


#: Shifts of DIV's multiplier for which the reference's own shifts are defined on x86.
_DIV_SHIFTS = range(-25, 23)


def div_s8(op: Div, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """DIV: int8, broadcast in up to five loops, one operand may be constant."""
    left, right, output = _operands(op, graph)
    multiplier = quantize_multiplier(left.q.scale / (right.q.scale * output.q.scale))
    if multiplier.shift not in _DIV_SHIFTS:
        raise UnsupportedError(
            f"{op.kind} layer {op.name!r}: the scales' ratio is about 2^{multiplier.shift}, "
            f"not of 2^{_DIV_SHIFTS[0]} to 2^{_DIV_SHIFTS[-1]}"
        )
    return _kernel(
        op,
        graph,
        "tinyflow_div_s8",
        "div_s8",
        header="tinyflow_div.h",
        multiplier=multiplier,
        range=activation_range(op.activation, output.q),
    )


def add_s8(op: Add, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ADD: int8, broadcast in up to five loops, one operand may be constant."""
    left, right, output = _operands(op, graph)
    return _sum(op, graph, 1, add_multipliers(op, left, right, output))


def sub_s8(op: Sub, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SUB: int8, broadcast in up to five loops, one operand may be constant."""
    left, right, output = _operands(op, graph)
    return _sum(op, graph, -1, add_multipliers(op, left, right, output))


def _sum(op: Add | Sub, graph: Graph, sign: int, multipliers: tuple[FixedPoint, ...]) -> Kernel:
    return _kernel(
        op,
        graph,
        "tinyflow_sum_s8",
        "sum_s8",
        sign=sign,
        multipliers=multipliers,
        range=activation_range(op.activation, output_of(graph, op).q),
    )


def maximum_s8(op: Maximum, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """MAXIMUM: int8 of one quantisation, broadcast in up to five loops, one operand may be
    constant.
    """
    return _kernel(op, graph, "tinyflow_maximum_s8", "extremum_s8")


def minimum_s8(op: Minimum, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """MINIMUM: int8 of one quantisation, broadcast in up to five loops, one operand may be
    constant.
    """
    return _kernel(op, graph, "tinyflow_minimum_s8", "extremum_s8")


def squared_difference_s8(
    op: SquaredDifference, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """SQUARED_DIFFERENCE: int8, broadcast in up to five loops, one operand may be constant."""
    left, right, output = (tensor.q.scale for tensor in _operands(op, graph))
    twice_max = 2.0 * max(left, right)
    with np.errstate(over="ignore"):  # in float32, as the reference
        square = float(np.float32(1 << 2 * SQUARED_DIFFERENCE_LEFT_SHIFT) * np.float32(output))
    return _kernel(
        op,
        graph,
        "tinyflow_squared_difference_s8",
        "squared_difference_s8",
        multipliers=(
            fraction(op, left / twice_max),
            fraction(op, right / twice_max),
            output_multiplier(op, twice_max * twice_max / square),
        ),
    )


def prelu_s8(op: Prelu, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """PRELU: int8, slopes broadcast in up to five loops, constant or computed."""
    source, alpha, output = _operands(op, graph)
    return _kernel(
        op,
        graph,
        "tinyflow_prelu_s8",
        "prelu_s8",
        positive=output_multiplier(op, source.q.scale / output.q.scale),
        negative=output_multiplier(op, source.q.scale * alpha.q.scale / output.q.scale),
    )


def _comparison(relation: str) -> Maker:
    def make(op: Comparison, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
        left, right, _ = _operands(op, graph)
        return _kernel(
            op,
            graph,
            "tinyflow_compare_s8",
            "compare_s8",
            relation=f"TINYFLOW_{relation}",
            multipliers=(fraction(op, left.q.scale), fraction(op, right.q.scale)),
        )

    make.__doc__ = (
        f"{relation}: int8 of scales below 1, broadcast in up to five loops, one operand may be "
        "constant; the output is bool, read by SELECT_V2."
    )
    return make


def select_s8(op: Select, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SELECT_V2: int8 values of one quantisation, condition bool, broadcast in up to five loops,
    any operand may be constant.
    """
    return _kernel(op, graph, "tinyflow_select_s8", "select_s8")


def select_v1_s8(op: SelectV1, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SELECT: int8 values of one shape and quantisation; the condition is bool, of that shape, a
    vector along the first dimension or a scalar. Any operand may be constant.
    """
    values = output_of(graph, op).shape
    condition = graph.tensors[op.condition].shape
    first = condition + (1,) * (len(values) - len(condition))
    return _kernel(op, graph, "tinyflow_select_s8", "select_s8", shapes=(first, values, values))


def _operands(op: Operator, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    left, right = (graph.tensors[index] for index in op.inputs())
    return left, right, output_of(graph, op)


def mul_s16(op: Mul, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """MUL: int16, broadcast in up to five loops, one operand may be constant."""
    left, right, output = _operands(op, graph)
    return _kernel(
        op,
        graph,
        "tinyflow_mul_s16",
        "mul_s16",
        multiplier=output_multiplier(op, left.q.scale * right.q.scale / output.q.scale),
        range=int16_range(op.activation, output.q),
    )


def sum_s16(op: Add | Sub, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ADD and SUB: int16, broadcast in up to five loops, one operand may be constant."""
    left, right, output = _operands(op, graph)
    return _kernel(
        op,
        graph,
        "tinyflow_sum_s16",
        "sum_s16",
        sign=1 if isinstance(op, Add) else -1,
        multipliers=add_multipliers(op, left, right, output, ADD_LEFT_SHIFT_INT16),
        range=int16_range(op.activation, output.q),
    )


def extremum_s16(
    op: Maximum | Minimum, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """MAXIMUM and MINIMUM: int16 of one scale, broadcast in up to five loops, one operand may be
    constant.
    """
    return _kernel(op, graph, f"tinyflow_{op.kind.lower()}_s16", "extremum_s16")


_HEADER_S16 = "tinyflow_elementwise_s16.h"


def squared_difference_s16(
    op: SquaredDifference, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """SQUARED_DIFFERENCE: int16, broadcast in up to five loops, one operand may be constant."""
    left, right, output = (tensor.q.scale for tensor in _operands(op, graph))
    twice_max = 2.0 * max(left, right)
    return _kernel(
        op,
        graph,
        "tinyflow_squared_difference_s16",
        "squared_difference_s8",
        header=_HEADER_S16,
        file="squared_difference_s16",
        multipliers=(
            fraction(op, left / twice_max),
            fraction(op, right / twice_max),
            output_multiplier(op, twice_max * twice_max / output),
        ),
    )


def select_s16(op: Select, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SELECT_V2: int16 values of one scale, condition bool, broadcast in up to five loops, any
    operand may be constant.
    """
    return _kernel(
        op, graph, "tinyflow_select_s16", "select_s8", header=_HEADER_S16, file="select_s16"
    )


_COMPARISONS: tuple[type[Comparison], ...] = (
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
)

KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    Div: (div_s8,),
    Mul: (mul_s8,),
    Sub: (sub_s8,),
    Maximum: (maximum_s8,),
    Minimum: (minimum_s8,),
    SquaredDifference: (squared_difference_s8,),
    Prelu: (prelu_s8,),
    Select: (select_s8,),
    SelectV1: (select_v1_s8,),
    **{kind: (_comparison(kind.kind),) for kind in _COMPARISONS},
}
INT16_KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    Add: (sum_s16,),
    Maximum: (extremum_s16,),
    Minimum: (extremum_s16,),
    Mul: (mul_s16,),
    Select: (select_s16,),
    SquaredDifference: (squared_difference_s16,),
    Sub: (sum_s16,),
}
