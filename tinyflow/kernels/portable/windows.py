# SPDX-License-Identifier: Apache-2.0
"""Further convolutions, products, resizing and reductions, in portable C."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinyflow.boards import Board
from tinyflow.errors import UnsupportedError
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Conv2D, FullyConnected, Mean, Operator, TensorId
from tinyflow.ir.quantization import activation_range, int16_range, quantize_multiplier
from tinyflow.ir.types import Activation, DType
from tinyflow.ir.windows import (
    ArgExtreme,
    ArgMax,
    ArgMin,
    BatchMatMul,
    ReduceMax,
    ReduceMin,
    Reduction,
    ResizeBilinear,
    Sum,
    TransposeConv,
    extended,
    swapped,
)
from tinyflow.kernels.base import Constant, Kernel, bias_constant, nhwc, output_of, window_work
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.numerics.multipliers import accumulator_multipliers, mean_multiplier, rescale

_HEADER = "tinyflow_windows.h"


def _kernel(operator: Operator, name: str, context: dict[str, Any], **more: Any) -> Kernel:
    """The kernel `tinyflow_<name>`, in the file and called by the template of that name."""
    template = f"portable/{name}.c.j2"
    return Kernel(
        operator, f"tinyflow_{name}", "tinyflow", template, context, header=_HEADER, **more
    )


# ------------------------------------------------------------------------- convolutions


def grouped_conv_s8(op: Conv2D, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """CONV_2D: Several groups of channels, too."""
    weights, output = graph.tensors[op.weights], output_of(graph, op)
    _, height, width, channels = graph.tensors[op.input].shape
    _, kernel_h, kernel_w, depth = weights.shape
    context = _window_context(op, graph) | {
        "pads": op.window.pads((height, width), (kernel_h, kernel_w)),
        "filters_per_group": weights.shape[0] // (channels // depth),
    }
    macs = output.elements * kernel_h * kernel_w * depth
    work = window_work(op.window, graph.tensors[op.input], output, (kernel_h, kernel_w), depth)
    constants = _weighted(op, graph)
    return _kernel(op, "grouped_conv_s8", context, constants=constants, macs=macs, work=work)


def transpose_conv_s8(
    op: TransposeConv, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """TRANSPOSE_CONV: int8, per tensor or per channel, any stride, SAME or VALID."""
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    _, height, width, _ = output_of(graph, op).shape
    filters, kernel_h, kernel_w, _ = weights.shape
    context = _window_context(op, graph) | {
        "pads": op.window.pads((height, width), (kernel_h, kernel_w)),
        "filters_per_group": filters,
    }
    macs = source.elements * kernel_h * kernel_w * filters
    return _kernel(op, "transpose_conv_s8", context, constants=_weighted(op, graph), macs=macs)


def _window_context(op: Conv2D | TransposeConv, graph: Graph) -> dict[str, Any]:
    source, output = graph.tensors[op.input], output_of(graph, op)
    return {
        "source": source,
        "output": output,
        "kernel": graph.tensors[op.weights].shape[1:],
        "window": op.window,
        "range": activation_range(op.activation, output.q),
    }


def _weighted(op: Conv2D | TransposeConv, graph: Graph) -> tuple[Constant, ...]:
    """Weights, bias and the requantisation of each filter."""
    weights = graph.tensors[op.weights]
    filters = weights.shape[0]
    multiplier, shift = accumulator_multipliers(
        graph.tensors[op.input], weights, output_of(graph, op), filters
    )
    return (
        Constant("weights", "int8_t", weights.values, f"weights {list(weights.shape)}, OHWI"),
        bias_constant(graph, op.bias, filters),
        Constant("multiplier", "int32_t", multiplier, f"requantisation [{filters}]"),
        Constant("shift", "int32_t", shift, f"requantisation [{filters}]"),
    )


# ----------------------------------------------------------------------------- products


def batch_matmul_s8(op: BatchMatMul, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """BATCH_MATMUL: int8, rank 2 to 5, either operand transposed or constant."""
    return _stacked(op, graph)


def batch_matmul_s16(op: BatchMatMul, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """BATCH_MATMUL: int16, rank 2 to 5, either operand transposed or constant."""
    kernel = _stacked(op, graph)
    shift, depth = kernel.context["multiplier"].shift, kernel.context["size"][1]
    if shift > _LARGEST_WIDE_SHIFT or depth > _LONGEST_WIDE_SUM:
        raise UnsupportedError(
            f"{op.kind} layer {op.name!r}: sums of {depth} products are multiplied by 2^{shift}, "
            f"at most {_LONGEST_WIDE_SUM} and 2^{_LARGEST_WIDE_SHIFT}"
        )
    return replace(
        kernel,
        function="tinyflow_batch_matmul_s16",
        context={**kernel.context, "function": "tinyflow_batch_matmul_s16"},
        header="tinyflow_products_s16.h",
        file="batch_matmul_s16",
        needs=(_HEADER, "tinyflow_s16.h"),
    )


#: The greatest shift of a sum of int64, and the products of int16 in one that can be rescaled.
_LARGEST_WIDE_SHIFT = 7
_LONGEST_WIDE_SUM = (1 << 17) - 1


def _stacked(op: BatchMatMul, graph: Graph) -> Kernel:
    left, right, output = graph.tensors[op.left], graph.tensors[op.right], output_of(graph, op)
    rows, depth = swapped(left.shape[-2:], op.transpose_left)
    _, columns = swapped(right.shape[-2:], op.transpose_right)
    context = _product_context(left, right, output, Activation.NONE) | {
        "function": "tinyflow_batch_matmul_s8",
        "operands": op.input_fields,
        "batches": extended(output.shape, 5)[:3],
        "left_steps": batch_steps(left.shape),
        "left_strides": (1, rows) if op.transpose_left else (depth, 1),
        "right_steps": batch_steps(right.shape),
        "right_strides": (1, depth) if op.transpose_right else (columns, 1),
        "size": (rows, depth, columns),
    }
    return _kernel(
        op,
        "batch_matmul_s8",
        context,
        constants=(*_constant(graph, op.left, "left"), *_constant(graph, op.right, "right")),
        macs=output.elements * depth,
    )


def computed_fully_connected_s8(
    op: FullyConnected, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """FULLY_CONNECTED: Computed weights, too, per tensor and with any zero point."""
    source, weights, output = (
        graph.tensors[op.input],
        graph.tensors[op.weights],
        output_of(graph, op),
    )
    columns, depth = weights.shape
    rows = source.elements // depth
    context = _product_context(source, weights, output, op.activation) | {
        "function": "tinyflow_batch_matmul_s8",
        "operands": op.input_fields,
        "batches": (1, 1, 1),
        "left_steps": (0, 0, 0),
        "left_strides": (depth, 1),
        "right_steps": (0, 0, 0),
        "right_strides": (1, depth),
        "size": (rows, depth, columns),
    }
    bias = () if op.bias is None else (bias_constant(graph, op.bias, columns),)
    macs = output.elements * depth
    context["has_bias"] = op.bias is not None
    return _kernel(op, "batch_matmul_s8", context, constants=bias, macs=macs)


def _product_context(
    left: Tensor, right: Tensor, output: Tensor, activation: Activation
) -> dict[str, Any]:
    return {
        "left": left,
        "right": right,
        "output": output,
        "multiplier": quantize_multiplier(left.q.scale * right.q.scale / output.q.scale),
        "range": (int16_range if output.dtype is DType.INT16 else activation_range)(
            activation, output.q
        ),
        "has_bias": False,
    }


def _constant(graph: Graph, index: TensorId, field: str) -> tuple[Constant, ...]:
    tensor = graph.tensors[index]
    if not tensor.is_constant:
        return ()
    return (
        Constant(
            field, tensor.dtype.c_type, tensor.values, f"{field} operand {list(tensor.shape)}"
        ),
    )


def batch_steps(shape: tuple[int, ...]) -> list[int]:
    """Elements from one matrix to the next along each of three batch dimensions; 0 repeats."""
    full = extended(shape, 5)
    return [0 if full[axis] == 1 else math.prod(full[axis + 1 :]) for axis in range(3)]


# --------------------------------------------------------------------------- reductions


@dataclass(frozen=True)
class Reduced:
    """Loops over the kept and over the reduced dimensions: extents, and strides of the input."""

    kept: tuple[tuple[int, int], ...]
    reduced: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """Elements that make one of the output."""
        return math.prod(extent for extent, _ in self.reduced)


_LOOPS = 3
#: Elements of int16 whose sum is sure to fit 32 bits.
_MOST_INT16 = (1 << 16) - 1


def reduction_loops(operator: Operator, shape: Sequence[int], axes: Sequence[int]) -> Reduced:
    """Three loops of each kind; dimensions of 1 fall away and neighbours of a kind are one."""
    merged: list[tuple[bool, int]] = []
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        if merged and merged[-1][0] == (axis in axes):
            merged[-1] = (merged[-1][0], merged[-1][1] * extent)
        else:
            merged.append((axis in axes, extent))
    found: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
    stride = 1
    for reduced, extent in reversed(merged):
        found[reduced].insert(0, (extent, stride))
        stride *= extent
    if max(map(len, found.values())) > _LOOPS:
        raise UnsupportedError(
            f"{operator.kind} layer {operator.name!r}: axes {list(axes)} of {list(shape)}, "
            f"more than {_LOOPS} runs of dimensions"
        )
    filled = {key: ((1, 0),) * (_LOOPS - len(runs)) + tuple(runs) for key, runs in found.items()}
    return Reduced(filled[False], filled[True])


def mean_any_axes_s8(op: Mean, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """MEAN: Other dimensions, too."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    loops = reduction_loops(op, source.shape, op.axes)
    point = mean_multiplier(source, output, loops.count)
    return _kernel(op, "reduce_sum_s8", _sum_context(source, output, loops, point))


