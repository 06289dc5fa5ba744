# SPDX-License-Identifier: Apache-2.0
"""Further convolutions, products, resizing and reductions: their dataclasses and rules.

Data is NHWC; the weights of a transposed convolution are OHWI, as those of a convolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyflow.ir.checks import OperatorRule, expect, expect_window, fail, rank_of
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, TensorId, Unary, Weighted, Window
from tinyflow.ir.types import Activation


@dataclass(frozen=True)
class TransposeConv(Weighted):
    """Transposed 2-D convolution: `window` is the convolution from output to input."""

    kind = "TRANSPOSE_CONV"

    window: Window
    activation: Activation


@dataclass(frozen=True)
class BatchMatMul(Operator):
    """Matrix product over the last two dimensions; the dimensions before them broadcast.

    `transpose_left` and `transpose_right` say that the operand's rows and columns are swapped.
    """

    kind = "BATCH_MATMUL"
    input_fields = ("left", "right")

    left: TensorId
    right: TensorId
    output: TensorId
    transpose_left: bool
    transpose_right: bool


@dataclass(frozen=True)
class Reduction(Unary):
    """Base of reductions over `axes`; the axes are sorted, each once, and not negative."""

    axes: tuple[int, ...]


@dataclass(frozen=True)
class Sum(Reduction):
    """Sum over axes."""

    kind = "SUM"


@dataclass(frozen=True)
class ReduceMax(Reduction):
    """Maximum over axes."""

    kind = "REDUCE_MAX"


@dataclass(frozen=True)
class ReduceMin(Reduction):
    """Minimum over axes."""

    kind = "REDUCE_MIN"


@dataclass(frozen=True)
class ArgExtreme(Unary):
    """Base of both searches along `axis`; of equal elements the first counts."""

    axis: int


@dataclass(frozen=True)
class ArgMax(ArgExtreme):
    """Index of the maximum, int32 or int64."""

    kind = "ARG_MAX"


@dataclass(frozen=True)
class ArgMin(ArgExtreme):
    """Index of the minimum, int32 or int64."""

    kind = "ARG_MIN"


@dataclass(frozen=True)
class CumSum(Unary):
    """Running sum along `axis`.

    `exclusive` leaves the element itself out; `reverse` sums from the end.
    """

    kind = "CUMSUM"

    axis: int
    exclusive: bool
    reverse: bool


@dataclass(frozen=True)
class ResizeBilinear(Unary):
    """Bilinear interpolation of height and width."""

    kind = "RESIZE_BILINEAR"

    align_corners: bool
    half_pixel_centers: bool


def _transpose_conv(graph: Graph, op: TransposeConv) -> None:
    batch, height, width, channels = rank_of(graph, op, op.input, 4)
    filters, kernel_h, kernel_w, depth = rank_of(graph, op, op.weights, 4)
    batches, *size, outputs = rank_of(graph, op, op.output, 4)
    if channels != depth:
        raise fail(op, f"{channels} input channels for filters of {depth}")
    expect(op, "batch and channels of the output", (batches, outputs), (batch, filters))
    expect_window(op, op.window, (size[0], size[1]), (kernel_h, kernel_w))
    due = op.window.output_size((size[0], size[1]), (kernel_h, kernel_w))
    expect(op, f"the input of an output of {size}", (height, width), due)
    if op.bias is not None:
        expect(op, "the bias", graph.tensors[op.bias].shape, (filters,))


def _batch_matmul(graph: Graph, op: BatchMatMul) -> None:
    left, right = graph.tensors[op.left].shape, graph.tensors[op.right].shape
    if min(len(left), len(right)) < 2:
        raise fail(op, f"operands of the shapes {list(left)} and {list(right)}")
    rows, depth = swapped(left[-2:], op.transpose_left)
    due, columns = swapped(right[-2:], op.transpose_right)
    if depth != due:
        raise fail(op, f"a product of {[rows, depth]} and {[due, columns]}")
    rank = max(len(left), len(right))
    batches = []
    for one, other in zip(extended(left, rank)[:-2], extended(right, rank)[:-2], strict=True):
        if one != other and 1 not in (one, other):
            raise fail(op, f"the shapes {list(left)} and {list(right)} do not broadcast")
        batches.append(max(one, other))
    expect(op, "the output", graph.tensors[op.output].shape, (*batches, rows, columns))


def swapped(pair: tuple[int, ...], swap: bool) -> tuple[int, int]:
    """Rows and columns of a matrix that is transposed where `swap` is true."""
    first, second = pair
    return (second, first) if swap else (first, second)


def extended(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """A shape with dimensions of 1 before it up to that rank."""
    return (1,) * (rank - len(shape)) + shape


def _reduction(graph: Graph, op: Reduction) -> None:
    shape = graph.tensors[op.input].shape
    if any(not 0 <= axis < len(shape) for axis in op.axes):
        raise fail(op, f"axes {list(op.axes)} of a tensor of rank {len(shape)}")
    kept = math.prod(extent for axis, extent in enumerate(shape) if axis not in op.axes)
    if graph.tensors[op.output].elements != kept:
        raise fail(op, "the output has another size than the kept dimensions")


def _arg_extreme(graph: Graph, op: ArgExtreme) -> None:
    shape = graph.tensors[op.input].shape
    if not 0 <= op.axis < len(shape):
        raise fail(op, f"axis {op.axis} of a tensor of rank {len(shape)}")
    due = shape[: op.axis] + shape[op.axis + 1 :]
    expect(op, "the output", graph.tensors[op.output].shape, due)


def _cumsum(graph: Graph, op: CumSum) -> None:
    shape = graph.tensors[op.input].shape
    if not 0 <= op.axis < len(shape):
        raise fail(op, f"axis {op.axis} of a tensor of rank {len(shape)}")
    expect(op, "the output", graph.tensors[op.output].shape, shape)


def _resize(graph: Graph, op: ResizeBilinear) -> None:
    batch, _, _, channels = rank_of(graph, op, op.input, 4)
    batches, _, _, outputs = rank_of(graph, op, op.output, 4)
    expect(op, "batch and channels of the output", (batches, outputs), (batch, channels))


#: Rules by operator, see `verify`.
RULES: dict[type[Operator], OperatorRule] = {
    TransposeConv: _transpose_conv,
    BatchMatMul: _batch_matmul,
    Reduction: _reduction,
    ArgExtreme: _arg_extreme,
    CumSum: _cumsum,
    ResizeBilinear: _resize,
}
