# SPDX-License-Identifier: Apache-2.0
"""Sums of several tensors and running sums, of int8 and float32, in portable C."""

from __future__ import annotations

import math
from typing import Any

from tinyflow.boards import Board
from tinyflow.ir.elementwise import AddN
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Operator
from tinyflow.ir.types import DType
from tinyflow.ir.windows import CumSum
from tinyflow.kernels.base import Constant, Kernel, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.numerics.multipliers import add_multipliers

_NEEDS = ("tinyflow_elementwise.h", "tinyflow_math.h")


def _scaling(op: Operator, source: Tensor, output: Tensor) -> dict[str, Any] | None:
    """Return the scaling of an int8 sum; None for float32."""
    if output.dtype is DType.FLOAT32:
        return None
    _, _, multiplier = add_multipliers(op, source, source, output)
    return {"offset": -source.q.zero_point, "output": output, "multiplier": multiplier}


def _kernel(
    op: Operator, name: str, context: dict[str, Any], constants: tuple[Constant, ...] = ()
) -> Kernel:
    return Kernel(
        op,
        f"tinyflow_{name}_{'f32' if context['scaling'] is None else 's8'}",
        "tinyflow",
        f"portable/{name}.c.j2",
        context,
        constants,
        header="tinyflow_sums.h",
        needs=_NEEDS,
    )


def add_n(op: AddN, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ADD_N: int8, of one scale and zero point; constants may be among the inputs."""
    output = output_of(graph, op)
    sources = [graph.tensors[index] for index in op.sources]
    constants = tuple(
        Constant(f"input_{position}", tensor.dtype.c_type, tensor.values, f"input {position}")
        for position, tensor in enumerate(sources)
        if tensor.is_constant
    )
    context = {
        "scaling": _scaling(op, sources[0], output),
        "c_type": output.dtype.c_type,
        "count": len(sources),
        "elements": output.elements,
    }
    return _kernel(op, "add_n", context, constants)


def cumsum(op: CumSum, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """CUMSUM: int8, along any one dimension, from either end, with or without the element."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    context = {
        "scaling": _scaling(op, source, output),
        "outer": math.prod(source.shape[: op.axis]),
        "depth": source.shape[op.axis],
        "inner": math.prod(source.shape[op.axis + 1 :]),
        "exclusive": op.exclusive,
        "reverse": op.reverse,
    }
    return _kernel(op, "cumsum", context)


KERNELS: dict[type[Operator], tuple[Maker, ...]] = {AddN: (add_n,), CumSum: (cumsum,)}
