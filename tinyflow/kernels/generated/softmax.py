# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX by a table of exponentials, on any core."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Softmax
from tinyflow.ir.quantization import FixedPoint
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel, Overlap, output_of
from tinyflow.kernels.makers import VariantMaker
from tinyflow.kernels.name import KernelName
from tinyflow.numerics import fixed_point as fp
from tinyflow.numerics.multipliers import SOFTMAX_INTEGER_BITS, softmax_parameters

_NAME = KernelName("softmax", "s8", "c")
#: Exponentials below this, with 31 fractional bits, count neither in a sum, which has 19, nor in
#: an output, of which one step is 1/256 of that sum.
_LEAST = 1 << 11


def softmax_s8(op: Softmax, graph: Graph, board: Board) -> Iterator[Kernel]:
    """SOFTMAX: int8, over the last dimension; beyond 511 elements, rows of like ones excepted.

    On Cortex-M0+, M3, M4, M7 and M33. In place.
    """
    source, output = graph.tensors[op.input], output_of(graph, op)
    if source.dtype is not DType.INT8 or output.dtype is not DType.INT8:
        return
    depth = source.shape[-1]
    rows = source.elements // depth
    table = _exponentials(*softmax_parameters(op, source, op.beta))
    count = len(table)
    yield Kernel(
        operator=op,
        function=str(_NAME),
        library="tinyflow",
        template="generated/softmax.c.j2",
        context={"count": count, "rows": rows, "depth": depth},
        constants=(Constant("exponentials", "int32_t", table, f"by difference [{count}]"),),
        header="tinyflow_softmax_s8_c.h",
        file="softmax_s8_c",
        name=_NAME,
        overlaps=(Overlap("input"),),
        work={"calls": 1, "rows": rows, "elements": rows * depth},
    )


def _exponentials(multiplier: FixedPoint, least_difference: int) -> NDArray[np.int32]:
    """exp of the differences 0, -1, ... as TFLM computes it, as long as it counts."""
    found = []
    for difference in range(0, max(least_difference, -255) - 1, -1):
        scaled = fp.doubling_high_multiply(
            fp.wrap(difference << multiplier.shift), multiplier.multiplier
        )
        exponential = fp.exp_of_negative(scaled, SOFTMAX_INTEGER_BITS)
        if exponential < _LEAST:
            break
        found.append(exponential)
    return np.array(found, np.int32)


VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {Softmax: (softmax_s8,)}
