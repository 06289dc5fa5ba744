# SPDX-License-Identifier: Apache-2.0
"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED for cores without the DSP extension.

They are in C; for a Cortex-M0+, whose eight registers are too few for the compiler, the innermost
loops are in assembly. `tinyflow_scalar_conv.h` describes the packed weights of weights,
`tinyflow_scalar_output.h` the requantisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import (
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Operator,
    Weighted,
)
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import (
    Constant,
    Kernel,
    Overlap,
    RowForm,
    Source,
    images,
    nhwc,
    output_of,
)
from tinyflow.kernels.makers import VariantMaker
from tinyflow.kernels.name import KernelName
from tinyflow.numerics.multipliers import accumulator_multipliers
from tinyflow.numerics.requantize import Ints, settle_constants

_HEADER = "tinyflow_scalar_conv.h"
_NEEDS = ("tinyflow_scalar_output.c", "tinyflow_scalar_output.h")
#: Outputs whose weights share a word.
_LANES = 4
#: Bias of inputs.
_BIAS = 128
#: Sums must stay below this, `tinyflow_scalar_output.h` says why.
_MOST = 1 << 29
#: `TINYFLOW_SCALAR_ROWS` of `tinyflow_scalar_conv.h`.
_MOST_ROWS = 32
_POINTER = 4
#: Assembly of the innermost loops, where the compiler's code is slow.
_LOOPS = Source(KernelName("products", "s8", "m0"), "scalar_multiply.S.j2")


@dataclass(frozen=True, eq=False)
class ScalarLayer:
    """A layer's numbers.

    Attributes:
        weights: (outputs, depth).
        starts: (outputs,), initial values of the sums.
        multiplier: (outputs,).
        shift: (outputs,), to the right.
        requant: fields of `tinyflow_scalar_output`.
    """

    weights: Ints
    starts: Ints
    multiplier: Ints
    shift: Ints
    requant: dict[str, int]

    @property
    def per_channel(self) -> bool:
        """Whether outputs differ in their scales."""
        return self.requant["multiplier"] < 0

    def packed_weights(self, depth: int) -> Constant:
        """The words in the order they are read, for a depth that may be padded."""
        count, real = self.weights.shape
        more = -count % _LANES
        weights = np.pad(self.weights, ((0, more), (0, depth - real))).astype(np.int8)
        words = weights.reshape(-1, _LANES, depth).transpose(0, 2, 1)
        parts = [
            np.pad(self.starts, (0, more)).reshape(-1, _LANES),
            np.ascontiguousarray(words).view("<i4").reshape(-1, depth),
        ]
        if self.per_channel:
            # Padding outputs have a harmless scale.
            scales = np.stack([np.pad(self.multiplier, (0, more)), _padded(self.shift, more)], 1)
            parts.append(scales.reshape(-1, 2 * _LANES))
        packed_weights = np.concatenate(parts, axis=1).astype(np.int32)
        return Constant(
            "packed_weights", "int32_t", packed_weights, f"weights {[count, real]}, four to a word"
        )


def _padded(shift: Ints, more: int) -> Ints:
    return np.pad(shift, (0, more), constant_values=1)


