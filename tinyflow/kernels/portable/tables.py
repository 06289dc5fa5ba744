# SPDX-License-Identifier: Apache-2.0
"""Functions of one int8 tensor, as tables, in portable C.

Here too: LOG_SOFTMAX and L2_NORMALIZATION, functions of a row of the last dimension.
"""

from __future__ import annotations

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.ir.quantization import quantize_multiplier
from tinyflow.ir.tables import (
    Abs,
    ElementFunction,
    Elu,
    HardSwish,
    L2Normalization,
    LeakyRelu,
    Logistic,
    LogSoftmax,
    Relu,
    Relu6,
    ReluN1To1,
    Rsqrt,
    Tanh,
)
from tinyflow.ir.unquantised import Exp, Gelu, Log, Neg
from tinyflow.kernels.base import Constant, Kernel, Overlap, RowForm, output_of, row_elements
from tinyflow.kernels.cmsis_nn.elementwise import elementwise_work
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.numerics.multipliers import softmax_parameters
from tinyflow.numerics.operator_tables import table_of

_HEADER = "tinyflow_tables.h"


def logistic(op: Logistic, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """LOGISTIC: int8, output scale 1/256, by a table."""
    return _lookup(op, graph)


def tanh(op: Tanh, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """TANH: int8, output scale 1/128, by a table."""
    return _lookup(op, graph)


def hard_swish(op: HardSwish, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """HARD_SWISH: int8, the input's scale below 128 times the output's, by a table."""
    return _lookup(op, graph)


def relu(op: Relu, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """RELU: int8, by a table."""
    return _lookup(op, graph)


def relu6(op: Relu6, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """RELU6: int8, not requantised to the output's scale as in the reference, by a table."""
    return _lookup(op, graph)


def relu_n1_to_1(op: ReluN1To1, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """RELU_N1_TO_1: int8, by a table."""
    return _lookup(op, graph)


def leaky_relu(op: LeakyRelu, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """LEAKY_RELU: int8, alpha of either sign, by a table."""
    return _lookup(op, graph)


def absolute(op: Abs, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ABS: int8, by a table."""
    return _lookup(op, graph)


def elu(op: Elu, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ELU: int8, by a table."""
    return _lookup(op, graph)


def exp(op: Exp, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """EXP: int8, by a table with LiteRT's arithmetic."""
    return _lookup(op, graph)


def log(op: Log, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """LOG: int8, by a table with LiteRT's arithmetic."""
    return _lookup(op, graph)


def neg(op: Neg, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """NEG: int8 of one scale and zero points of 0, by a table with LiteRT's arithmetic."""
    return _lookup(op, graph)


def gelu(op: Gelu, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """GELU: int8, exact or approximate, by a table with LiteRT's arithmetic."""
    return _lookup(op, graph)


def rsqrt(op: Rsqrt, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """RSQRT: int8, input zero point -128 (no negative numbers), by a table."""
    return _lookup(op, graph)


def _lookup(op: ElementFunction, graph: Graph) -> Kernel:
    table = table_of(op, graph)
    assert table is not None, f"{op.kind} of another type than int8"
    output = output_of(graph, op)
    return Kernel(
        op,
        "tinyflow_lut_s8",
        "tinyflow",
        "portable/lut_s8.c.j2",
        {"elements": output.elements, "row_elements": row_elements(output)},
        constants=(Constant("table", "int8_t", table, "output by the input's byte [256]"),),
        header=_HEADER,
        overlaps=(Overlap("input"),),
        row_form=RowForm("portable/lut_row_s8.c.j2", overlaps=(Overlap("input"),)),
        work=elementwise_work(output),
    )


def log_softmax(op: LogSoftmax, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """LOG_SOFTMAX: int8, over the last dimension, at most 4095 elements."""
    source = graph.tensors[op.input]
    multiplier, least = softmax_parameters(op, source, 1.0)
    # Back to the input's scale (`PreprocessLogSoftmaxScalingExp`).
    reverse = quantize_multiplier((1 << (31 - multiplier.shift)) / multiplier.multiplier)
    return Kernel(
        op,
        "tinyflow_log_softmax_s8",
        "tinyflow",
        "portable/log_softmax_s8.c.j2",
        {
            "rows": source.elements // source.shape[-1],
            "depth": source.shape[-1],
            "multiplier": multiplier,
            "reverse": reverse,
            "least_difference": least,
        },
        header=_HEADER,
    )


def l2_normalization(
    op: L2Normalization, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """L2_NORMALIZATION: int8, over the last dimension, output scale 1/128, up to rank 4."""
    source = graph.tensors[op.input]
    return Kernel(
        op,
        "tinyflow_l2_normalization_s8",
        "tinyflow",
        "portable/l2_normalization_s8.c.j2",
        {
            "rows": source.elements // source.shape[-1],
            "depth": source.shape[-1],
            "zero_point": source.q.zero_point,
        },
        header=_HEADER,
    )


#: Functions of one element, which are tables of 256 values.
LUTS: dict[type[Operator], tuple[Maker, ...]] = {
    Abs: (absolute,),
    Elu: (elu,),
    Exp: (exp,),
    Gelu: (gelu,),
    HardSwish: (hard_swish,),
    LeakyRelu: (leaky_relu,),
    Log: (log,),
    Logistic: (logistic,),
    Neg: (neg,),
    Relu: (relu,),
    Relu6: (relu6,),
    ReluN1To1: (relu_n1_to_1,),
    Rsqrt: (rsqrt,),
    Tanh: (tanh,),
}

KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    **LUTS,
    L2Normalization: (l2_normalization,),
    LogSoftmax: (log_softmax,),
}
