# SPDX-License-Identifier: Apache-2.0
"""Operators that move elements and compute nothing, in portable C.

All but PADV2 come down to three routines: `tinyflow_move` copies a box between any strides,
`tinyflow_take` reads and `tinyflow_put` writes at the sum of one offset per dimension from a table.
The copies are computed here, on NumPy views of arrays that are never read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import Board
from tinyflow.errors import UnsupportedError
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.movement import (
    BatchToSpace,
    BroadcastArgs,
    BroadcastTo,
    Concatenation,
    Cut,
    DepthToSpace,
    DynamicUpdateSlice,
    ExpandDims,
    Fill,
    Gather,
    GatherNd,
    Join,
    MirrorPad,
    Pack,
    PadV2,
    ResizeNearestNeighbor,
    Reverse,
    Slice,
    SpaceToBatch,
    SpaceToDepth,
    Split,
    SplitV,
    Squeeze,
    StridedSlice,
    Tile,
    Transpose,
    Unpack,
    ZerosLike,
    height_by_width,
)
from tinyflow.ir.operators import Operator, Pad, Unary
from tinyflow.ir.quantization import round_half_away
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel, Overlap, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.kernels.portable.kernels import four_dimensions

#: Dimensions of tinyflow_move, tinyflow_take and tinyflow_put, TINYFLOW_MOVEMENT_RANK in C.
RANK = 5
#: The largest dimension that tables are made for; bounds the time and memory that takes.
MAX_EXTENT = 1 << 16

View = NDArray[Any]


@dataclass(frozen=True)
class Move:
    """A box of `run` neighbouring bytes, copied from any strides to any strides (all in bytes)."""

    run: int
    extent: tuple[int, ...]
    read: tuple[int, ...]
    write: tuple[int, ...]
    read_start: int
    write_start: int


def _memory(tensor: Tensor) -> View:
    """An array of the tensor's layout over one element: for views of it, never to be read."""
    element = np.empty(1, tensor.dtype.numpy)
    steps = [
        math.prod(tensor.shape[axis + 1 :]) * element.itemsize for axis in range(len(tensor.shape))
    ]
    return np.lib.stride_tricks.as_strided(element, tensor.shape, steps, writeable=False)


def _start(memory: View, view: View) -> int:
    """Bytes from the start of the memory to the view's first element."""
    first = view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    return int(first)


def _move(operator: Operator, source: tuple[View, View], target: tuple[View, View]) -> Move:
    """Return the move that copies a view to a view of its shape, each given after its memory."""
    (read_memory, read), (write_memory, write) = source, target
    assert read.shape == write.shape, (operator, read.shape, write.shape)
    dimensions = [
        dimension
        for dimension in zip(read.shape, read.strides, write.strides, strict=True)
        if dimension[0] > 1
    ]
    run = read.itemsize
    while dimensions and dimensions[-1][1:] == (run, run):
        run *= dimensions.pop()[0]
    merged: list[tuple[int, int, int]] = []
    for extent, step, out in dimensions:
        if merged and merged[-1][1:] == (extent * step, extent * out):
            merged[-1] = (merged[-1][0] * extent, step, out)
        else:
            merged.append((extent, step, out))
    if len(merged) > RANK:
        raise UnsupportedError(
            f"{operator.kind} layer {operator.name!r}: {len(merged)} interleaved dimensions, "
            f"at most {RANK}"
        )
    merged = [(1, 0, 0)] * (RANK - len(merged)) + merged
    extents, reads, writes = zip(*merged, strict=True)
    return Move(run, extents, reads, writes, _start(read_memory, read), _start(write_memory, write))


def _kernel(
    operator: Operator, moves: Sequence[Move], constants: tuple[Constant, ...] = ()
) -> Kernel:
    return Kernel(
        operator,
        "tinyflow_move",
        "tinyflow",
        "portable/move.c.j2",
        {"moves": moves},
        constants,
        header="tinyflow_movement.h",
    )


def _rearranged(op: Unary, graph: Graph, source: View, view: View) -> Kernel:
    """The kernel that writes a view of the input to the output in order."""
    target = _memory(output_of(graph, op))
    return _kernel(op, [_move(op, (source, view), (target, target.reshape(view.shape)))])