def _layer(
    op: Conv2D | DepthwiseConv2D | FullyConnected, graph: Graph, weights: Ints, bias: int
) -> ScalarLayer | None:
    """The layer, or None if these kernels do not support it; inputs are read plus `bias`."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    tensor = graph.tensors[op.weights]
    count = len(weights)
    multiplier, shift = accumulator_multipliers(source, tensor, output, count)
    low, high = activation_range(op.activation, output.q)
    values = np.zeros(count, np.int64)
    if op.bias is not None:
        values = graph.tensors[op.bias].values.astype(np.int64)
    values, multiplier, shift = settle_constants(
        weights, values, multiplier, shift, output.q.zero_point, (low, high)
    )
    zero = multiplier == 0
    if np.any((shift > -1) & ~zero):
        return None
    folded = values - source.q.zero_point * weights.sum(1)
    if np.any(np.abs(folded) + _BIAS * np.abs(weights).sum(1) >= _MOST):
        return None
    right = np.where(zero, 1, -shift.astype(np.int64))
    factors = multiplier.astype(np.int64)
    own = bool(np.any(factors != factors[0]) or np.any(right != right[0]))
    requant = {
        "multiplier": -1 if own else int(factors[0]),
        "shift": int(right[0]),
        "zero_point": output.q.zero_point,
        "low": low,
        "high": high,
    }
    return ScalarLayer(weights, folded - bias * weights.sum(1), factors, right, requant)


def _supports(op: Weighted, graph: Graph, board: Board) -> bool:
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    return (
        board.core not in DSP_CORES
        and source.dtype is DType.INT8
        and weights.is_constant
        and weights.dtype is DType.INT8
    )


def _name(operator: str, board: Board) -> KernelName:
    return KernelName(operator, "s8", "m0" if _loops(board) else "c")


def _loops(board: Board) -> tuple[Source, ...]:
    return (_LOOPS,) if board.core == "cortex-m0plus" else ()


def _values(tensor: Tensor) -> Ints:
    return tensor.values.astype(np.int64)


def _even(depth: int) -> int:
    return depth + depth % 2


def fully_connected_s8(op: FullyConnected, graph: Graph, board: Board) -> Iterator[Kernel]:
    """FULLY_CONNECTED: int8, constant weights, scales below 1/2; any number of rows.

    On Cortex-M0+ and M3. In place.
    """
    layer = (
        _layer(op, graph, _values(graph.tensors[op.weights]), _BIAS)
        if _supports(op, graph, board)
        else None
    )
    if layer is None:
        return
    outputs, depth = layer.weights.shape
    rows = graph.tensors[op.input].elements // depth
    lead = -depth if rows == 1 else max((rows - 1) * (outputs - depth), outputs - depth)
    yield Kernel(
        operator=op,
        function="tinyflow_scalar_fully_connected_s8",
        library="tinyflow",
        template="generated/scalar_fully_connected.c.j2",
        context={"requant": layer.requant, "rows": rows, "depth": depth, "outputs": outputs},
        constants=(layer.packed_weights(_even(depth)),),
        scratch=depth + 1,
        macs=rows * outputs * depth,
        header=_HEADER,
        file="scalar_conv",
        needs=_NEEDS,
        sources=_loops(board),
        overlaps=(Overlap("input", lead=lead),),
        name=_name("fully_connected", board),
        work=_work(rows, depth, outputs, layer),
    )


def conv_s8(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D: int8, one group, scales below 1/2, windows of up to 32 rows.

    On Cortex-M0+ and M3. In place, 1x1 of stride 1. Row by row.
    """
    if not _supports(op, graph, board):
        return
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    outputs, height, width, depth = weights.shape
    if depth != nhwc(source)[3] or height > _MOST_ROWS:
        return
    layer = _layer(op, graph, _values(weights).reshape(outputs, -1), _BIAS)
    if layer is None:
        return
    output = output_of(graph, op)
    window = height * width * depth
    pixels = output.elements // outputs
    pointwise = (height, width, *op.window.stride) == (1, 1, 1, 1)
    yield Kernel(
        operator=op,
        function="tinyflow_scalar_conv_s8",
        library="tinyflow",
        template="generated/scalar_conv.c.j2",
        context=_context(op, graph, layer, "tinyflow_scalar_conv", (height, width)),
        constants=(layer.packed_weights(_even(window)),),
        scratch=window + 1,
        macs=output.elements * window,
        header=_HEADER,
        file="scalar_conv",
        needs=_NEEDS,
        sources=_loops(board),
        # A pixel is copied before its outputs are written, which must not reach the next.
        overlaps=(Overlap("input", lead=_lead(pixels, outputs, depth)),) if pointwise else (),
        row_form=_row_form(op, source, height),
        name=_name("conv", board),
        work=_work(pixels, window, outputs, layer),
    )


