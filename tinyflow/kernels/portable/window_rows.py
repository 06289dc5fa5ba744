# SPDX-License-Identifier: Apache-2.0
"""Windows in portable C that can run row by row, for images of one batch.

Slower than what computes whole layers, and there for the memory that running row by row saves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import (
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    MaxPool2D,
    Operator,
    Pool2D,
    Window,
)
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import (
    Constant,
    Kernel,
    RowForm,
    bias_constant,
    nhwc,
    output_of,
    window_work,
)
from tinyflow.kernels.makers import VariantMaker
from tinyflow.numerics.multipliers import accumulator_multipliers


def conv_rows_s8(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D: int8, any window, stride, padding, dilation and groups."""
    weights = graph.tensors[op.weights]
    if weights.dtype is not DType.INT8:
        return
    filters, *kernel = weights.shape
    channels = nhwc(graph.tensors[op.input])[3]
    context = {"kernel": kernel, "filters_per_group": filters // (channels // kernel[2])}
    products = kernel[0] * kernel[1] * kernel[2]
    yield from _kernel(op, graph, op.window, "tinyflow_conv_row_s8", context, products, kernel[2])


def depthwise_conv_rows_s8(op: DepthwiseConv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """DEPTHWISE_CONV_2D: int8, any window, stride, padding, dilation and multiplier."""
    weights = graph.tensors[op.weights]
    if weights.dtype is not DType.INT8:
        return
    context = {"kernel": weights.shape[1:], "filters_per_group": op.multiplier}
    products = weights.shape[1] * weights.shape[2]
    yield from _kernel(op, graph, op.window, "tinyflow_depthwise_conv_row_s8", context, products)


def pool_rows_s8(op: Pool2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """AVERAGE_POOL_2D and MAX_POOL_2D: int8, any window, stride and padding."""
    function = (
        "tinyflow_average_pool_row_s8"
        if isinstance(op, AveragePool2D)
        else "tinyflow_max_pool_row_s8"
    )
    context = {"kernel": (*op.kernel, 1), "filters_per_group": 1}
    yield from _kernel(op, graph, op.window, function, context, 0)


def _kernel(
    op: Conv2D | DepthwiseConv2D | Pool2D,
    graph: Graph,
    window: Window,
    function: str,
    context: dict[str, Any],
    products: int,
    depth: int = 0,
) -> Iterator[Kernel]:
    """The kernel of that function; `products` is multiply-accumulates per output element,
    `depth` how many of them are in the innermost loop, 0 if there is no such loop.
    """
    source, output = graph.tensors[op.input], output_of(graph, op)
    if source.dtype is not DType.INT8 or nhwc(source)[0] != 1:
        return
    height, width = context["kernel"][:2]
    pads = window.pads(nhwc(source)[1:3], (height, width))
    yield Kernel(
        op,
        function,
        "tinyflow",
        "portable/window_rows_s8.c.j2",
        {
            **context,
            "function": function,
            "input": nhwc(source),
            "output_shape": nhwc(output),
            "stride": window.stride,
            "dilation": window.dilation,
            "pads": pads,
            "input_offset": -source.q.zero_point,
            "output_offset": output.q.zero_point,
            "range": activation_range(op.activation, output.q),
        },
        constants=() if isinstance(op, Pool2D) else _weighted(op, graph),
        macs=output.elements * products,
        header="tinyflow_window_rows.h",
        file=_FILES[function],
        needs=("tinyflow_rows.h", "tinyflow_windows.h"),
        row_form=RowForm(
            "portable/window_row_s8.c.j2", height, window.stride[0], window.dilation[0], pads[0]
        ),
        variant="row by row",
        work=window_work(window, source, output, (height, width), depth)
        | {"calls": nhwc(output)[1]},
    )


#: The C files of the functions, as `Kernel.file` has them.
_FILES = {
    "tinyflow_conv_row_s8": "conv_row_s8",
    "tinyflow_depthwise_conv_row_s8": "depthwise_conv_row_s8",
    "tinyflow_average_pool_row_s8": "pool_row_s8",
    "tinyflow_max_pool_row_s8": "pool_row_s8",
}


def _weighted(op: Conv2D | DepthwiseConv2D, graph: Graph) -> tuple[Constant, ...]:
    """Weights, bias and the requantisation of each filter."""
    weights, output = graph.tensors[op.weights], output_of(graph, op)
    filters = nhwc(output)[3]
    multiplier, shift = accumulator_multipliers(graph.tensors[op.input], weights, output, filters)
    return (
        Constant("weights", "int8_t", weights.values, f"weights {list(weights.shape)}"),
        bias_constant(graph, op.bias, filters),
        Constant("multiplier", "int32_t", multiplier, f"requantisation [{filters}]"),
        Constant("shift", "int32_t", shift, f"requantisation [{filters}]"),
    )


#: The makers of this module, by operator.
VARIANTS: dict[type[Operator], VariantMaker] = {
    AveragePool2D: pool_rows_s8,
    Conv2D: conv_rows_s8,
    DepthwiseConv2D: depthwise_conv_rows_s8,
    MaxPool2D: pool_rows_s8,
}


def row_kernel(operator: Operator, graph: Graph, board: Board) -> Kernel | None:
    """The operator's kernel of this module; None if it has none."""
    make = VARIANTS.get(type(operator))
    return None if make is None else next(make(operator, graph, board), None)