def join(op: Join, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """CONCATENATION, PACK: int8, int16, int32 or int64, along any axis.

    Constants may be among the inputs. All tensors have the same scale and zero point, or none; of
    CONCATENATION of int16 any scale. CONCATENATION takes bool, too, and 10 inputs at most.
    """
    target = _memory(output_of(graph, op))
    moves, constants, start = [], [], 0
    for position, index in enumerate(op.sources):
        tensor = graph.tensors[index]
        source = _memory(tensor)
        part = source if isinstance(op, Concatenation) else np.expand_dims(source, op.axis)
        stop = start + part.shape[op.axis]
        place = (slice(None),) * op.axis + (slice(start, stop),)
        moves.append(_move(op, (source, part), (target, target[place])))
        start = stop
        if tensor.is_constant:
            shape = "x".join(map(str, tensor.shape))
            comment = f"input {position} [{shape}]"
            constants.append(
                Constant(f"input_{position}", tensor.dtype.c_type, tensor.values, comment)
            )
    return _kernel(op, moves, tuple(constants))


def cut(op: Cut, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SPLIT, SPLIT_V, UNPACK: int8, int16 or int32, along any axis."""
    source = _memory(graph.tensors[op.input])
    moves, start = [], 0
    for index in op.results:
        target = _memory(graph.tensors[index])
        part = np.expand_dims(target, op.axis) if isinstance(op, Unpack) else target
        stop = start + part.shape[op.axis]
        place = (slice(None),) * op.axis + (slice(start, stop),)
        moves.append(_move(op, (source, source[place]), (target, part)))
        start = stop
    return _kernel(op, moves)


def strided(op: Slice, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SLICE, STRIDED_SLICE: int8, int16, int32 or bool; up to 5 dimensions.

    Begin, end, size and strides are constants; strides may be negative. No ellipsis, new axis
    or offset.
    """
    source = _memory(graph.tensors[op.input])
    steps = op.steps if isinstance(op, StridedSlice) else (1,) * source.ndim
    view = source
    for axis, (start, size, step) in enumerate(zip(op.starts, op.sizes, steps, strict=True)):
        stop = start + size * step
        place = slice(start, stop if stop >= 0 else None, step)
        view = view[(slice(None),) * axis + (place,)]
    return _rearranged(op, graph, source, view)


def transpose(op: Transpose, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """TRANSPOSE: int8 or int16, up to 5 dimensions, any constant order."""
    source = _memory(graph.tensors[op.input])
    return _rearranged(op, graph, source, source.transpose(op.order))


def broadcast_to(op: BroadcastTo, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """BROADCAST_TO: int8, uint8, int16, int32, int64 or bool, up to 5 dimensions."""
    source = _memory(graph.tensors[op.input])
    return _rearranged(op, graph, source, np.broadcast_to(source, output_of(graph, op).shape))


def reverse(op: Reverse, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """REVERSE_V2: int8, uint8, int16, int32, int64 or bool, up to 6 dimensions, along neighbouring
    axes.
    """
    source = _memory(graph.tensors[op.input])
    return _rearranged(op, graph, source, np.flip(source, op.axes))


def space_to_depth(op: SpaceToDepth, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SPACE_TO_DEPTH: int8, 4 dimensions."""
    source = _memory(graph.tensors[op.input])
    batch, height, width, _ = output_of(graph, op).shape
    blocks = source.reshape(batch, height, op.block, width, op.block, -1)
    return _rearranged(op, graph, source, blocks.transpose(0, 1, 3, 2, 4, 5))


def depth_to_space(op: DepthToSpace, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """DEPTH_TO_SPACE: int8, 4 dimensions."""
    source = _memory(graph.tensors[op.input])
    batch, height, width, _ = source.shape
    blocks = source.reshape(batch, height, width, op.block, op.block, -1)
    return _rearranged(op, graph, source, blocks.transpose(0, 1, 3, 2, 4, 5))


def squeeze(op: Squeeze, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SQUEEZE: int8, uint8, int16, int32, uint32, int64, uint64 or bool.

    No code, the output is the input's memory.
    """
    return Kernel(op, "none", "none", "", aliases_input=True)


def expand_dims(op: ExpandDims, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """EXPAND_DIMS: int8 or int16; no code, the output is the input's memory."""
    return Kernel(op, "none", "none", "", aliases_input=True)


def pad_unquantised(op: Pad, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """PAD: Float32 and int32, too, with 0."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    if source.dtype not in (DType.FLOAT32, DType.INT32):
        return None
    tables = _padded_places(op, graph)
    return _by_table(op, "tinyflow_put", tables, source.dtype.itemsize, value=0, size=output.size)


def _padded_places(op: Pad, graph: Graph) -> list[NDArray[np.int64]]:
    """Return, for each dimension of the input, offsets in bytes into the output."""
    _bounded(op, graph)
    strides = _memory(output_of(graph, op)).strides
    return [
        (np.arange(extent) + before) * step
        for extent, (before, _), step in zip(
            graph.tensors[op.input].shape, op.paddings, strides, strict=True
        )
    ]


def pad_v2(op: PadV2, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """PADV2: int8, up to 4 dimensions, or 5 where one after the first is not padded, with a value
    of the input's scale and zero point, constant or computed.
    """
    if graph.tensors[op.input].dtype is not DType.INT8:
        return None
    shape, pads = four_dimensions(op, graph.tensors[op.input].shape)
    value = graph.tensors[op.value]
    return Kernel(
        op,
        "tinyflow_pad_s8",
        "tinyflow",
        "portable/pad_s8.c.j2",
        {
            "value": value.values.item() if value.is_constant else None,
            "shape": shape,
            "pads": pads,
        },
    )


def pad_v2_unquantised(op: PadV2, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """PADV2: int16 or int32, up to 5 dimensions, with a value that is constant or computed."""
    output = output_of(graph, op)
    tables = _padded_places(op, graph)
    filled = {"elements": output.elements, "element_size": output.dtype.itemsize}
    kernel = _by_table(op, "tinyflow_put", tables, output.dtype.itemsize, value=0, size=0, **filled)
    return replace(
        kernel,
        template="portable/fill_and_put.c.j2",
        constants=(*kernel.constants, *_constants(graph, value=op.value)),
        file="put",
        needs=("tinyflow_fill.c",),
    )


def _bounded(op: Unary, graph: Graph) -> None:
    """Refuse dimensions that are too large for tables."""
    for index in (op.input, op.output):
        if max(graph.tensors[index].shape, default=1) > MAX_EXTENT:
            raise UnsupportedError(
                f"{op.kind} layer {op.name!r}: {graph.tensors[index].name!r} has the shape "
                f"{list(graph.tensors[index].shape)}, at most {MAX_EXTENT} along each dimension"
            )


def _by_table(
    op: Unary, function: str, tables: Iterable[NDArray[np.int64]], run: int, **context: Any
) -> Kernel:
    """The kernel that adds up one offset in bytes per dimension for each run of bytes."""
    found = list(tables)
    while found and np.array_equal(found[-1], np.arange(len(found[-1])) * run):
        run *= len(found.pop())
    found = [np.zeros(1, np.int64)] * (RANK - len(found)) + found
    extent = tuple(len(table) for table in found)
    offsets = np.concatenate(found).astype(np.int32)
    return Kernel(
        op,
        function,
        "tinyflow",
        f"portable/{function.removeprefix('tinyflow_')}.c.j2",
        {"extent": extent, "run": run, **context},
        (Constant("offsets", "int32_t", offsets, "offsets in bytes, one dimension after another"),),
        header="tinyflow_movement.h",
    )


def _take(op: Unary, graph: Graph, indices: Sequence[NDArray[np.int64]]) -> Kernel:
    """The kernel that takes the elements at indices of each dimension."""
    source = _memory(graph.tensors[op.input])
    tables = [np.asarray(index) * step for index, step in zip(indices, source.strides, strict=True)]
    return _by_table(op, "tinyflow_take", tables, source.itemsize)


def mirror_pad(op: MirrorPad, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """MIRROR_PAD: int8, up to 5 dimensions, REFLECT or SYMMETRIC."""
    _bounded(op, graph)
    indices = []
    for extent, (before, after) in zip(graph.tensors[op.input].shape, op.paddings, strict=True):
        inside = np.arange(extent)
        left = inside[op.edge : op.edge + before][::-1]
        right = inside[::-1][op.edge : op.edge + after]
        indices.append(np.concatenate([left, inside, right]))
    return _take(op, graph, indices)


def gather(op: Gather, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """GATHER: int8, up to 5 dimensions, along any axis."""
    if op.batch_dims or not graph.tensors[op.indices].is_constant:
        return None
    _bounded(op, graph)
    indices = [np.arange(extent) for extent in graph.tensors[op.input].shape]
    indices[op.axis] = graph.tensors[op.indices].values.ravel().astype(np.int64)
    return _take(op, graph, indices)


def gather_computed(op: Gather, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """GATHER: int8, up to 5 dimensions; indices of int32 may be computed, and have batch
    dimensions; the input may be constant where they are. The model returns an error where an index
    is not of the input.
    """
    source, indices = graph.tensors[op.input], graph.tensors[op.indices]
    shape = source.shape
    constants = _constants(graph, input=op.input, indices=op.indices)
    return Kernel(
        op,
        "tinyflow_gather",
        "tinyflow",
        "portable/gather.c.j2",
        {
            "batches": math.prod(shape[: op.batch_dims]),
            "outer": math.prod(shape[op.batch_dims : op.axis]),
            "extent": shape[op.axis],
            "count": math.prod(indices.shape[op.batch_dims :]),
            "run": math.prod(shape[op.axis + 1 :]) * source.dtype.itemsize,
        },
        constants,
        header="tinyflow_movement.h",
    )


def gather_nd(op: GatherNd, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """GATHER_ND: int8, up to 5 dimensions; indices of int32, which may be computed. The model
    returns an error where a place is not of the input.
    """
    source, indices = graph.tensors[op.input], graph.tensors[op.indices]
    depth = indices.shape[-1]
    steps = [math.prod(source.shape[axis + 1 :]) for axis in range(depth)]
    return Kernel(
        op,
        "tinyflow_gather_nd",
        "tinyflow",
        "portable/gather_nd.c.j2",
        {
            "slices": indices.elements // depth,
            "depth": depth,
            "steps": steps,
            "run": math.prod(source.shape[depth:]),
            "total": source.elements,
            "size": source.dtype.itemsize,
        },
        _constants(graph, input=op.input, indices=op.indices),
        header="tinyflow_movement.h",
    )


def _constants(graph: Graph, **fields: int) -> tuple[Constant, ...]:
    """The operands that are constant, for flash."""
    return tuple(
        Constant(field, tensor.dtype.c_type, tensor.values, f"{field} {list(tensor.shape)}")
        for field, tensor in ((field, graph.tensors[index]) for field, index in fields.items())
        if tensor.is_constant
    )


def update_slice(
    op: DynamicUpdateSlice, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """DYNAMIC_UPDATE_SLICE: int8, int16 or int32, up to 5 dimensions; starts of int32 or int64;
    any operand may be constant.
    """
    source, update = graph.tensors[op.input], graph.tensors[op.part]
    ones = (1,) * (RANK - len(source.shape))
    wide = graph.tensors[op.starts].dtype is DType.INT64
    function = "tinyflow_update_slice_s64" if wide else "tinyflow_update_slice"
    return Kernel(
        op,
        function,
        "tinyflow",
        "portable/update_slice.c.j2",
        {
            "function": function,
            "rank": len(source.shape),
            "shape": ones + source.shape,
            "update": ones + update.shape,
            "size": source.dtype.itemsize,
        },
        _constants(graph, input=op.input, part=op.part, starts=op.starts),
        header="tinyflow_movement.h",
        overlaps=() if source.is_constant else (Overlap("input", exact=True),),
    )


def fill(op: Fill, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """FILL: int8 or int32, a constant shape; the value may be computed."""
    return _fill(op, graph, _constants(graph, value=op.value))


def zeros_like(op: ZerosLike, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ZEROS_LIKE: int8, int32 or int64; of int8 bytes of 0, as in the reference."""
    output = output_of(graph, op)
    zero = Constant("zero", output.dtype.c_type, np.zeros(1, output.dtype.numpy), "zero")
    return _fill(op, graph, (zero,))


def _fill(op: Fill | ZerosLike, graph: Graph, constants: tuple[Constant, ...]) -> Kernel:
    output = output_of(graph, op)
    return Kernel(
        op,
        "tinyflow_fill",
        "tinyflow",
        "portable/fill.c.j2",
        {"size": output.dtype.itemsize, "count": output.elements},
        constants,
        header="tinyflow_movement.h",
    )


def broadcast_args(op: BroadcastArgs, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """BROADCAST_ARGS: int32 or int64, vectors. The model returns an error where they do not
    broadcast.
    """
    left, right = graph.tensors[op.left], graph.tensors[op.right]
    function = f"tinyflow_broadcast_args_{'s64' if left.dtype is DType.INT64 else 's32'}"
    return Kernel(
        op,
        function,
        "tinyflow",
        "portable/broadcast_args.c.j2",
        {"function": function, "ranks": (left.elements, right.elements)},
        _constants(graph, left=op.left, right=op.right),
        header="tinyflow_movement.h",
    )


def tile(op: Tile, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """TILE: int8, uint8, int16, int32, int64 or bool, up to 5 dimensions, constant multiples."""
    source = _memory(graph.tensors[op.input])
    longer = [(extent, times) for extent, times in zip(source.shape, op.multiples, strict=True)]
    dimensions = sum((extent > 1) + (times > 1) for extent, times in longer)
    if dimensions <= RANK:
        apart = source.reshape([extent for each in source.shape for extent in (1, each)])
        shape = [extent for each, times in longer for extent in (times, each)]
        return _rearranged(op, graph, source, np.broadcast_to(apart, shape))
    _bounded(op, graph)
    return _take(op, graph, [np.tile(np.arange(extent), times) for extent, times in longer])


def resize_nearest_neighbor(
    op: ResizeNearestNeighbor, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """RESIZE_NEAREST_NEIGHBOR: int8 or int16, with or without aligned corners or half pixels."""
    _bounded(op, graph)
    source, output = graph.tensors[op.input].shape, output_of(graph, op).shape
    indices = [np.arange(extent) for extent in source]
    for axis in (1, 2):
        indices[axis] = np.array(
            [_nearest(op, at, source[axis], output[axis]) for at in range(output[axis])]
        )
    return _take(op, graph, indices)


def _nearest(op: ResizeNearestNeighbor, at: int, size: int, output_size: int) -> int:
    """The input's element for one of the output's; float32 (`GetNearestNeighbor`)."""
    corners = op.align_corners and output_size > 1
    scale = np.float32(size - corners) / np.float32(output_size - corners)
    place = (np.float32(at) + np.float32(0.5 if op.half_pixel_centers else 0.0)) * scale
    index = round_half_away(float(place)) if op.align_corners else math.floor(place)
    return min(index, size - 1)


def _places(extent: int, block: int, before: int) -> NDArray[np.int64]:
    """Place in the padded dimension as (phase, block), int64 of shape (2, extent)."""
    place = np.arange(extent) + before
    return np.stack([place % block, place // block])


def _block_tables(
    op: SpaceToBatch | BatchToSpace, space: Tensor, blocks: Tensor
) -> list[NDArray[np.int64]]:
    """Return offsets into the deep side for batch, height, width and channels of the wide side."""
    batch, height, width, channels = height_by_width(space.shape)
    _, rows, columns, _ = height_by_width(blocks.shape)
    row = columns * channels
    image = rows * row
    size = space.dtype.itemsize
    phase_y, y = _places(height, op.block[0], op.edges[0][0])
    phase_x, x = _places(width, op.block[1], op.edges[1][0])
    return [
        np.arange(batch) * image * size,
        (phase_y * op.block[1] * batch * image + y * row) * size,
        (phase_x * batch * image + x * channels) * size,
        np.arange(channels) * size,
    ]


def space_to_batch(op: SpaceToBatch, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SPACE_TO_BATCH_ND: int8, 3 or 4 dimensions; padded only where the zero point is 0."""
    _bounded(op, graph)
    source, output = graph.tensors[op.input], output_of(graph, op)
    tables = _block_tables(op, source, output)
    size = output.size if output.size > source.size else 0
    return _by_table(op, "tinyflow_put", tables, source.dtype.itemsize, value=0, size=size)


def batch_to_space(op: BatchToSpace, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """BATCH_TO_SPACE_ND: int8, 3 or 4 dimensions."""
    _bounded(op, graph)
    tables = _block_tables(op, output_of(graph, op), graph.tensors[op.input])
    return _by_table(op, "tinyflow_take", tables, output_of(graph, op).dtype.itemsize)


def pad_s16(op: Pad, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """PAD: int16, up to 5 dimensions."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    if len(source.shape) > RANK:
        raise UnsupportedError(f"PAD layer {op.name!r}: rank {len(source.shape)}, at most {RANK}")
    tables = _padded_places(op, graph)
    return _by_table(op, "tinyflow_put", tables, source.dtype.itemsize, value=0, size=output.size)


KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    BatchToSpace: (batch_to_space,),
    BroadcastArgs: (broadcast_args,),
    BroadcastTo: (broadcast_to,),
    Concatenation: (join,),
    DepthToSpace: (depth_to_space,),
    DynamicUpdateSlice: (update_slice,),
    ExpandDims: (expand_dims,),
    Fill: (fill,),
    Gather: (gather, gather_computed),
    GatherNd: (gather_nd,),
    MirrorPad: (mirror_pad,),
    Pack: (join,),
    PadV2: (pad_v2, pad_v2_unquantised),
    ResizeNearestNeighbor: (resize_nearest_neighbor,),
    Reverse: (reverse,),
    Slice: (strided,),
    SpaceToBatch: (space_to_batch,),
    SpaceToDepth: (space_to_depth,),
    Split: (cut,),
    SplitV: (cut,),
    Squeeze: (squeeze,),
    StridedSlice: (strided,),
    Tile: (tile,),
    Transpose: (transpose,),
    Unpack: (cut,),
    ZerosLike: (zeros_like,),
}
INT16_KERNELS: dict[type[Operator], tuple[Maker, ...]] = {Pad: (pad_s16,)}