def _lead(pixels: int, outputs: int, depth: int) -> int:
    return max((pixels - 1) * (outputs - depth), outputs - depth)


def depthwise_s8(op: DepthwiseConv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """DEPTHWISE_CONV_2D: int8, multiplier 1, channels a multiple of 4, scales below 1/2.

    On Cortex-M0+. Row by row.

    CMSIS-NN's is faster on a Cortex-M3.
    """
    if not _supports(op, graph, board) or not _loops(board) or op.multiplier != 1:
        return
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    _, height, width, channels = weights.shape
    if channels % _LANES or height > _MOST_ROWS:
        return
    taps = _values(weights).reshape(height * width, channels).T
    layer = _layer(op, graph, taps, 0)
    if layer is None:
        return
    output = output_of(graph, op)
    pixels, groups = output.elements // channels, channels // _LANES
    yield Kernel(
        operator=op,
        function="tinyflow_scalar_depthwise_s8",
        library="tinyflow",
        template="generated/scalar_conv.c.j2",
        context=_context(op, graph, layer, "tinyflow_scalar_depthwise", (height, width)),
        constants=(layer.packed_weights(height * width),),
        scratch=_POINTER * height * width + channels,
        macs=output.elements * height * width,
        header=_HEADER,
        file="scalar_depthwise",
        needs=_NEEDS,
        sources=_loops(board),
        row_form=_row_form(op, source, height),
        name=_name("depthwise_conv", board),
        work={
            "calls": 1,
            "pixels": pixels,
            "taps": pixels * height * width,
            "groups": pixels * groups,
            "group taps": pixels * groups * height * width,
        },
    )


def _row_form(op: Conv2D | DepthwiseConv2D, source: Tensor, height: int) -> RowForm | None:
    images_, rows, columns, _ = nhwc(source)
    if images_ > 1:
        return None
    return RowForm(
        "generated/scalar_conv_row.c.j2",
        height=height,
        stride=op.window.stride[0],
        dilation=op.window.dilation[0],
        pad=op.window.pads((rows, columns), (height, 1))[0],
    )


def _context(
    op: Conv2D | DepthwiseConv2D,
    graph: Graph,
    layer: ScalarLayer,
    name: str,
    kernel: tuple[int, int],
) -> dict[str, Any]:
    source, output = graph.tensors[op.input], output_of(graph, op)
    _, height, width, channels = nhwc(source)
    _, out_height, out_width, outputs = nhwc(output)
    pads = op.window.pads((height, width), kernel)
    return {
        "function": f"{name}_s8",
        "row_function": f"{name}_row_s8",
        "requant": layer.requant,
        "images": images(source, output),
        "window": {
            "input_height": height,
            "input_width": width,
            "channels": channels,
            "output_height": out_height,
            "output_width": out_width,
            "outputs": outputs,
            "kernel_height": kernel[0],
            "kernel_width": kernel[1],
            "stride_y": op.window.stride[0],
            "stride_x": op.window.stride[1],
            "dilation_y": op.window.dilation[0],
            "dilation_x": op.window.dilation[1],
            "pad_y": pads[0],
            "pad_x": pads[1],
            "input_zero_point": source.q.zero_point,
        },
    }


def _work(rows: int, depth: int, outputs: int, layer: ScalarLayer) -> dict[str, int]:
    blocks = -(-outputs // _LANES)
    return {
        "calls": 1,
        "rows": rows,
        "inputs": rows * depth,
        "blocks": rows * blocks,
        "turns": rows * blocks * (_even(depth) // 2),
        "outputs": rows * outputs,
    }


VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {
    Conv2D: (conv_s8,),
    DepthwiseConv2D: (depthwise_s8,),
    FullyConnected: (fully_connected_s8,),
}
