# SPDX-License-Identifier: Apache-2.0
"""Cases of the movement operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TENSOR_TYPES, TfliteBuilder

#: Adds an operator that reads the first tensor and writes the others.
Adds = Callable[[TfliteBuilder, list[int], list[int]], None]


class _Edge:
    """Tensors of one type and quantisation."""

    def __init__(self, builder: TfliteBuilder, rng: np.random.Generator, dtype: str) -> None:
        self.builder = builder
        self.rng = rng
        self.dtype = dtype
        self.scale = float(rng.uniform(0.001, 0.5))
        self.zero_point = int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))]))

    def __call__(self, shape: Sequence[int], data: Any = None) -> int:
        if self.dtype in ("int32", "int64", "bool", "float32"):
            return self.builder.tensor(shape, self.dtype, data=data)
        point = {"int8": self.zero_point, "uint8": self.zero_point + 128}.get(self.dtype, 0)
        return self.builder.tensor(shape, self.dtype, self.scale, point, data=data)

    def values(self, shape: Sequence[int]) -> int:
        if self.dtype == "float32":
            return self(shape, self.rng.normal(size=tuple(shape)))
        if self.dtype == "bool":
            return self(shape, self.rng.integers(0, 2, shape))
        limits = np.iinfo(self.dtype)
        return self(shape, self.rng.integers(limits.min, limits.max, shape, endpoint=True))


def _constant(builder: TfliteBuilder, values: Any) -> int:
    array = np.asarray(values, np.int32)
    return builder.tensor(array.shape, "int32", data=array)


def _join(
    kind: str, shapes: Sequence[Sequence[int]], axis: int, dtype: str, constants: Sequence[int]
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        edge = _Edge(b, rng, dtype)
        sources = [
            edge.values(shape) if position in constants else edge(shape)
            for position, shape in enumerate(shapes)
        ]
        parts = [np.empty(shape) for shape in shapes]
        joined = np.concatenate(parts, axis) if kind == "CONCATENATION" else np.stack(parts, axis)
        output = edge(joined.shape)
        options: dict[str, Any] = {"valuesCount": len(shapes)} if kind == "PACK" else {}
        b.operator(kind, sources, [output], axis=axis, **options)
        return [s for i, s in enumerate(sources) if i not in constants], [output]

    return case


def concatenation(
    *shapes: Sequence[int], axis: int, dtype: str = "int8", constants: Sequence[int] = ()
) -> Case:
    return _join("CONCATENATION", shapes, axis, dtype, constants)


def pack(
    *shapes: Sequence[int], axis: int, dtype: str = "int8", constants: Sequence[int] = ()
) -> Case:
    return _join("PACK", shapes, axis, dtype, constants)


def _one_to(
    shape: Sequence[int], results: Sequence[Sequence[int]], add: Adds, dtype: str = "int8"
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        edge = _Edge(b, rng, dtype)
        source, outputs = edge(shape), [edge(result) for result in results]
        add(b, [source], outputs)
        return [source], outputs

    return case


def split(shape: Sequence[int], pieces: int, axis: int, dtype: str = "int8") -> Case:
    def add(b: TfliteBuilder, sources: list[int], results: list[int]) -> None:
        b.operator("SPLIT", [_constant(b, axis), *sources], results, numSplits=pieces)

    parts = np.split(np.empty(shape), pieces, axis)
    return _one_to(shape, [part.shape for part in parts], add, dtype)


def split_v(shape: Sequence[int], sizes: Sequence[int], axis: int, dtype: str = "int8") -> Case:
    def add(b: TfliteBuilder, sources: list[int], results: list[int]) -> None:
        operands = [*sources, _constant(b, sizes), _constant(b, axis)]
        b.operator("SPLIT_V", operands, results, numSplits=len(sizes))

    parts = np.split(np.empty(shape), np.cumsum(sizes)[:-1], axis)
    return _one_to(shape, [part.shape for part in parts], add, dtype)


def unpack(shape: Sequence[int], axis: int, dtype: str = "int8") -> Case:
    count = shape[axis]

    def add(b: TfliteBuilder, sources: list[int], results: list[int]) -> None:
        b.operator("UNPACK", sources, results, num=count, axis=axis)

    part = np.take(np.empty(shape), 0, axis).shape
    return _one_to(shape, [part] * count, add, dtype)


def with_operands(
    kind: str,
    shape: Sequence[int],
    result: Sequence[int],
    *operands: Any,
    dtype: str = "int8",
    **options: Any,
) -> Case:
    """An operator with constant operands of int32 after the input."""

    def add(b: TfliteBuilder, sources: list[int], results: list[int]) -> None:
        b.operator(kind, sources + [_constant(b, value) for value in operands], results, **options)

    return _one_to(shape, [result], add, dtype)


def slice_(
    shape: Sequence[int], begin: Sequence[int], size: Sequence[int], dtype: str = "int8"
) -> Case:
    ends = [None if s == -1 else at + s for at, s in zip(begin, size, strict=True)]
    places = tuple(slice(at, end) for at, end in zip(begin, ends, strict=True))
    result = np.empty(shape)[places].shape
    return with_operands("SLICE", shape, result, begin, size, dtype=dtype)


def strided_slice(
    shape: Sequence[int],
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int],
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    shrink: int = 0,
    dtype: str = "int8",
) -> Case:
    places: list[slice | int] = []
    for axis, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        place = slice(
            None if begin_mask >> axis & 1 else first, None if end_mask >> axis & 1 else last, step
        )
        places.append(place.indices(shape[axis])[0] if shrink >> axis & 1 else place)
    return with_operands(
        "STRIDED_SLICE",
        shape,
        np.empty(shape)[tuple(places)].shape,
        begin,
        end,
        strides,
        dtype=dtype,
        beginMask=begin_mask,
        endMask=end_mask,
        shrinkAxisMask=shrink,
    )


def transpose(shape: Sequence[int], order: Sequence[int], dtype: str = "int8") -> Case:
    return with_operands("TRANSPOSE", shape, [shape[axis] for axis in order], order, dtype=dtype)


def _padded(shape: Sequence[int], pads: Sequence[tuple[int, int]]) -> list[int]:
    return [extent + sum(pair) for extent, pair in zip(shape, pads, strict=True)]


def pad(shape: Sequence[int], pads: Sequence[tuple[int, int]], dtype: str = "int8") -> Case:
    return with_operands("PAD", shape, _padded(shape, pads), pads, dtype=dtype)


def mirror_pad(shape: Sequence[int], pads: Sequence[tuple[int, int]], mode: int) -> Case:
    return with_operands("MIRROR_PAD", shape, _padded(shape, pads), pads, mode=mode)


def pad_v2(
    shape: Sequence[int],
    pads: Sequence[tuple[int, int]],
    dtype: str = "int8",
    *,
    computed: bool = False,
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        edge = _Edge(b, rng, dtype)
        source, result = edge(shape), edge(_padded(shape, pads))
        value = edge((1,)) if computed else edge.values(())
        b.operator("PADV2", [source, _constant(b, pads), value], [result])
        return [source, value] if computed else [source], [result]

    return case


def gather(shape: Sequence[int], indices: Any, axis: int, batch: int = 0) -> Case:
    place = axis % len(shape)
    result = (*shape[:place], *np.shape(indices)[batch:], *shape[place + 1 :])
    return with_operands("GATHER", shape, result, indices, axis=axis, batchDims=batch)


def gather_computed(
    shape: Sequence[int], indices: Sequence[int], axis: int, batch: int = 0
) -> Case:
    """GATHER at indices of that shape, an input of the model."""
    place = axis % len(shape)
    result = (*shape[:place], *indices[batch:], *shape[place + 1 :])

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        edge = _Edge(b, rng, "int8")
        source, chosen, found = edge(shape), b.tensor(indices, "int32"), edge(result)
        b.operator("GATHER", [source, chosen], [found], axis=axis, batchDims=batch)
        return [source, chosen], [found]

    return case


def best_row(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """The rows of a table at the places of maxima."""
    scores, rows = _Edge(b, rng, "int8"), _Edge(b, rng, "int8")
    source, table, found = scores((3, 7)), rows((7, 5)), rows((3, 5))
    places = b.tensor((3,), "int32")
    b.operator("ARG_MAX", [source, _constant(b, 1)], [places])
    b.operator("GATHER", [table, places], [found])
    return [source, table], [found]


def tile(shape: Sequence[int], multiples: Sequence[int], dtype: str = "int8") -> Case:
    result = np.multiply(shape, multiples).tolist()
    return with_operands("TILE", shape, result, multiples, dtype=dtype)


def rescaled_concatenation(
    b: TfliteBuilder, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """CONCATENATION of int16 copies, whatever the scales."""
    del rng
    sources = [b.tensor((2, n), "int16", scale) for n, scale in ((3, 0.01), (4, 0.02))]
    result = b.tensor((2, 7), "int16", 0.05)
    b.operator("CONCATENATION", sources, [result], axis=1)
    return sources, [result]


def off_centre(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Int16 of a zero point other than 0, moved."""
    del rng
    quantised = ("int16", 0.01, -32768)
    source, turned = b.tensor((2, 3, 4), *quantised), b.tensor((4, 2, 3), *quantised)
    flat, real = b.tensor((24,), *quantised), b.tensor((24,), "float32")
    b.operator("TRANSPOSE", [source, _constant(b, (2, 0, 1))], [turned])
    b.operator("RESHAPE", [turned, _constant(b, (24,))], [flat])
    b.operator("DEQUANTIZE", [flat], [real])
    return [source], [turned, real]


