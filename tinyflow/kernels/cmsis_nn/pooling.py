# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D and MAX_POOL_2D on CMSIS-NN."""

from __future__ import annotations

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import AveragePool2D, Pool2D
from tinyflow.ir.quantization import activation_range
from tinyflow.kernels.base import Kernel, images, nhwc, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN


def pool_s8(op: Pool2D, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """AVERAGE_POOL_2D and MAX_POOL_2D: int8, any window, stride and padding."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    batch, height, width, channels = nhwc(source)
    average = isinstance(op, AveragePool2D)
    function = "arm_avgpool_s8" if average else "arm_max_pool_s8"
    return Kernel(
        operator=op,
        function=function,
        library="CMSIS-NN",
        template="cmsis_nn/pool_s8.c.j2",
        context={
            "op": op,
            "function": function,
            "pads": op.window.pads((height, width), op.kernel),
            "range": activation_range(op.activation, output.q),
            "images": images(source, output),
            "input_dims": (batch, height, width, channels),
            "filter_dims": (1, *op.kernel, 1),
            "output_dims": nhwc(output),
        },
        # arm_avgpool_s8 sums into one int32 per channel where the core has the DSP extension.
        scratch=4 * channels if average and board.core in DSP_CORES else 0,
        work={
            "calls": 1,
            "pixels": output.elements // channels,
            "outputs": output.elements,
            "inputs": output.elements * op.kernel[0] * op.kernel[1],
        },
    )
