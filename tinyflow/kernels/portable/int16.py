# SPDX-License-Identifier: Apache-2.0
"""Operators on int16 activations with zero points of 0, weights being int8, in portable C."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import Board
from tinyflow.errors import UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import (
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Operator,
    Pool2D,
    Softmax,
    Window,
)
from tinyflow.ir.quantization import FixedPoint, int16_range, quantize_multiplier, round_half_away
from tinyflow.ir.tables import Abs, ElementFunction, LeakyRelu, Logistic, Relu, Relu6, Tanh
from tinyflow.ir.types import DType, Padding
from tinyflow.ir.windows import TransposeConv
from tinyflow.kernels.base import Constant, Kernel, nhwc, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.kernels.portable.kernels import softmax_s8_s16
from tinyflow.numerics import int16_tables as interpolation
from tinyflow.numerics.multipliers import accumulator_multipliers, output_multiplier, rescale

_LOWEST, _GREATEST = -(1 << 15), (1 << 15) - 1
#: Below this sums of 64 bits are rescaled as the reference defines it.
_SUM_LIMIT = 1 << 47
#: The greatest shift to the left of a sum.
_LARGEST_SHIFT = {DType.INT32: 30, DType.INT64: 7}
#: Elements of a row up to which the sum of exponentials cannot overflow.
_LONGEST_SOFTMAX = 1 << 16

_Weighted = Conv2D | DepthwiseConv2D | FullyConnected | TransposeConv
_Shape = tuple[int, int, int, int]


def _kernel(
    op: Operator, file: str, context: dict[str, Any], function: str | None = None, **more: Any
) -> Kernel:
    """The kernel `tinyflow_<function>` of `tinyflow_<file>.c`, called by the file's template."""
    name = f"tinyflow_{function or file}"
    return Kernel(
        op,
        name,
        "tinyflow",
        f"portable/{file}.c.j2",
        {"function": name, **context},
        header="tinyflow_s16.h",
        **more,
    )


# ------------------------------------------------------------------------ sums of products


