# SPDX-License-Identifier: Apache-2.0
"""Readers of the operators of a .tflite that only move elements, and the limits of what is
accepted.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from tinyflow.ir.movement import (
    BatchToSpace,
    BroadcastArgs,
    BroadcastTo,
    Concatenation,
    DepthToSpace,
    DynamicUpdateSlice,
    ExpandDims,
    Fill,
    Gather,
    GatherNd,
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
)
from tinyflow.ir.operators import Operator, Reshape
from tinyflow.ir.types import DType
from tinyflow.tflite.operator_reader import OperatorReader, Read, indices

#: Types that TFLM moves besides float32, by operator.
_ANY = (DType.INT8, DType.INT16, DType.INT32)
_QUANTISED = (DType.INT8, DType.INT16)
_BYTES = (DType.INT8,)
_SHAPES = (DType.INT32, DType.INT64)
_EVERY = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.INT64, DType.BOOL)
_WITH_BOOL = (*_ANY, DType.BOOL)
_PACKED = (*_ANY, DType.INT64)
_JOINED = (*_PACKED, DType.BOOL)
_RESHAPED = (*_EVERY, DType.UINT32, DType.UINT64)
#: The types that are not quantised.
_UNQUANTISED = (
    DType.INT32,
    DType.INT64,
    DType.UINT32,
    DType.UINT64,
    DType.FLOAT32,
    DType.BOOL,
)

#: The most tensors that TFLM concatenates at once.
_MAX_SOURCES = 10

#: Operators that may write several tensors.
SEVERAL_OUTPUTS = frozenset({"SPLIT", "SPLIT_V", "UNPACK"})


def _moved(
    at: OperatorReader,
    sources: list[int],
    results: list[int],
    types: tuple[DType, ...],
    *,
    constants: bool = False,
    padded: bool = False,
    rescaled: bool = False,
) -> None:
    """Check that all tensors have one type, one quantisation or none, and are activations.

    Where the operator pads, numbers must be quantised, for the zero point. With `constants` they
    may be constants, with `rescaled` of several quantisations.
    """
    first = sources[0]
    for index in (*sources, *results):
        tensor = at.tensors[index]
        if tensor.dtype not in (*types, DType.FLOAT32):
            allowed = " or ".join(dtype.value for dtype in types)
            raise at.refuse(f"tensor {tensor.name!r} is {tensor.dtype.value}, expected {allowed}")
        if tensor.dtype is not at.tensors[first].dtype:
            raise at.refuse("its tensors have different types")
        quantised = tensor.quantization is not None
        if tensor.dtype not in _UNQUANTISED and (quantised or padded):
            at.per_tensor(index)
        if not rescaled:
            at.same_quantization(first, index)
        if not constants:
            at.computed(index)


def moved(at: OperatorReader, source: int, *types: DType) -> None:
    """Check an operator that moves elements of one of these types, or of float32, and pads."""
    _moved(at, [source], [at.output], types, padded=True)


def _unary(at: OperatorReader, types: tuple[DType, ...], position: int = 0) -> int:
    """The one input, checked."""
    source = at.input(position)
    _moved(at, [source], [at.output], types)
    return source


def _rank(at: OperatorReader, index: int, most: int) -> int:
    rank = len(at.tensors[index].shape)
    if rank > most:
        raise at.refuse(f"rank {rank}, at most {most}")
    return rank


def _axis(axis: int, rank: int) -> int:
    """An axis that may count from the end; the rules check its range."""
    return axis + rank if axis < 0 else axis


def _one(at: OperatorReader, position: int) -> int:
    """A constant scalar."""
    values = at.integers(position)
    if len(values) != 1:
        raise at.refuse(f"{len(values)} values, expected 1")
    return values[0]


def _pairs(at: OperatorReader, position: int) -> tuple[tuple[int, int], ...]:
    flat = at.integers(position)
    return tuple(zip(flat[0::2], flat[1::2], strict=False))


def _concatenation(at: OperatorReader) -> Operator:
    options = at.options(schema.ConcatenationOptionsT)
    # TFLM copies int16 whatever its scale, as long as the zero points are 0.
    is_int16 = at.tensors[at.output].dtype is DType.INT16
    sources = _sources(at, _JOINED, rescaled=is_int16)
    quantizations = [at.tensors[index].quantization for index in (*sources, at.output)]
    if is_int16 and any(found is not None and found.zero_point for found in quantizations):
        raise at.refuse("int16 with a zero point other than 0")
    if options.fusedActivationFunction != schema.ActivationFunctionType.NONE:
        raise at.refuse("a fused activation")
    if len(sources) > _MAX_SOURCES:
        raise at.refuse(f"{len(sources)} inputs, at most {_MAX_SOURCES}")
    rank = _rank(at, at.output, 6)
    return Concatenation(at.name, sources, at.output, _axis(int(options.axis), rank))


def _pack(at: OperatorReader) -> Operator:
    options = at.options(schema.PackOptionsT)
    sources = _sources(at, _PACKED)
    if options.valuesCount != len(sources):
        raise at.refuse(f"{len(sources)} inputs where its options say {options.valuesCount}")
    rank = len(at.tensors[at.output].shape)
    return Pack(at.name, sources, at.output, _axis(int(options.axis), rank))


def _sources(
    at: OperatorReader, types: tuple[DType, ...], *, rescaled: bool = False
) -> tuple[int, ...]:
    sources = [at.input(position) for position in range(len(indices(at.operator.inputs)))]
    if not sources:
        raise at.refuse("no inputs")
    _moved(at, sources, [at.output], types, constants=True, rescaled=rescaled)
    at.some_computed(*sources)
    return tuple(sources)


def _split(at: OperatorReader) -> Operator:
    source, results = at.input(1), indices(at.operator.outputs)
    _moved(at, [source], results, _ANY)
    axis = _axis(_one(at, 0), len(at.tensors[source].shape))
    return Split(at.name, source, tuple(results), axis)


def _split_v(at: OperatorReader) -> Operator:
    source, results = at.input(0), indices(at.operator.outputs)
    _moved(at, [source], results, _ANY)
    axis = _axis(_one(at, 2), len(at.tensors[source].shape))
    return SplitV(at.name, source, tuple(results), axis)


def _unpack(at: OperatorReader) -> Operator:
    options = at.options(schema.UnpackOptionsT)
    source, results = at.input(0), indices(at.operator.outputs)
    _moved(at, [source], results, _ANY)
    if options.num != len(results):
        raise at.refuse(f"{len(results)} outputs where its options say {options.num}")
    axis = _axis(int(options.axis), len(at.tensors[source].shape))
    return Unpack(at.name, source, tuple(results), axis)


def _slice(at: OperatorReader) -> Operator:
    source = _unary(at, _WITH_BOOL)
    _rank(at, source, 5)
    shape, starts = at.tensors[source].shape, at.integers(1)
    sizes = [
        extent - start if size == -1 else size
        for extent, start, size in zip(shape, starts, at.integers(2), strict=False)
    ]
    return Slice(at.name, source, at.output, tuple(starts), tuple(sizes))


def _strided_slice(at: OperatorReader) -> Operator:
    options = at.options(schema.StridedSliceOptionsT)
    source = _unary(at, _WITH_BOOL)
    rank = _rank(at, source, 5)
    if options.ellipsisMask or options.newAxisMask or options.offset:
        raise at.refuse("an ellipsis, a new axis or an offset")
    begins, ends, steps = (at.integers(position) for position in (1, 2, 3))
    if not len(begins) == len(ends) == len(steps) == rank:
        raise at.refuse(f"begin, end or strides are not given for each of {rank} dimensions")
    starts, sizes, dropped = [], [], []
    for axis, extent in enumerate(at.tensors[source].shape):
        step, bit = steps[axis], 1 << axis
        if step == 0:
            raise at.refuse("a stride of 0")
        # Python clamps and counts from the end as TFLM does.
        start, stop, _ = slice(
            None if options.beginMask & bit else begins[axis],
            None if options.endMask & bit else ends[axis],
            step,
        ).indices(extent)
        if options.shrinkAxisMask & bit:
            if step < 0:
                raise at.refuse("a negative stride along a dimension that is dropped")
            stop = start + 1
            dropped.append(axis)
        starts.append(start)
        sizes.append(max(0, math.ceil((stop - start) / step)))
    return StridedSlice(
        at.name, source, at.output, tuple(starts), tuple(sizes), tuple(steps), tuple(dropped)
    )


def _transpose(at: OperatorReader) -> Operator:
    source = _unary(at, _QUANTISED)
    _rank(at, source, 5)
    return Transpose(at.name, source, at.output, tuple(at.integers(1)))


def _reshape(at: OperatorReader) -> Operator:
    return Reshape(at.name, _unary(at, _RESHAPED), at.output)


def _squeeze(at: OperatorReader) -> Operator:
    options = at.options(schema.SqueezeOptionsT)
    source = _unary(at, _RESHAPED)
    shape = at.tensors[source].shape
    axes = [_axis(axis, len(shape)) for axis in indices(options.squeezeDims)]
    if not axes:
        axes = [axis for axis, extent in enumerate(shape) if extent == 1]
    return Squeeze(at.name, source, at.output, tuple(axes))


def _expand_dims(at: OperatorReader) -> Operator:
    source = _unary(at, _QUANTISED)
    axis = _axis(_one(at, 1), len(at.tensors[source].shape) + 1)
    return ExpandDims(at.name, source, at.output, axis)


def _pad_v2(at: OperatorReader) -> Operator:
    source = _unary(at, _ANY)
    _rank(at, source, 5)
    value, dtype = at.tensors[at.input(2)], at.tensors[source].dtype
    if value.elements != 1 or value.dtype is not dtype:
        raise at.refuse(f"the value {value.name!r} is not one element of {dtype.value}")
    at.same_quantization(at.input(2), source)
    return PadV2(at.name, source, at.output, _pairs(at, 1), at.input(2))


def _mirror_pad(at: OperatorReader) -> Operator:
    options = at.options(schema.MirrorPadOptionsT)
    source = _unary(at, _BYTES)
    _rank(at, source, 5)
    reflects = options.mode == schema.MirrorPadMode.REFLECT
    return MirrorPad(at.name, source, at.output, _pairs(at, 1), int(reflects))


def _gather(at: OperatorReader) -> Operator:
    options = at.options(schema.GatherOptionsT)
    source, indices = at.input(0), at.tensors[at.input(1)]
    _moved(at, [source], [at.output], _BYTES, constants=True)
    at.some_computed(source, at.input(1))
    if indices.dtype is not DType.INT32:
        raise at.refuse(f"the indices {indices.name!r} are {indices.dtype.value}, expected int32")
    axis = _axis(int(options.axis), _rank(at, source, 5))
    batch_dims = _axis(int(options.batchDims), len(indices.shape))
    return Gather(at.name, source, at.output, at.input(1), axis, batch_dims)


def _gather_nd(at: OperatorReader) -> Operator:
    source, indices = at.input(0), at.tensors[at.input(1)]
    _moved(at, [source], [at.output], _BYTES, constants=True)
    at.computed(at.output)
    at.some_computed(source, at.input(1))
    if indices.dtype is not DType.INT32:
        raise at.refuse(f"the indices {indices.name!r} are {indices.dtype.value}, expected int32")
    _rank(at, source, 5)
    return GatherNd(at.name, source, at.output, at.input(1))


def _dynamic_update_slice(at: OperatorReader) -> Operator:
    source, update, starts = (at.input(position) for position in range(3))
    _moved(at, [source, update], [at.output], _ANY, constants=True)
    at.computed(at.output)
    at.some_computed(source, update, starts)
    _rank(at, source, 5)
    if at.tensors[starts].dtype not in (DType.INT32, DType.INT64):
        found = at.tensors[starts]
        raise at.refuse(f"the start {found.name!r} is {found.dtype.value}, expected int32 or int64")
    return DynamicUpdateSlice(at.name, source, update, starts, at.output)


def _fill(at: OperatorReader) -> Operator:
    value = at.input(1)
    _moved(at, [value], [at.output], (DType.INT8, DType.INT32), constants=True)
    at.computed(at.output)
    shape = at.tensors[at.input(0)]
    if shape.data is None or [int(each) for each in shape.data.ravel()] != list(
        at.tensors[at.output].shape
    ):
        raise at.refuse("the shape is no constant, or not that of the output")
    return Fill(at.name, value, at.output)


def _zeros_like(at: OperatorReader) -> Operator:
    types = (DType.INT8, DType.INT32, DType.INT64)
    _moved(at, [at.input(0)], [at.output], types, constants=True, rescaled=True)
    at.computed(at.output)
    return ZerosLike(at.name, at.input(0), at.output)


def _broadcast_args(at: OperatorReader) -> Operator:
    _moved(at, [at.input(0), at.input(1)], [at.output], _SHAPES, constants=True)
    if at.tensors[at.output].dtype is DType.FLOAT32:
        raise at.refuse("float32, expected int32 or int64")
    at.computed(at.output)
    at.some_computed(at.input(0), at.input(1))
    return BroadcastArgs(at.name, at.input(0), at.input(1), at.output)


def _tile(at: OperatorReader) -> Operator:
    source = _unary(at, _EVERY)
    _rank(at, source, 5)
    return Tile(at.name, source, at.output, tuple(at.integers(1)))


def _broadcast_to(at: OperatorReader) -> Operator:
    source = _unary(at, _EVERY)
    _rank(at, at.output, 5)
    if tuple(at.integers(1)) != at.tensors[at.output].shape:
        raise at.refuse("the output has another shape than asked for")
    return BroadcastTo(at.name, source, at.output)


def _depth(kind: type[SpaceToDepth] | type[DepthToSpace], options: type[Any]) -> Read:
    def read(at: OperatorReader) -> Operator:
        block = int(at.options(options).blockSize)
        source = _unary(at, _BYTES)
        at.image(source, at.output)
        return kind(at.name, source, at.output, block)

    return read


def _batch(kind: type[SpaceToBatch] | type[BatchToSpace]) -> Read:
    def read(at: OperatorReader) -> Operator:
        source = _unary(at, _BYTES)
        dimensions = len(at.tensors[source].shape) - 2
        block, edges = at.integers(1), _pairs(at, 2)
        if dimensions not in (1, 2) or not len(block) == len(edges) == dimensions:
            raise at.refuse("more than height and width in blocks")
        quantization = at.tensors[source].quantization
        zero_point = 0 if quantization is None else quantization.zero_point
        if kind is SpaceToBatch and any(map(any, edges)) and zero_point:
            raise at.refuse("paddings where the zero point is not 0, which TFLM pads with 0")
        return kind(
            at.name,
            source,
            at.output,
            (block[0], block[1] if dimensions == 2 else 1),
            (edges[0], edges[1] if dimensions == 2 else (0, 0)),
        )

    return read


def _reverse(at: OperatorReader) -> Operator:
    source = _unary(at, _EVERY)
    rank = _rank(at, source, 6)
    axes = sorted(_axis(axis, rank) for axis in at.integers(1))
    if any(after - before != 1 for before, after in pairwise(axes)):
        raise at.refuse(f"axes {axes} are not neighbours")
    return Reverse(at.name, source, at.output, tuple(axes))


def _resize_nearest_neighbor(at: OperatorReader) -> Operator:
    options = at.options(schema.ResizeNearestNeighborOptionsT)
    source = _unary(at, _QUANTISED)
    at.image(source, at.output)
    if tuple(at.integers(1)) != at.tensors[at.output].shape[1:3]:
        raise at.refuse("the output has another size than asked for")
    return ResizeNearestNeighbor(
        at.name,
        source,
        at.output,
        bool(options.alignCorners),
        bool(options.halfPixelCenters),
    )


READERS: dict[str, Read] = {
    "BATCH_TO_SPACE_ND": _batch(BatchToSpace),
    "BROADCAST_ARGS": _broadcast_args,
    "BROADCAST_TO": _broadcast_to,
    "CONCATENATION": _concatenation,
    "DEPTH_TO_SPACE": _depth(DepthToSpace, schema.DepthToSpaceOptionsT),
    "DYNAMIC_UPDATE_SLICE": _dynamic_update_slice,
    "EXPAND_DIMS": _expand_dims,
    "FILL": _fill,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "MIRROR_PAD": _mirror_pad,
    "PACK": _pack,
    "PADV2": _pad_v2,
    "RESHAPE": _reshape,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest_neighbor,
    "REVERSE_V2": _reverse,
    "SLICE": _slice,
    "SPACE_TO_BATCH_ND": _batch(SpaceToBatch),
    "SPACE_TO_DEPTH": _depth(SpaceToDepth, schema.SpaceToDepthOptionsT),
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TILE": _tile,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
    "ZEROS_LIKE": _zeros_like,
}
