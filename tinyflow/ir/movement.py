# SPDX-License-Identifier: Apache-2.0
"""Operators that move elements and compute nothing: their dataclasses and rules.

Axes are not negative; attributes hold one value per dimension of the input unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyflow.ir.checks import OperatorRule, expect, fail, rank_of
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Pad, Reshape, TensorId, Unary

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Join(Operator):
    """Several tensors to one, along `axis` of the output; constants may be among them."""

    input_fields = ("sources",)

    sources: tuple[TensorId, ...]
    output: TensorId
    axis: int


@dataclass(frozen=True)
class Concatenation(Join):
    """Tensors one after another."""

    kind = "CONCATENATION"


@dataclass(frozen=True)
class Pack(Join):
    """Tensors of one shape, stacked along a new dimension."""

    kind = "PACK"


@dataclass(frozen=True)
class Cut(Operator):
    """One tensor to several, along `axis` of the input."""

    output_field = "results"

    input: TensorId
    results: tuple[TensorId, ...]
    axis: int


@dataclass(frozen=True)
class Split(Cut):
    """Pieces of equal size."""

    kind = "SPLIT"


@dataclass(frozen=True)
class SplitV(Cut):
    """Pieces of any size."""

    kind = "SPLIT_V"


@dataclass(frozen=True)
class Unpack(Cut):
    """Pieces of size 1, without the dimension."""

    kind = "UNPACK"


@dataclass(frozen=True)
class Slice(Unary):
    """`sizes` elements from `starts`."""

    kind = "SLICE"

    starts: Shape
    sizes: Shape


@dataclass(frozen=True)
class StridedSlice(Slice):
    """Every `steps`-th of the elements from `starts`, `sizes` of them; dimensions may go."""

    kind = "STRIDED_SLICE"

    steps: Shape
    dropped: Shape


@dataclass(frozen=True)
class Transpose(Unary):
    """Dimension `order[i]` of the input becomes dimension i."""

    kind = "TRANSPOSE"

    order: Shape


@dataclass(frozen=True)
class Squeeze(Reshape):
    """The dimensions `axes`, each of 1, removed."""

    kind = "SQUEEZE"

    axes: Shape


@dataclass(frozen=True)
class ExpandDims(Reshape):
    """A dimension of 1 added; `axis` is its place in the output."""

    kind = "EXPAND_DIMS"

    axis: int


@dataclass(frozen=True)
class PadV2(Pad):
    """Pad with the one element of `value`, which may be constant."""

    kind = "PADV2"
    input_fields = ("input", "value")

    value: TensorId


@dataclass(frozen=True)
class MirrorPad(Pad):
    """Pad with the elements next to the border, mirrored; `edge` is 1 to leave it itself out."""

    kind = "MIRROR_PAD"

    edge: int


@dataclass(frozen=True)
class Gather(Unary):
    """The elements of dimension `axis` at indices, which may be constant.

    The first `batch_dims` dimensions belong to input and indices alike.
    """

    kind = "GATHER"
    input_fields = ("input", "indices")

    indices: TensorId
    axis: int
    batch_dims: int


@dataclass(frozen=True)
class GatherNd(Unary):
    """The slices of the input at indices, which may be constant.

    The last dimension of the indices holds the place in the input's leading dimensions.
    """

    kind = "GATHER_ND"
    input_fields = ("input", "indices")

    indices: TensorId


@dataclass(frozen=True)
class DynamicUpdateSlice(Operator):
    """The input with `part` written over it from `starts` on, moved so that it lies within."""

    kind = "DYNAMIC_UPDATE_SLICE"
    input_fields = ("input", "part", "starts")

    input: TensorId
    part: TensorId
    starts: TensorId
    output: TensorId


@dataclass(frozen=True)
class Fill(Operator):
    """A tensor of one value, which may be constant."""

    kind = "FILL"
    input_fields = ("value",)

    value: TensorId
    output: TensorId


@dataclass(frozen=True)
class ZerosLike(Unary):
    """Zeros in the input's shape; of quantised types, bytes of 0."""

    kind = "ZEROS_LIKE"


@dataclass(frozen=True)
class BroadcastArgs(Operator):
    """The shape that two shapes, vectors of integers, broadcast to."""

    kind = "BROADCAST_ARGS"
    input_fields = ("left", "right")

    left: TensorId
    right: TensorId
    output: TensorId


@dataclass(frozen=True)
class Tile(Unary):
    """The input repeated `multiples` times along each dimension."""

    kind = "TILE"

    multiples: Shape


