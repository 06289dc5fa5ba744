# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED on CMSIS-NN."""

from __future__ import annotations

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import FullyConnected
from tinyflow.ir.quantization import activation_range
from tinyflow.kernels.base import Constant, Kernel, bias_constant, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.numerics.multipliers import accumulator_multipliers

PER_CHANNEL = "arm_fully_connected_per_channel_s8"


def fully_connected_s8(
    op: FullyConnected, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """FULLY_CONNECTED: int8, weights per tensor or per channel, leading dimensions as rows.

    CMSIS-NN before 7 has no per-channel form; there it runs as the pointwise convolution that
    it is, whose arithmetic is the same.
    """
    source, weights, output = (
        graph.tensors[op.input],
        graph.tensors[op.weights],
        output_of(graph, op),
    )
    if not weights.is_constant:
        return None
    rows, depth = weights.shape
    batches = source.elements // depth
    multiplier, shift = accumulator_multipliers(source, weights, output, rows)
    constants = [
        Constant("weights", "int8_t", weights.values, f"weights {[rows, depth]}, OI"),
        bias_constant(graph, op.bias, rows),
    ]
    context = {
        "op": op,
        "source": source,
        "output": output,
        "range": activation_range(op.activation, output.q),
        "batches": batches,
        "rows": rows,
        "depth": depth,
    }
    if len(weights.q.scales) == 1:
        function, template = "arm_fully_connected_s8", "cmsis_nn/fully_connected_s8.c.j2"
        context |= {"multiplier": int(multiplier[0]), "shift": int(shift[0])}
    else:
        constants += [
            Constant("multiplier", "int32_t", multiplier, f"requantisation [{rows}]"),
            Constant("shift", "int32_t", shift, f"requantisation [{rows}]"),
        ]
        if cmsis.has(PER_CHANNEL):
            function, template = PER_CHANNEL, "cmsis_nn/fully_connected_per_channel_s8.c.j2"
        else:
            function = "arm_convolve_1x1_s8_fast"
            template = "cmsis_nn/fully_connected_as_convolution_s8.c.j2"
    return Kernel(
        operator=op,
        function=function,
        library="CMSIS-NN",
        template=template,
        context=context,
        constants=tuple(constants),
        macs=batches * rows * depth,
        work={
            "calls": 1,
            "weights": rows * depth,
            "outputs": batches * rows,
            "macs": batches * rows * depth,
        },
    )
