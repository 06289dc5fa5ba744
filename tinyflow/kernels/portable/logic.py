# SPDX-License-Identifier: Apache-2.0
"""Operators on truth values of one byte, in portable C."""

from __future__ import annotations

from dataclasses import replace

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.logic import LogicalAnd, LogicalNot, LogicalOr, ReduceAll
from tinyflow.ir.operators import Operator
from tinyflow.ir.windows import extended
from tinyflow.kernels.base import Kernel, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.kernels.portable.elementwise import loops
from tinyflow.kernels.portable.unquantised import constants_of
from tinyflow.kernels.portable.windows import reduction_loops


def _kernel(op: Operator, function: str, template: str, **context: object) -> Kernel:
    return Kernel(
        op,
        function,
        "tinyflow",
        f"portable/{template}.c.j2",
        {"function": function, **context},
        header="tinyflow_logic.h",
        file="logic",
        needs=("tinyflow_elementwise.h", "tinyflow_windows.h"),
    )


def binary(op: LogicalAnd | LogicalOr, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """LOGICAL_AND and LOGICAL_OR: bool, broadcast in up to five loops, one operand may be
    constant.
    """
    shapes = [graph.tensors[index].shape for index in op.inputs()]
    output = extended(output_of(graph, op).shape, max(map(len, shapes)))
    kernel = _kernel(
        op, f"tinyflow_{op.kind.lower()}", "binary_s32", loops=loops(op, output, *shapes)
    )
    return replace(kernel, constants=constants_of(graph, left=op.left, right=op.right))


def negation(op: LogicalNot, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """LOGICAL_NOT: bool."""
    elements = output_of(graph, op).elements
    return _kernel(op, "tinyflow_logical_not", "unary_f32", elements=elements, alpha=None)


def reduce_all(op: ReduceAll, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """REDUCE_ALL: bool, any axes."""
    found = reduction_loops(op, graph.tensors[op.input].shape, op.axes)
    return _kernel(op, "tinyflow_reduce_all", "reduce_f32", loops=found)


KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    LogicalAnd: (binary,),
    LogicalNot: (negation,),
    LogicalOr: (binary,),
    ReduceAll: (reduce_all,),
}