@dataclass(frozen=True)
class BroadcastTo(Unary):
    """Dimensions of 1 repeated, and leading ones added."""

    kind = "BROADCAST_TO"


@dataclass(frozen=True)
class SpaceToDepth(Unary):
    """Blocks of height and width to channels."""

    kind = "SPACE_TO_DEPTH"

    block: int


@dataclass(frozen=True)
class DepthToSpace(Unary):
    """Channels to blocks of height and width."""

    kind = "DEPTH_TO_SPACE"

    block: int


@dataclass(frozen=True)
class SpaceToBatch(Unary):
    """Blocks of padded height and width to batch; `block` and `edges` are of height and width."""

    kind = "SPACE_TO_BATCH_ND"

    block: tuple[int, int]
    edges: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class BatchToSpace(Unary):
    """Batch to blocks of height and width, then cropped by `edges`."""

    kind = "BATCH_TO_SPACE_ND"

    block: tuple[int, int]
    edges: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Reverse(Unary):
    """The order of elements reversed along neighbouring `axes`."""

    kind = "REVERSE_V2"

    axes: Shape


@dataclass(frozen=True)
class ResizeNearestNeighbor(Unary):
    """Height and width resized by repeating or dropping elements."""

    kind = "RESIZE_NEAREST_NEIGHBOR"

    align_corners: bool
    half_pixel_centers: bool


def height_by_width(shape: Shape) -> tuple[int, int, int, int]:
    """Batch, height, width and channels of a tensor of rank 4, or of rank 3 without width."""
    batch, height, *width, channels = shape
    return batch, height, *(width or [1]), channels  # type: ignore[return-value]


def _axis(operator: Operator, axis: int, rank: int) -> None:
    if not 0 <= axis < rank:
        raise fail(operator, f"axis {axis} of a tensor of rank {rank}")


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _along(graph: Graph, op: Join | Cut, whole: int, parts: tuple[int, ...]) -> None:
    """The parts' extents along the axis add up to the whole's, the other dimensions agree."""
    shape = graph.tensors[whole].shape
    _axis(op, op.axis, len(shape))
    total = 0
    for part in parts:
        found = graph.tensors[part].shape
        if len(found) != len(shape) or _without(found, op.axis) != _without(shape, op.axis):
            raise fail(op, f"{list(found)} as a part of {list(shape)} along axis {op.axis}")
        total += found[op.axis]
    if total != shape[op.axis]:
        raise fail(op, f"parts of {total} together for {shape[op.axis]} along axis {op.axis}")


def _stacked(graph: Graph, op: Join | Cut, whole: int, parts: tuple[int, ...]) -> None:
    """Check that there are as many parts as the whole has along the axis, each without that
    dimension.
    """
    shape = graph.tensors[whole].shape
    _axis(op, op.axis, len(shape))
    if len(parts) != shape[op.axis]:
        raise fail(op, f"{len(parts)} parts for {shape[op.axis]} along axis {op.axis}")
    for part in parts:
        expect(op, "a part", graph.tensors[part].shape, _without(shape, op.axis))


def _concatenation(graph: Graph, op: Concatenation) -> None:
    _along(graph, op, op.output, op.sources)


def _pack(graph: Graph, op: Pack) -> None:
    _stacked(graph, op, op.output, op.sources)


def _split(graph: Graph, op: Split) -> None:
    _along(graph, op, op.input, op.results)
    if len({graph.tensors[result].shape for result in op.results}) > 1:
        raise fail(op, "the outputs have different shapes")


def _split_v(graph: Graph, op: SplitV) -> None:
    _along(graph, op, op.input, op.results)


def _unpack(graph: Graph, op: Unpack) -> None:
    _stacked(graph, op, op.input, op.results)


def _slice(graph: Graph, op: Slice) -> None:
    shape = graph.tensors[op.input].shape
    steps = op.steps if isinstance(op, StridedSlice) else (1,) * len(shape)
    dropped = op.dropped if isinstance(op, StridedSlice) else ()
    if not len(op.starts) == len(op.sizes) == len(steps) == len(shape):
        raise fail(op, f"begin and size must have {len(shape)} elements, the input's rank")
    for extent, start, size, step in zip(shape, op.starts, op.sizes, steps, strict=True):
        if size < 1 or not 0 <= start < extent or not 0 <= start + (size - 1) * step < extent:
            raise fail(op, f"{size} elements from {start} by {step} of {extent}")
    due = tuple(size for axis, size in enumerate(op.sizes) if axis not in dropped)
    expect(op, "the output", graph.tensors[op.output].shape, due)