def sum_s8(op: Sum, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SUM: int8, any axes."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    loops = reduction_loops(op, source.shape, op.axes)
    context = _sum_context(source, output, loops, rescale(source, output))
    return _kernel(op, "reduce_sum_s8", context)


def _sum_context(source: Tensor, output: Tensor, loops: Reduced, point: Any) -> dict[str, Any]:
    return {"source": source, "output": output, "loops": loops, "multiplier": point}


def mean_s16(op: Mean, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """MEAN: int16, any axes, at most 65535 elements to one."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    loops = _int16_loops(op, source)
    point = mean_multiplier(source, output, loops.count)
    return _kernel(op, "reduce_sum_s16", _sum_context(source, output, loops, point))


def sum_s16(op: Sum, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SUM: int16, any axes, at most 65535 elements to one."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    loops = _int16_loops(op, source)
    context = _sum_context(source, output, loops, rescale(source, output))
    return _kernel(op, "reduce_sum_s16", context)


def _int16_loops(op: Mean | Sum, source: Tensor) -> Reduced:
    """Loops whose sums of int16 fit 32 bits."""
    loops = reduction_loops(op, source.shape, op.axes)
    if loops.count > _MOST_INT16:
        raise UnsupportedError(
            f"{op.kind} layer {op.name!r}: {loops.count} elements of int16 to one, "
            f"at most {_MOST_INT16}: the reference's sum can overflow"
        )
    return loops


def reduce_extreme_s8(op: Reduction, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """REDUCE_MAX and REDUCE_MIN: int8, any axes."""
    loops = reduction_loops(op, graph.tensors[op.input].shape, op.axes)
    context = {"loops": loops, "minimum": isinstance(op, ReduceMin)}
    return _kernel(op, "reduce_extreme_s8", context)


def arg_extreme_s8(op: ArgExtreme, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ARG_MAX and ARG_MIN: int8 to int32 or int64, along any one dimension."""
    wide = output_of(graph, op).dtype is DType.INT64
    name = "arg_extreme_s8_s64" if wide else "arg_extreme_s8"
    return _kernel(op, name, arg_extreme_context(op, graph))


def arg_extreme_context(op: ArgExtreme, graph: Graph) -> dict[str, Any]:
    """Return the arguments of a search along one dimension."""
    shape = graph.tensors[op.input].shape
    return {
        "outer": math.prod(shape[: op.axis]),
        "count": shape[op.axis],
        "inner": math.prod(shape[op.axis + 1 :]),
        "minimum": isinstance(op, ArgMin),
    }


# ----------------------------------------------------------------------------- resizing

_UNIT = 1 << 10  # positions have 10 fractional bits


def resize_bilinear_s8(
    op: ResizeBilinear, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """RESIZE_BILINEAR: int8, align_corners or half_pixel_centers or neither."""
    source, output = nhwc(graph.tensors[op.input]), nhwc(output_of(graph, op))
    axes = [_axis(op, extent, due) for extent, due in zip(source[1:3], output[1:3], strict=True)]
    return _kernel(op, "resize_bilinear_s8", {"source": source, "axes": axes})


def _axis(op: ResizeBilinear, source: int, output: int) -> dict[str, int]:
    """Return the sampling of one dimension: position = index * scale + offset
    (`ResizeBilinearInteger`).

    Raises:
        UnsupportedError: rounding of the scale takes the last position beyond the input.
    """
    span, steps = (source - 1, output - 1) if op.align_corners and output > 1 else (source, output)
    scale = (_UNIT * span + steps // 2) // steps
    offset = scale // 2 - _UNIT // 2 if op.half_pixel_centers else 0
    if (output - 1) * scale + offset >= source * _UNIT:
        raise UnsupportedError(
            f"{op.kind} layer {op.name!r}: from {source} to {output}: the reference's positions, "
            "which have 10 fractional bits, go beyond the input"
        )
    return {"source": source, "output": output, "scale": scale, "offset": offset}


KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    ArgMax: (arg_extreme_s8,),
    ArgMin: (arg_extreme_s8,),
    BatchMatMul: (batch_matmul_s8,),
    ReduceMax: (reduce_extreme_s8,),
    ReduceMin: (reduce_extreme_s8,),
    ResizeBilinear: (resize_bilinear_s8,),
    Sum: (sum_s8,),
    TransposeConv: (transpose_conv_s8,),
}
INT16_KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    BatchMatMul: (batch_matmul_s16,),
    Mean: (mean_s16,),
    Sum: (sum_s16,),
}
