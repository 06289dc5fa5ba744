# SPDX-License-Identifier: Apache-2.0
"""ADD, SOFTMAX and PAD on CMSIS-NN."""

from __future__ import annotations

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Add, Pad, Softmax
from tinyflow.ir.quantization import activation_range
from tinyflow.kernels.base import Kernel, Overlap, RowForm, nhwc, output_of, row_elements
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.numerics.multipliers import ADD_LEFT_SHIFT, add_multipliers, softmax_parameters

#: The sum may be written over either operand.
ADD_OVERLAPS = (Overlap("left"), Overlap("right"))


def elementwise_add_s8(op: Add, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ADD: int8, computed operands of the same shape."""
    if not cmsis.has("arm_elementwise_add_s8") or not same_shapes(op, graph):
        return None
    return Kernel(
        operator=op,
        function="arm_elementwise_add_s8",
        library="CMSIS-NN",
        template="cmsis_nn/elementwise_add_s8.c.j2",
        context=add_context(op, graph),
        overlaps=ADD_OVERLAPS,
        row_form=RowForm("cmsis_nn/elementwise_add_row_s8.c.j2", overlaps=ADD_OVERLAPS),
        work=elementwise_work(output_of(graph, op)),
    )


def elementwise_work(output: Tensor) -> dict[str, int]:
    """The work of one loop over an output's elements."""
    return {"calls": 1, "elements": output.elements}


def same_shapes(op: Add, graph: Graph) -> bool:
    """Whether both operands are computed and have the output's shape."""
    left, right, output = graph.tensors[op.left], graph.tensors[op.right], output_of(graph, op)
    constant = left.is_constant or right.is_constant
    return not constant and left.shape == right.shape == output.shape


def add_context(op: Add, graph: Graph) -> dict[str, object]:
    """Return the arguments that both the CMSIS-NN and the portable ADD are called with."""
    left, right, output = graph.tensors[op.left], graph.tensors[op.right], output_of(graph, op)
    return {
        "operands": (left, right),
        "result": output,
        "elements": output.elements,
        "row_elements": row_elements(output),
        "multipliers": add_multipliers(op, left, right, output),
        "left_shift": ADD_LEFT_SHIFT,
        "range": activation_range(op.activation, output.q),
    }


def softmax_s8(op: Softmax, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SOFTMAX: int8, over the last dimension; beyond 511 elements, rows of like ones excepted."""
    if not cmsis.has("arm_softmax_s8"):
        return None
    return Kernel(
        operator=op,
        function="arm_softmax_s8",
        library="CMSIS-NN",
        template="cmsis_nn/softmax_s8.c.j2",
        context=softmax_context(op, graph),
        overlaps=(Overlap("input"),),
        work=softmax_work(op, graph),
    )


def softmax_work(op: Softmax, graph: Graph) -> dict[str, int]:
    """The work of SOFTMAX: its rows, and their elements."""
    source = graph.tensors[op.input]
    return {"calls": 1, "rows": source.elements // source.shape[-1], "elements": source.elements}


def softmax_context(op: Softmax, graph: Graph) -> dict[str, object]:
    """Return the arguments that both the CMSIS-NN and the portable SOFTMAX are called with."""
    source = graph.tensors[op.input]
    multiplier, least = softmax_parameters(op, source, op.beta)
    return {
        "rows": source.elements // source.shape[-1],
        "depth": source.shape[-1],
        "multiplier": multiplier,
        "least_difference": least,
    }


def pad_s8(op: Pad, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """PAD: int8, up to 4 dimensions."""
    source = graph.tensors[op.input]
    if not cmsis.has("arm_pad_s8") or len(source.shape) > 4:
        return None
    pads = ((0, 0),) * (4 - len(op.paddings)) + op.paddings
    return Kernel(
        operator=op,
        function="arm_pad_s8",
        library="CMSIS-NN",
        template="cmsis_nn/pad_s8.c.j2",
        context={
            "value": source.q.zero_point,
            "input_dims": nhwc(source),
            "before": [pair[0] for pair in pads],
            "after": [pair[1] for pair in pads],
        },
        work=pad_work(op, graph),
    )


def pad_work(op: Pad, graph: Graph) -> dict[str, int]:
    """The work of PAD: the rows copied, and all elements."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    rows = source.elements // source.shape[-1]
    return {"calls": 1, "rows": rows, "elements": output.elements}