def _transpose(graph: Graph, op: Transpose) -> None:
    shape = graph.tensors[op.input].shape
    if sorted(op.order) != list(range(len(shape))):
        raise fail(op, f"the order {list(op.order)} of {len(shape)} dimensions")
    due = tuple(shape[axis] for axis in op.order)
    expect(op, "the output", graph.tensors[op.output].shape, due)


def _squeeze(graph: Graph, op: Squeeze) -> None:
    shape = graph.tensors[op.input].shape
    for axis in op.axes:
        _axis(op, axis, len(shape))
        expect(op, "a removed dimension", (shape[axis],), (1,))
    due = tuple(extent for axis, extent in enumerate(shape) if axis not in op.axes)
    expect(op, "the output", graph.tensors[op.output].shape, due)


def _expand_dims(graph: Graph, op: ExpandDims) -> None:
    shape = graph.tensors[op.output].shape
    _axis(op, op.axis, len(shape))
    expect(op, "the added dimension", (shape[op.axis],), (1,))
    expect(op, "the input", graph.tensors[op.input].shape, _without(shape, op.axis))


def _mirror_pad(graph: Graph, op: MirrorPad) -> None:
    shape = graph.tensors[op.input].shape
    if any(max(pads) > extent - op.edge for extent, pads in zip(shape, op.paddings, strict=True)):
        raise fail(op, f"paddings {op.paddings} are wider than the input {list(shape)}")


def _gather(graph: Graph, op: Gather) -> None:
    shape, indices = graph.tensors[op.input].shape, graph.tensors[op.indices]
    _axis(op, op.axis, len(shape))
    if not 0 <= op.batch_dims <= min(op.axis, len(indices.shape)):
        raise fail(op, f"{op.batch_dims} batch dimensions before axis {op.axis}")
    batches, rest = indices.shape[: op.batch_dims], indices.shape[op.batch_dims :]
    expect(op, "the batch of indices", batches, shape[: op.batch_dims])
    if (
        indices.is_constant
        and not 0 <= indices.values.min() <= indices.values.max() < (shape[op.axis])
    ):
        raise fail(op, f"an index outside of {shape[op.axis]}")
    due = shape[: op.axis] + rest + shape[op.axis + 1 :]
    expect(op, "the output", graph.tensors[op.output].shape, due)


def _gather_nd(graph: Graph, op: GatherNd) -> None:
    shape, indices = graph.tensors[op.input].shape, graph.tensors[op.indices]
    if not shape or not indices.shape or indices.shape[-1] > len(shape):
        raise fail(op, f"indices of the shape {list(indices.shape)} into {list(shape)}")
    count = indices.shape[-1]
    if indices.is_constant:
        found = indices.values.astype(np.int64).reshape(-1, count)
        if (found < 0).any() or (found >= np.array(shape[:count])).any():
            raise fail(op, f"an index outside of {list(shape[:count])}")
    due = indices.shape[:-1] + shape[count:]
    expect(op, "the output", graph.tensors[op.output].shape, due)


def _update_slice(graph: Graph, op: DynamicUpdateSlice) -> None:
    shape, update = graph.tensors[op.input].shape, graph.tensors[op.part].shape
    if (
        not shape
        or len(update) != len(shape)
        or any(part > whole for part, whole in zip(update, shape, strict=True))
    ):
        raise fail(op, f"an update of the shape {list(update)} for {list(shape)}")
    expect(op, "the start", graph.tensors[op.starts].shape, (len(shape),))
    expect(op, "the output", graph.tensors[op.output].shape, shape)


def _fill(graph: Graph, op: Fill) -> None:
    expect(op, "the value", graph.tensors[op.value].shape, ())


def _zeros_like(graph: Graph, op: ZerosLike) -> None:
    expect(op, "the output", graph.tensors[op.output].shape, graph.tensors[op.input].shape)


def _broadcast_args(graph: Graph, op: BroadcastArgs) -> None:
    shapes = [graph.tensors[index].shape for index in (op.left, op.right)]
    if any(len(shape) != 1 for shape in shapes):
        raise fail(op, "the shapes are no vectors")
    expect(op, "the output", graph.tensors[op.output].shape, max(shapes))