def tile_of_bool(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """A condition repeated before it selects."""
    edge = _Edge(b, rng, "int8")
    left, right, yes, result = edge((3, 1)), edge((3, 1)), edge((3, 4)), edge((3, 4))
    condition, tiled = b.tensor((3, 1), "bool"), b.tensor((3, 4), "bool")
    b.operator("GREATER", [left, right], [condition])
    b.operator("TILE", [condition, _constant(b, (1, 4))], [tiled])
    b.operator("SELECT_V2", [tiled, yes, edge.values(())], [result])
    return [left, right, yes], [result]


def tile_of_int64(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    edge = _Edge(b, rng, "int8")
    source, places, tiled = edge((2, 9)), b.tensor((2,), "int64"), b.tensor((6,), "int64")
    b.operator("ARG_MAX", [source, _constant(b, 1)], [places], outputType=TENSOR_TYPES["int64"])
    b.operator("TILE", [places, _constant(b, (3,))], [tiled])
    return [source], [tiled]


def upsampled(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Nearest neighbours as RESHAPE and TILE make them, between operators of TFLM."""
    edge = _Edge(b, rng, "int8")
    source, apart, tiled = edge((1, 3, 2, 4)), edge((1, 3, 1, 2, 4)), edge((1, 3, 2, 2, 4))
    joined, turned, result = edge((1, 6, 2, 4)), edge((1, 6, 4, 2)), edge((1, 6, 8, 2))
    b.operator("RESHAPE", [source, _constant(b, (1, 3, 1, 2, 4))], [apart])
    b.operator("TILE", [apart, _constant(b, (1, 1, 2, 1, 1))], [tiled])
    b.operator("RESHAPE", [tiled, _constant(b, (1, 6, 2, 4))], [joined])
    b.operator("TRANSPOSE", [joined, _constant(b, (0, 1, 3, 2))], [turned])
    b.operator("TILE", [turned, _constant(b, (1, 1, 2, 1))], [result])
    return [source], [result, joined]


def broadcast_to(shape: Sequence[int], result: Sequence[int], dtype: str = "int8") -> Case:
    return with_operands("BROADCAST_TO", shape, result, result, dtype=dtype)


def space_to_depth(shape: Sequence[int], block: int) -> Case:
    n, h, w, c = shape
    result = (n, h // block, w // block, c * block**2)
    return with_operands("SPACE_TO_DEPTH", shape, result, blockSize=block)


def depth_to_space(shape: Sequence[int], block: int) -> Case:
    n, h, w, c = shape
    result = (n, h * block, w * block, c // block**2)
    return with_operands("DEPTH_TO_SPACE", shape, result, blockSize=block)


def space_to_batch(
    shape: Sequence[int], block: Sequence[int], pads: Sequence[tuple[int, int]]
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        edge = _Edge(b, rng, "int8")
        if any(map(any, pads)):
            edge.zero_point = 0
        batch, *size, channels = shape
        size = [s // of for s, of in zip(_padded(size, pads), block, strict=True)]
        source, result = edge(shape), edge((batch * int(np.prod(block)), *size, channels))
        b.operator("SPACE_TO_BATCH_ND", [source, _constant(b, block), _constant(b, pads)], [result])
        return [source], [result]

    return case


def batch_to_space(
    shape: Sequence[int], block: Sequence[int], crops: Sequence[tuple[int, int]]
) -> Case:
    batch, *size, channels = shape
    size = [s * of - sum(crop) for s, of, crop in zip(size, block, crops, strict=True)]
    result = (batch // int(np.prod(block)), *size, channels)
    return with_operands("BATCH_TO_SPACE_ND", shape, result, block, crops)


def reverse(shape: Sequence[int], axes: Sequence[int], dtype: str = "int8") -> Case:
    return with_operands("REVERSE_V2", shape, shape, axes, dtype=dtype)


def resize(
    shape: Sequence[int],
    size: Sequence[int],
    *,
    corners: bool = False,
    half: bool = False,
    dtype: str = "int8",
) -> Case:
    return with_operands(
        "RESIZE_NEAREST_NEIGHBOR",
        shape,
        (shape[0], *size, shape[3]),
        size,
        dtype=dtype,
        alignCorners=corners,
        halfPixelCenters=half,
    )


def shuffle(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """A shuffle of channels, with a piece that nothing reads and one that two layers read."""
    edge = _Edge(b, rng, "int8")
    source, pieces = edge((1, 3, 4, 6)), [edge((1, 3, 4, 2)) for _ in range(3)]
    b.operator("SPLIT", [_constant(b, 3), source], pieces, numSplits=3)
    joined, stacked, turned = edge((1, 3, 4, 4)), edge((1, 3, 4, 2, 2)), edge((1, 3, 4, 2, 2))
    b.operator("CONCATENATION", [pieces[2], pieces[0]], [joined], axis=3)
    b.operator("PACK", [pieces[2], pieces[2]], [stacked], valuesCount=2, axis=-1)
    b.operator("TRANSPOSE", [stacked, _constant(b, (0, 1, 2, 4, 3))], [turned])
    return [source], [joined, turned]


def dimensions_changed(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Two names for one memory, both read later."""
    edge = _Edge(b, rng, "int8")
    source, wide, narrow = edge((1, 5, 3)), edge((1, 1, 5, 3)), edge((5, 3))
    b.operator("EXPAND_DIMS", [source, _constant(b, 1)], [wide])
    b.operator("SQUEEZE", [wide], [narrow])
    rows, last = edge((3, 5)), edge((1, 1, 2, 3))
    b.operator("TRANSPOSE", [narrow, _constant(b, (1, 0))], [rows])
    b.operator("SLICE", [wide, _constant(b, (0, 0, 3, 0)), _constant(b, (1, 1, 2, 3))], [last])
    return [source], [rows, last]


CASES: dict[str, Case] = {
    "split, concatenation, pack, transpose": shuffle,
    "expand dims, squeeze, transpose, slice": dimensions_changed,
    # CONCATENATION
    "concatenation, channels": concatenation((1, 5, 4, 3), (1, 5, 4, 8), axis=3),
    "concatenation, height": concatenation((1, 2, 4, 3), (1, 5, 4, 3), (1, 1, 4, 3), axis=1),
    "concatenation, width from the end": concatenation((2, 3, 1, 5), (2, 3, 4, 5), axis=-2),
    "concatenation, batch": concatenation((1, 7), (2, 7), axis=0),
    "concatenation, one input": concatenation((3, 5), axis=1),
    "concatenation, ten vectors": concatenation(*[(size,) for size in range(1, 11)], axis=0),
    "concatenation, rank 5": concatenation((1, 2, 3, 2, 3), (1, 2, 1, 2, 3), axis=2),
    "concatenation, rank 6": concatenation((1, 2, 1, 2, 1, 2), (1, 2, 1, 3, 1, 2), axis=3),
    "concatenation, constants": concatenation(
        (1, 1, 6), (1, 4, 6), (1, 2, 6), axis=1, constants=(0, 2)
    ),
    "concatenation, constant of int16": concatenation(
        (2, 3), (2, 1), axis=1, dtype="int16", constants=(1,)
    ),
    "concatenation, int32": concatenation((2, 3), (2, 4), axis=-1, dtype="int32"),
    # STRIDED_SLICE
    "strided slice, last step": strided_slice(
        (1, 9, 5), (0, -1, 0), (1, 0, 5), (1, 1, 1), end_mask=2, shrink=2
    ),
    "strided slice, every second": strided_slice(
        (1, 9, 8, 3), (0, 1, 0, 0), (1, 9, 8, 3), (1, 2, 3, 1)
    ),
    "strided slice, backwards": strided_slice(
        (2, 5, 4), (1, -1, 3), (-9, 0, -9), (-1, -2, -1), begin_mask=1
    ),
    "strided slice, masks": strided_slice(
        (3, 4, 5, 6), (1, 2, 3, 4), (2, 1, 1, 5), (1, 1, 1, 1), begin_mask=6, end_mask=2
    ),
    "strided slice, backwards, masks": strided_slice(
        (7, 6), (2, 3), (4, 1), (-3, -1), begin_mask=3, end_mask=3
    ),
    "strided slice, clamped": strided_slice((4, 5), (-9, -3), (99, 99), (1, 2)),
    "strided slice, all but one dropped": strided_slice(
        (2, 3, 4, 5), (1, -2, 2, 0), (2, 0, 3, 5), (1, 1, 2, 1), shrink=7
    ),
    "strided slice, vector": strided_slice((17,), (3,), (16,), (4,)),
    "strided slice, int16": strided_slice((3, 6), (0, 1), (3, 6), (2, 2), dtype="int16"),
    "strided slice, int32 backwards": strided_slice((3, 6), (0, 5), (3, 1), (1, -1), dtype="int32"),
    # SLICE
    "slice, box": slice_((3, 6, 7, 5), (1, 2, 0, 1), (1, 3, 7, 3)),
    "slice, to the end": slice_((2, 6, 4), (0, 4, 1), (-1, -1, 2)),
    "slice, everything": slice_((2, 3), (0, 0), (2, -1)),
    "slice, vector": slice_((11,), (10,), (1,)),
    "slice, rank 5": slice_((2, 3, 2, 3, 4), (1, 1, 0, 1, 2), (1, 2, 2, 1, -1)),
    "slice, int16": slice_((4, 5), (1, 2), (2, 2), "int16"),
    "slice, int32": slice_((4, 5), (1, 2), (2, 3), "int32"),
    # SPLIT, SPLIT_V, UNPACK
    "split, channels": split((1, 4, 3, 6), 3, 3),
    "split, from the end": split((1, 4, 6, 2), 2, -2),
    "split, batch": split((4, 5), 4, 0),
    "split, one piece": split((2, 3), 1, 1),
    "split, int16": split((2, 4), 2, 1, "int16"),
    "split, int32": split((3, 4), 2, 1, "int32"),
    "split_v, channels": split_v((1, 3, 2, 9), (1, 5, 3), 3),
    "split_v, from the end": split_v((2, 7, 2), (4, 3), -2),
    "split_v, vector": split_v((10,), (1, 2, 3, 4), 0),
    "split_v, int16": split_v((2, 5), (2, 3), 1, "int16"),
    "unpack, time": unpack((1, 4, 5), 1),
    "unpack, batch": unpack((3, 2, 2, 3), 0),
    "unpack, channels": unpack((2, 3, 4), -1),
    "unpack, to scalars' vectors": unpack((1, 3), 1),
    "unpack, vector": unpack((3,), 0),
    "unpack, int32": unpack((2, 3), 0, "int32"),
    # PACK
    "pack, front": pack((2, 3), (2, 3), (2, 3), axis=0),
    "pack, middle": pack((2, 3, 4), (2, 3, 4), axis=1),
    "pack, last": pack((5,), (5,), axis=-1),
    "pack, one": pack((1, 4), axis=2),
    "pack, constant": pack((2, 3), (2, 3), axis=1, constants=(0,)),
    "pack, int16": pack((3,), (3,), axis=1, dtype="int16"),
    "pack, int32": pack((2, 2), (2, 2), axis=2, dtype="int32"),
    # TRANSPOSE
    "transpose, matrix": transpose((5, 7), (1, 0)),
    "transpose, channels first": transpose((1, 4, 5, 3), (0, 3, 1, 2)),
    "transpose, channels last": transpose((2, 3, 4, 5), (0, 2, 3, 1)),
    "transpose, heads": transpose((1, 6, 2, 8), (0, 2, 1, 3)),
    "transpose, turned round": transpose((2, 3, 4, 5), (3, 2, 1, 0)),
    "transpose, nothing": transpose((2, 1, 3), (0, 1, 2)),
    "transpose, vector": transpose((6,), (0,)),
    "transpose, rank 5": transpose((2, 3, 2, 3, 2), (4, 2, 0, 3, 1)),
    "transpose, ones": transpose((1, 1, 5, 1), (2, 1, 0, 3)),
    "transpose, int16": transpose((3, 4, 2), (2, 0, 1), "int16"),
    # SQUEEZE, EXPAND_DIMS
    "squeeze, all": with_operands("SQUEEZE", (1, 3, 1, 5), (3, 5)),
    "squeeze, one": with_operands("SQUEEZE", (1, 3, 1, 5), (1, 3, 5), squeezeDims=[-2]),
    "squeeze, two": with_operands("SQUEEZE", (2, 1, 1, 5), (2, 5), squeezeDims=[1, 2]),
    "squeeze, int32": with_operands("SQUEEZE", (1, 3), (3,), dtype="int32"),
    "expand dims, first": with_operands("EXPAND_DIMS", (3, 5), (1, 3, 5), 0),
    "expand dims, last": with_operands("EXPAND_DIMS", (3, 5), (3, 5, 1), -1),
    "expand dims, int16": with_operands("EXPAND_DIMS", (3, 5), (3, 1, 5), 1, dtype="int16"),
    "reshape": with_operands("RESHAPE", (2, 3, 4), (1, 6, 4), (1, 6, -1)),
    "reshape, int16": with_operands("RESHAPE", (2, 3), (3, 2), (3, 2), dtype="int16"),
    "reshape, int32": with_operands("RESHAPE", (2, 3), (6,), (6,), dtype="int32"),
    # PADV2, PAD, MIRROR_PAD
    "pad, rank 3": pad((2, 4, 3), ((1, 0), (2, 1), (0, 2))),
    "padv2, image": pad_v2((1, 4, 5, 3), ((0, 0), (1, 2), (3, 0), (0, 0))),
    "padv2, everywhere": pad_v2((2, 1, 3, 2), ((1, 0), (1, 1), (0, 2), (1, 2))),
    "padv2, vector": pad_v2((5,), ((2, 3),)),
    "padv2, nothing": pad_v2((2, 3), ((0, 0), (0, 0))),
    "padv2, computed": pad_v2((1, 4, 5, 3), ((0, 0), (1, 2), (3, 0), (0, 1)), computed=True),
    "padv2, rank 5": pad_v2((2, 3, 1, 2, 4), ((0, 1), (0, 0), (1, 1), (0, 0), (2, 0))),
    "pad, vector": pad((5,), ((2, 3),)),
    "pad, matrix": pad((3, 5), ((1, 0), (2, 1))),
    "pad, everywhere": pad((2, 1, 3, 2), ((1, 0), (1, 1), (0, 2), (1, 2))),
    "pad, rank 5": pad((2, 1, 3, 2, 2), ((0, 1), (1, 1), (0, 0), (0, 2), (1, 0))),
    "pad, rank 5, unpadded batch": pad((2, 2, 1, 2, 3), ((0, 0), (0, 0), (2, 1), (0, 1), (0, 2))),
    "mirror pad, rank 3": mirror_pad((2, 4, 3), ((0, 1), (3, 2), (2, 0)), 0),
    "mirror pad, rank 5": mirror_pad((2, 3, 1, 2, 3), ((1, 0), (2, 2), (0, 0), (0, 1), (1, 2)), 0),
    "mirror pad, reflect": mirror_pad((1, 5, 4, 3), ((0, 0), (2, 1), (3, 3), (0, 0)), 0),
    "mirror pad, symmetric": mirror_pad((1, 5, 4, 3), ((0, 0), (2, 5), (4, 0), (0, 0)), 1),
    "mirror pad, everywhere": mirror_pad((2, 3, 2, 3), ((1, 0), (0, 2), (1, 1), (2, 2)), 0),
    "mirror pad, vector": mirror_pad((4,), ((4, 4),), 1),
    "mirror pad, nothing": mirror_pad((1, 3), ((0, 0), (0, 0)), 0),
    # GATHER
    "gather, rows": gather((5, 4), [4, 0, 2, 2], 0),
    "gather, channels": gather((1, 3, 2, 6), [5, 1, 0], -1),
    "gather, matrix of indices": gather((2, 5, 3), [[0, 4], [3, 3]], 1),
    "gather, one": gather((2, 5, 3), 3, 1),
    "gather, batch dimension": gather((2, 5, 3), [[4, 0, 4], [1, 2, 3]], 1, batch=1),
    "gather, computed": gather_computed((5, 4), (6,), 0),
    "gather, computed, middle": gather_computed((2, 5, 3), (2, 2), 1),
    "gather, computed, last": gather_computed((3, 2, 6), (4,), -1),
    "gather, computed, one": gather_computed((5, 4), (), 0),
    "gather, computed, batch": gather_computed((2, 3, 5, 4), (2, 6), 2, batch=1),
    "gather, computed, two batch dimensions": gather_computed((2, 3, 5), (2, 3, 2), -1, batch=-1),
    "gather, computed, rank 5": gather_computed((2, 1, 3, 2, 2), (2, 2), 2, batch=1),
    "gather, best row": best_row,
    # Types that few operators have
    **{
        f"{name}, {dtype}": make(dtype)
        for dtype in ("uint8", "int64", "bool")
        for name, make in {
            "squeeze": lambda dtype: with_operands(
                "SQUEEZE", (2, 1, 5), (2, 5), dtype=dtype, squeezeDims=[1]
            ),
            "broadcast to": lambda dtype: broadcast_to((2, 1), (2, 3), dtype),
            "reverse": lambda dtype: reverse((2, 5), (1,), dtype),
        }.items()
    },
    "slice, bool": slice_((3, 5), (1, 2), (2, -1), "bool"),
    "strided slice, bool": strided_slice((3, 5), (0, 4), (3, 0), (2, -2), dtype="bool"),
    "concatenation, int64": concatenation((2, 3), (2, 2), axis=1, dtype="int64"),
    "concatenation, bool": concatenation((2, 3), (2, 2), axis=1, dtype="bool", constants=(1,)),
    "concatenation, int16 of several scales": rescaled_concatenation,
    "pack, int64": pack((2, 3), (2, 3), axis=1, dtype="int64"),
    "moved, int16 of a zero point": off_centre,
    "pad, int32": pad((2, 3), ((1, 0), (2, 1)), "int32"),
    **{
        f"pad with a value, {dtype}{', computed' if computed else ''}": pad_v2(
            (2, 1, 3), ((1, 0), (0, 2), (2, 1)), dtype, computed=computed
        )
        for dtype in ("float32", "int16", "int32")
        for computed in (False, True)
    },
    # TILE
    "tile, vector": tile((5,), (3,)),
    "tile, rows": tile((2, 3), (2, 1)),
    "tile, columns": tile((2, 3), (1, 4)),
    "tile, both": tile((2, 3), (3, 2)),
    "tile, nothing": tile((2, 3), (1, 1)),
    "tile, image": tile((1, 3, 2, 4), (1, 2, 2, 1)),
    "tile, everywhere": tile((2, 3, 2, 2), (2, 2, 3, 2)),
    "tile, rank 5": tile((2, 1, 2, 3, 2), (2, 3, 1, 2, 2)),
    "tile, uint8": tile((2, 3), (2, 2), "uint8"),
    "tile, int16": tile((2, 3), (2, 2), "int16"),
    "tile, int32": tile((2, 3), (2, 2), "int32"),
    "tile, int32 everywhere": tile((2, 2, 3), (2, 3, 2), "int32"),
    "tile, bool": tile_of_bool,
    "tile, int64": tile_of_int64,
    "tile, upsampled": upsampled,
    # BROADCAST_TO
    "broadcast to, rows": broadcast_to((1, 4), (3, 4)),
    "broadcast to, columns": broadcast_to((3, 1), (3, 5)),
    "broadcast to, more dimensions": broadcast_to((4,), (2, 3, 4)),
    "broadcast to, every other": broadcast_to((1, 2, 1, 3, 1), (2, 2, 3, 3, 2)),
    "broadcast to, int32": broadcast_to((1, 2), (3, 2), "int32"),
    "broadcast to, int16": broadcast_to((2, 1), (2, 3), "int16"),
    # SPACE_TO_DEPTH, DEPTH_TO_SPACE
    "space to depth, 2": space_to_depth((1, 4, 6, 3), 2),
    "space to depth, 3": space_to_depth((2, 3, 6, 1), 3),
    "space to depth, 1": space_to_depth((1, 2, 3, 2), 1),
    "depth to space, 2": depth_to_space((1, 2, 3, 12), 2),
    "depth to space, 1": depth_to_space((1, 2, 3, 2), 1),
    "depth to space, 3": depth_to_space((2, 1, 2, 9), 3),
    # SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND
    "space to batch, image": space_to_batch((1, 4, 6, 3), (2, 3), ((0, 0), (0, 0))),
    "space to batch, batch 2": space_to_batch((2, 4, 2, 2), (2, 1), ((0, 0), (0, 0))),
    "space to batch, rank 3": space_to_batch((1, 6, 5), (3,), ((0, 0),)),
    "space to batch, padded": space_to_batch((1, 5, 4, 2), (2, 2), ((1, 0), (1, 3))),
    "space to batch, causal": space_to_batch((1, 9, 3), (4,), ((8, 3),)),
    "batch to space, image": batch_to_space((6, 2, 2, 3), (2, 3), ((0, 0), (0, 0))),
    "batch to space, cropped": batch_to_space((4, 3, 3, 2), (2, 2), ((1, 0), (1, 2))),
    "batch to space, rank 3": batch_to_space((4, 5, 3), (4,), ((2, 1),)),
    "batch to space, batch 2": batch_to_space((4, 2, 3, 2), (1, 2), ((0, 0), (0, 1))),
    # REVERSE_V2
    "reverse, time": reverse((1, 5, 3), (1,)),
    "reverse, channels": reverse((2, 3, 4), (-1,)),
    "reverse, image": reverse((1, 3, 4, 2), (2, 1)),
    "reverse, all": reverse((2, 3, 4), (0, 1, 2)),
    "reverse, int16": reverse((2, 5), (1,), "int16"),
    "reverse, int32": reverse((2, 5, 2), (1,), "int32"),
    # RESIZE_NEAREST_NEIGHBOR
    "resize nearest, doubled": resize((1, 3, 4, 5), (6, 8)),
    "resize nearest, odd": resize((2, 5, 3, 2), (7, 11)),
    "resize nearest, smaller": resize((1, 7, 9, 3), (3, 4)),
    "resize nearest, half pixels": resize((1, 5, 3, 1), (8, 7), half=True),
    "resize nearest, smaller, half pixels": resize((1, 7, 9, 3), (3, 4), half=True),
    "resize nearest, corners": resize((1, 4, 5, 2), (9, 6), corners=True),
    "resize nearest, corners of one": resize((1, 4, 5, 2), (1, 8), corners=True),
    "resize nearest, one pixel": resize((1, 1, 1, 4), (3, 2)),
    "resize nearest, int16": resize((1, 2, 3, 2), (4, 6), dtype="int16"),
}