def conv_s16(op: Conv2D, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """CONV_2D: int16, any stride, padding, dilation and groups; weights int8, bias int32, int64 or
    none.
    """
    source, weights = graph.tensors[op.input], graph.tensors[op.weights].values
    groups = source.shape[-1] // weights.shape[-1]
    shapes = nhwc(source), nhwc(output_of(graph, op))
    pads = op.window.pads(shapes[0][1:3], weights.shape[1:3])
    return _convolution(op, graph, (op.window, pads), shapes, weights, groups)


def depthwise_conv_s16(
    op: DepthwiseConv2D, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """DEPTHWISE_CONV_2D: int16, any stride, padding, dilation and multiplier; weights int8,
    bias int64 or none.

    It runs as a convolution with a group for each input channel.
    """
    source, weights = graph.tensors[op.input], graph.tensors[op.weights].values
    shapes = nhwc(source), nhwc(output_of(graph, op))
    filters = weights.transpose(3, 1, 2, 0)
    pads = op.window.pads(shapes[0][1:3], filters.shape[1:3])
    return _convolution(op, graph, (op.window, pads), shapes, filters, source.shape[-1])


def fully_connected_s16(
    op: FullyConnected, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """FULLY_CONNECTED: int16, leading dimensions as rows; weights int8 and constant, bias int32,
    int64 or none.

    It runs as a pointwise convolution.
    """
    weights = graph.tensors[op.weights].values
    rows, depth = weights.shape
    batches = graph.tensors[op.input].elements // depth
    shapes = (1, 1, batches, depth), (1, 1, batches, rows)
    filters = weights.reshape(rows, 1, 1, depth)
    window = Window((1, 1), Padding.VALID)
    return _convolution(op, graph, (window, (0, 0)), shapes, filters, 1)


def transpose_conv_s16(
    op: TransposeConv, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """TRANSPOSE_CONV: int16, per tensor or per channel, any stride, SAME or VALID; weights int8,
    bias int64 or none.
    """
    weights = graph.tensors[op.weights].values
    shapes = nhwc(graph.tensors[op.input]), nhwc(output_of(graph, op))
    pads = op.window.pads(shapes[1][1:3], weights.shape[1:3])
    kernel = _convolution(op, graph, (op.window, pads), shapes, weights, 1, "transpose_conv_s16")
    return replace(kernel, macs=graph.tensors[op.input].elements * (weights.size // shapes[0][3]))


def _convolution(
    op: _Weighted,
    graph: Graph,
    window: tuple[Window, tuple[int, int]],
    shapes: tuple[_Shape, _Shape],
    filters: NDArray[Any],
    groups: int,
    file: str = "conv_s16",
) -> Kernel:
    """Filters, OHWI, in groups, over an input and to an output of those NHWC shapes.

    The context also has the rows above the image and the columns left of it.
    """
    output = output_of(graph, op)
    count, *kernel = filters.shape
    multiplier, shift = accumulator_multipliers(
        graph.tensors[op.input], graph.tensors[op.weights], output, count
    )
    if shift.max() > _LARGEST_SHIFT[op.accumulator]:
        raise UnsupportedError(
            f"{op.kind} layer {op.name!r}: the scales multiply its sums of {op.accumulator.value} "
            f"by 2^{shift.max()}, at most 2^{_LARGEST_SHIFT[op.accumulator]}"
        )
    return _kernel(
        op,
        file,
        {
            "input": shapes[0],
            "output": shapes[1],
            "kernel": kernel,
            "filters_per_group": count // groups,
            "window": window[0],
            "pads": window[1],
            "range": int16_range(op.activation, output.q),
            "narrow": op.accumulator is DType.INT32,
        },
        constants=(
            Constant("weights", "int8_t", filters, f"weights {list(filters.shape)}, OHWI"),
            _bias(op, graph, filters),
            Constant("multiplier", "int32_t", multiplier, f"requantisation [{count}]"),
            Constant("shift", "int32_t", shift, f"requantisation [{count}]"),
        ),
        macs=output.elements * (filters.size // count),
    )


def _bias(op: _Weighted, graph: Graph, filters: NDArray[Any]) -> Constant:
    """The bias as int64, zeros where the model has none.

    Raises:
        UnsupportedError: a sum of int64 can be beyond what the reference rescales.
    """
    bias = (
        np.zeros(len(filters), np.int64)
        if op.bias is None
        else graph.tensors[op.bias].values.astype(np.int64)
    )
    if op.accumulator is DType.INT64:
        weights = np.abs(filters.astype(np.int64)).reshape(len(filters), -1).sum(axis=1)
        greatest = max(
            abs(one) + (int(weight) << 15)
            for one, weight in zip(bias.tolist(), weights, strict=True)
        )
        if greatest >= _SUM_LIMIT:
            raise UnsupportedError(
                f"{op.kind} layer {op.name!r}: its sums can reach {greatest}, below {_SUM_LIMIT}"
            )
    return Constant("bias", "int64_t", bias, f"bias [{len(bias)}]")


# --------------------------------------------------------------------------------- pooling


def pool_s16(op: Pool2D, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """AVERAGE_POOL_2D and MAX_POOL_2D: int16, any window, stride and padding."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    _, height, width, _ = source.shape
    return _kernel(
        op,
        "pool_s16",
        {
            "input": source.shape,
            "output": output.shape,
            "kernel": op.kernel,
            "stride": op.window.stride,
            "pads": op.window.pads((height, width), op.kernel),
            "range": int16_range(op.activation, output.q),
        },
        f"{'average' if isinstance(op, AveragePool2D) else 'max'}_pool_s16",
    )


# ------------------------------------------------------------------------------- functions


def softmax_s16(op: Softmax, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SOFTMAX: int16, over the last dimension, at most 65536 elements, output scale 1/32768."""
    source = graph.tensors[op.input]
    if source.dtype is not DType.INT16:
        return None
    depth = source.shape[-1]
    if depth > _LONGEST_SOFTMAX:
        raise UnsupportedError(
            f"{op.kind} layer {op.name!r}: {depth} elements in a row, at most {_LONGEST_SOFTMAX}"
        )
    # 65535 steps of the exponential's table are a difference of 10.
    real = source.q.scale * op.beta / (10.0 / 65535.0)
    tables = {
        "exponential": interpolation.exponential_table(),
        "reciprocal": interpolation.reciprocal_table(),
    }
    return _kernel(
        op,
        "softmax_s16",
        {
            "rows": source.elements // depth,
            "depth": depth,
            "multiplier": output_multiplier(op, real),
        },
        constants=tuple(
            Constant(name, "int16_t", table, f"{name} [{table.size}]")
            for name, table in tables.items()
        ),
    )


def logistic_s16(op: Logistic, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """LOGISTIC: int16, input scale below 8/3, output scale 1/32768."""
    return _sigmoid(op, graph, "logistic_s16", shifts_of_powers=(0,))


def tanh_s16(op: Tanh, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """TANH: int16, input scale below 8/3, output scale 1/32768."""
    return _sigmoid(op, graph, "tanh_s16", shifts_of_powers=(0, 1))


def _sigmoid(
    op: ElementFunction, graph: Graph, function: str, *, shifts_of_powers: tuple[int, ...]
) -> Kernel:
    source = graph.tensors[op.input]
    table = interpolation.sigmoid_table()
    return _kernel(
        op,
        "sigmoid_s16",
        {
            "elements": source.elements,
            "multiplier": interpolation.sigmoid_scaling(source.q.scale, shifts_of_powers),
        },
        function,
        constants=(Constant("table", "uint16_t", table, "logistic function [256]"),),
    )


def abs_s16(op: Abs, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ABS: int16."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    context = {"elements": output.elements, "multiplier": rescale(source, output)}
    kernel = _kernel(op, "abs_s16", context)
    return replace(kernel, header="tinyflow_elementwise_s16.h", needs=("tinyflow_elementwise.h",))


def relu_s16(op: Relu, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """RELU: int16."""
    point = rescale(graph.tensors[op.input], output_of(graph, op))
    return _relu(op, graph, point, point, (0, _GREATEST))


def relu6_s16(op: Relu6, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """RELU6: int16, input scale 2.8e-9 or more, not requantised as in the reference."""
    sixes = float(np.float32(6.0) / np.float32(graph.tensors[op.input].q.scale))
    six = min(round_half_away(sixes), _GREATEST)
    as_it_is = quantize_multiplier(1.0)
    return _relu(op, graph, as_it_is, as_it_is, (0, six))


def leaky_relu_s16(op: LeakyRelu, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """LEAKY_RELU: int16, alpha of either sign."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    below = quantize_multiplier(abs(source.q.scale * op.alpha / output.q.scale))
    sign = -1 if op.alpha < 0 else 1
    return _relu(op, graph, rescale(source, output), below, (_LOWEST, _GREATEST), sign)


def _relu(
    op: ElementFunction,
    graph: Graph,
    positive: FixedPoint,
    negative: FixedPoint,
    limits: tuple[int, int],
    sign: int = 1,
) -> Kernel:
    """Scaled by the one or the other multiplier, `sign` being that of the second, and clamped."""
    context = {
        "elements": output_of(graph, op).elements,
        "positive": positive,
        "negative": negative,
        "sign": sign,
        "range": limits,
    }
    return _kernel(op, "relu_s16", context)


KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    Abs: (abs_s16,),
    AveragePool2D: (pool_s16,),
    Conv2D: (conv_s16,),
    DepthwiseConv2D: (depthwise_conv_s16,),
    FullyConnected: (fully_connected_s16,),
    LeakyRelu: (leaky_relu_s16,),
    Logistic: (logistic_s16,),
    MaxPool2D: (pool_s16,),
    Relu: (relu_s16,),
    Relu6: (relu6_s16,),
    Softmax: (softmax_s16, softmax_s8_s16),
    Tanh: (tanh_s16,),
    TransposeConv: (transpose_conv_s16,),
}
