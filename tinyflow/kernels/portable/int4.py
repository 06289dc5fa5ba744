# SPDX-License-Identifier: Apache-2.0
"""Convolutions and fully connected layers with weights of four bits, in portable C.

The weights stay packed in flash, as the `.tflite` has them, and are unpacked one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Conv2D, DepthwiseConv2D, FullyConnected, Weighted, Window
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType, Padding
from tinyflow.kernels.base import Constant, Kernel, bias_constant, nhwc, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.numerics.multipliers import accumulator_multipliers


def conv_s4(op: Conv2D, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """CONV_2D: int8 with weights of int4, per tensor or per channel, any stride, padding, dilation
    and groups.
    """
    weights = graph.tensors[op.weights]
    if weights.dtype is not DType.INT4:
        return None
    source, output = nhwc(graph.tensors[op.input]), nhwc(output_of(graph, op))
    filters, *kernel = weights.shape
    context = {
        "input": source,
        "output": output,
        "kernel": kernel,
        "filters_per_group": filters // (source[3] // kernel[2]),
        "window": op.window,
        "pads": op.window.pads(source[1:3], (kernel[0], kernel[1])),
    }
    return _kernel(op, graph, "conv_s4", context, filters, int(np.prod(kernel)))


def depthwise_conv_s4(
    op: DepthwiseConv2D, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """DEPTHWISE_CONV_2D: int8 with weights of int4, per tensor or per channel, any stride, padding,
    dilation and multiplier.
    """
    weights = graph.tensors[op.weights]
    if weights.dtype is not DType.INT4:
        return None
    source, output = nhwc(graph.tensors[op.input]), nhwc(output_of(graph, op))
    _, height, width, filters = weights.shape
    context = {
        "input": source,
        "output": output,
        "kernel": (height, width, filters),
        "filters_per_group": op.multiplier,
        "window": op.window,
        "pads": op.window.pads(source[1:3], (height, width)),
    }
    return _kernel(op, graph, "depthwise_conv_s4", context, filters, height * width)


def fully_connected_s4(
    op: FullyConnected, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """FULLY_CONNECTED: int8 with weights of int4, per tensor or per channel, leading dimensions as
    rows.
    """
    weights = graph.tensors[op.weights]
    if weights.dtype is not DType.INT4:
        return None
    rows, depth = weights.shape
    batches = graph.tensors[op.input].elements // depth
    context = {  # the pointwise convolution that it is
        "input": (1, batches, 1, depth),
        "output": (1, batches, 1, rows),
        "kernel": (1, 1, depth),
        "filters_per_group": rows,
        "window": Window((1, 1), Padding.VALID),
        "pads": (0, 0),
    }
    return _kernel(op, graph, "conv_s4", context, rows, depth)


def _kernel(
    op: Conv2D | DepthwiseConv2D | FullyConnected,
    graph: Graph,
    name: str,
    context: dict[str, Any],
    filters: int,
    products: int,
) -> Kernel:
    """The kernel `tinyflow_<name>`; an element of the output takes that many products."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    return Kernel(
        op,
        f"tinyflow_{name}",
        "tinyflow",
        f"portable/{name}.c.j2",
        {
            **context,
            "input_offset": -source.q.zero_point,
            "output_offset": output.q.zero_point,
            "range": activation_range(op.activation, output.q),
        },
        _constants(op, graph, filters),
        macs=output.elements * products,
        header="tinyflow_windows.h",
    )


def _constants(op: Weighted, graph: Graph, filters: int) -> tuple[Constant, ...]:
    """Packed weights, bias and the requantisation of each filter."""
    weights = graph.tensors[op.weights]
    multiplier, shift = accumulator_multipliers(
        graph.tensors[op.input], weights, output_of(graph, op), filters
    )
    comment = f"weights {list(weights.shape)}, two to a byte, the low four bits first"
    return (
        Constant("weights", "uint8_t", _packed(weights), comment),
        bias_constant(graph, op.bias, filters),
        Constant("multiplier", "int32_t", multiplier, f"requantisation [{filters}]"),
        Constant("shift", "int32_t", shift, f"requantisation [{filters}]"),
    )


def _packed(weights: Tensor) -> NDArray[np.uint8]:
    """The values two to a byte, as the `.tflite` has them; an odd one is followed by 0."""
    flat = weights.values.ravel()
    halves = np.zeros(-(-flat.size // 2) * 2, np.uint8)
    halves[: flat.size] = flat.astype(np.uint8) & 15
    return (halves[0::2] | halves[1::2] << 4).astype(np.uint8)