def _tile(graph: Graph, op: Tile) -> None:
    shape = graph.tensors[op.input].shape
    if len(op.multiples) != len(shape):
        raise fail(op, f"multiples {list(op.multiples)} of a tensor of rank {len(shape)}")
    due = tuple(extent * times for extent, times in zip(shape, op.multiples, strict=True))
    expect(op, "the output", graph.tensors[op.output].shape, due)


def _broadcast_to(graph: Graph, op: BroadcastTo) -> None:
    shape, due = graph.tensors[op.input].shape, graph.tensors[op.output].shape
    matching = due[len(due) - len(shape) :]
    if len(shape) > len(due) or any(
        extent not in (1, wanted) for extent, wanted in zip(shape, matching, strict=True)
    ):
        raise fail(op, f"{list(shape)} cannot be broadcast to {list(due)}")


def _space_to_depth(graph: Graph, op: SpaceToDepth) -> None:
    batch, height, width, channels = rank_of(graph, op, op.output, 4)
    due = (batch, height * op.block, width * op.block)
    if op.block < 1 or channels % op.block**2:
        raise fail(op, f"blocks of {op.block} for {channels} channels")
    expect(op, "the input", graph.tensors[op.input].shape, (*due, channels // op.block**2))


def _depth_to_space(graph: Graph, op: DepthToSpace) -> None:
    batch, height, width, channels = rank_of(graph, op, op.input, 4)
    due = (batch, height * op.block, width * op.block)
    if op.block < 1 or channels % op.block**2:
        raise fail(op, f"blocks of {op.block} for {channels} channels")
    expect(op, "the output", graph.tensors[op.output].shape, (*due, channels // op.block**2))


def _batch_blocks(graph: Graph, op: SpaceToBatch | BatchToSpace, space: int, blocks: int) -> None:
    """Shapes of the side of larger height and width, and of the side of larger batch."""
    large, small = graph.tensors[space].shape, graph.tensors[blocks].shape
    if len(large) not in (3, 4) or len(small) != len(large):
        raise fail(op, f"ranks {len(large)} and {len(small)}")
    batch, height, width, channels = height_by_width(large)
    if min(op.block) < 1 or any(edge < 0 for pair in op.edges for edge in pair):
        raise fail(op, f"blocks of {op.block} with edges of {op.edges}")
    padded = [extent + sum(pair) for extent, pair in zip((height, width), op.edges, strict=True)]
    if any(extent % block for extent, block in zip(padded, op.block, strict=True)):
        raise fail(op, f"blocks of {op.block} for a height and width of {padded}")
    size = (padded[0] // op.block[0], padded[1] // op.block[1])
    due = (batch * op.block[0] * op.block[1], *size, channels)
    expect(op, "the side of blocks", height_by_width(small), due)


def _space_to_batch(graph: Graph, op: SpaceToBatch) -> None:
    _batch_blocks(graph, op, op.input, op.output)


def _batch_to_space(graph: Graph, op: BatchToSpace) -> None:
    _batch_blocks(graph, op, op.output, op.input)


def _reverse(graph: Graph, op: Reverse) -> None:
    shape = graph.tensors[op.input].shape
    for axis in op.axes:
        _axis(op, axis, len(shape))
    expect(op, "the output", graph.tensors[op.output].shape, shape)


def _resize(graph: Graph, op: ResizeNearestNeighbor) -> None:
    batch, _, _, channels = rank_of(graph, op, op.input, 4)
    found = rank_of(graph, op, op.output, 4)
    expect(op, "the output", found, (batch, *found[1:3], channels))


#: Rules by operator, see `verify`.
RULES: dict[type[Operator], OperatorRule] = {
    BatchToSpace: _batch_to_space,
    BroadcastArgs: _broadcast_args,
    BroadcastTo: _broadcast_to,
    Concatenation: _concatenation,
    DepthToSpace: _depth_to_space,
    DynamicUpdateSlice: _update_slice,
    ExpandDims: _expand_dims,
    Fill: _fill,
    Gather: _gather,
    GatherNd: _gather_nd,
    MirrorPad: _mirror_pad,
    Pack: _pack,
    ResizeNearestNeighbor: _resize,
    Reverse: _reverse,
    Slice: _slice,
    SpaceToBatch: _space_to_batch,
    SpaceToDepth: _space_to_depth,
    Split: _split,
    SplitV: _split_v,
    Squeeze: _squeeze,
    Tile: _tile,
    Transpose: _transpose,
    Unpack: _unpack,
    ZerosLike: _zeros_like,
}
