# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of the movement operators."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance import movement
from tests.conformance.drawn.values import (
    MOST_ELEMENTS,
    Cases,
    Draw,
    Drawn,
    Shape,
    axis,
    named,
    pairs,
    repeated,
    shapes,
)

#: Types that TFLM moves, by operator: see `tflite/read_movement.py`.
_any = st.sampled_from(["int8", "int8", "int16", "int32"])
_sliced = _any | st.just("bool")
_joined = _any | st.sampled_from(["int64", "bool"])
_packed = _any | st.just("int64")
_every = _any | st.sampled_from(["uint8", "int64", "bool"])
_quantised = st.sampled_from(["int8", "int8", "int16"])
_small = shapes(1, 5, extent=6, elements=400)


@st.composite
def _concatenation(draw: Draw) -> Drawn:
    shape = draw(_small)
    along = axis(draw, len(shape))
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=10))
    parts = []
    for size in sizes:
        part = list(shape)
        part[along] = size
        parts.append(tuple(part))
    assume(sum(map(math.prod, parts)) <= MOST_ELEMENTS)
    attributes = {"dtype": draw(_joined), "constants": _constants(draw, len(parts))}
    return named(movement.concatenation, *parts, axis=along, **attributes)


def _constants(draw: Draw, count: int) -> tuple[int, ...]:
    """Some of the operands, never all of them."""
    return tuple(draw(st.sets(st.integers(0, count - 1), max_size=count - 1)))


@st.composite
def _pack(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4, extent=6, elements=150))
    count = draw(st.integers(1, 6))
    along = axis(draw, len(shape) + 1)
    attributes = {"dtype": draw(_packed), "constants": _constants(draw, count)}
    return named(movement.pack, *[shape] * count, axis=along, **attributes)


@st.composite
def _split(draw: Draw) -> Drawn:
    shape = list(draw(_small))
    along, pieces = axis(draw, len(shape)), draw(st.integers(1, 4))
    shape[along] *= pieces
    return named(movement.split, tuple(shape), pieces, along, draw(_any))


@st.composite
def _split_v(draw: Draw) -> Drawn:
    shape = list(draw(_small))
    along = axis(draw, len(shape))
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    shape[along] = sum(sizes)
    assume(math.prod(shape) <= MOST_ELEMENTS)
    return named(movement.split_v, tuple(shape), sizes, along, draw(_any))


@st.composite
def _unpack(draw: Draw) -> Drawn:
    shape = draw(_small)
    return named(movement.unpack, shape, axis(draw, len(shape)), draw(_any))


@st.composite
def _slice(draw: Draw) -> Drawn:
    shape = draw(_small)
    begin = tuple(draw(st.integers(0, extent - 1)) for extent in shape)
    size = tuple(
        draw(st.just(-1) | st.integers(1, extent - start))
        for extent, start in zip(shape, begin, strict=True)
    )
    return named(movement.slice_, shape, begin, size, draw(_sliced))


@st.composite
def _strided_slice(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4))
    begin, end, strides = [], [], []
    begin_mask = end_mask = shrink = 0
    for place, extent in enumerate(shape):
        first, last = draw(st.integers(0, extent - 1)), draw(st.integers(0, extent - 1))
        step = draw(st.integers(1, 4))
        if draw(st.booleans()):
            first, last = min(first, last), max(first, last) + 1
        else:
            first, last, step = max(first, last), min(first, last) - 1, -step
        begin.append(first - extent if draw(st.booleans()) else first)
        # Counted from the end, one before the first is as far as it is to the first, and one.
        end.append(last - extent if last < 0 or (last < extent and draw(st.booleans())) else last)
        # Without its begin or end, a slice runs on to the edge.
        begin_mask |= draw(st.booleans()) << place
        end_mask |= draw(st.booleans()) << place
        if step > 0 and draw(st.booleans()):
            shrink |= 1 << place
            end_mask &= ~(1 << place)
            begin_mask &= ~(1 << place)
        strides.append(step)
    if shrink == (1 << len(shape)) - 1:
        shrink -= 1 << len(shape) - 1
    masks = {"begin_mask": begin_mask, "end_mask": end_mask, "shrink": shrink}
    places = (tuple(begin), tuple(end), tuple(strides))
    return named(movement.strided_slice, shape, *places, **masks, dtype=draw(_sliced))


@st.composite
def _transpose(draw: Draw) -> Drawn:
    shape = draw(_small)
    order = tuple(draw(st.permutations(range(len(shape)))))
    return named(movement.transpose, shape, order, draw(_quantised))


@st.composite
def _reshape(draw: Draw) -> Drawn:
    extents = draw(shapes(1, 5, extent=5))
    flat = draw(st.permutations(extents))
    cut = draw(st.integers(0, len(flat) - 1))
    result = (*flat[:cut], math.prod(flat[cut:]))
    return named(movement.with_operands, "RESHAPE", extents, result, result)


@st.composite
def _squeeze(draw: Draw) -> Drawn:
    shape = (*draw(shapes(1, 3)), 1, *draw(shapes(1, 2, elements=10)))
    ones = [place for place, extent in enumerate(shape) if extent == 1]
    gone = draw(st.lists(st.sampled_from(ones), unique=True))
    options: dict[str, Any] = {"squeezeDims": gone} if gone else {}
    result = tuple(e for place, e in enumerate(shape) if place not in (gone or ones))
    assume(result and math.prod(shape) <= MOST_ELEMENTS)
    return named(movement.with_operands, "SQUEEZE", shape, result, dtype=draw(_every), **options)


@st.composite
def _expand_dims(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4))
    along = axis(draw, len(shape) + 1)
    place = along % (len(shape) + 1)
    result = (*shape[:place], 1, *shape[place:])
    dtype = draw(_quantised)
    return named(movement.with_operands, "EXPAND_DIMS", shape, result, along, dtype=dtype)


def _pads(draw: Draw, shape: Shape, edge: int | None = None) -> tuple[tuple[int, int], ...]:
    """Elements before and after each dimension; a mirror has no more than the input has."""
    most = [4 if edge is None else min(4, extent - edge) for extent in shape]
    found = tuple(draw(st.just((0, 0)) | pairs(0, each)) for each in most)
    padded = [extent + sum(pair) for extent, pair in zip(shape, found, strict=True)]
    assume(math.prod(padded) <= MOST_ELEMENTS)
    return found


@st.composite
def _pad(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4, extent=6, elements=200))
    if draw(st.booleans()):
        return named(movement.pad, shape, _pads(draw, shape), draw(_any))
    dtype = draw(_any | st.just("float32"))
    return named(movement.pad_v2, shape, _pads(draw, shape), dtype, computed=draw(st.booleans()))


@st.composite
def _mirror_pad(draw: Draw) -> Drawn:
    shape, mode = draw(shapes(1, 4, extent=6, elements=200)), draw(st.sampled_from([0, 1]))
    return named(movement.mirror_pad, shape, _pads(draw, shape, edge=1 - mode), mode)


@st.composite
def _gather(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4, extent=6, elements=200))
    along = axis(draw, len(shape))
    index = st.integers(0, shape[along] - 1)
    indices = draw(index | st.lists(index, min_size=1, max_size=5))
    return named(movement.gather, shape, indices, along)


@st.composite
def _tile(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4, extent=5, elements=150))
    multiples = tuple(draw(st.integers(1, 3)) for _ in shape)
    assume(math.prod(shape) * math.prod(multiples) <= MOST_ELEMENTS)
    return named(movement.tile, shape, multiples, draw(_any))


@st.composite
def _broadcast_to(draw: Draw) -> Drawn:
    result = draw(shapes(1, 5, extent=5))
    source = repeated(draw, result) or (1,)
    return named(movement.broadcast_to, source, result, draw(_every))


@st.composite
def _space_to_depth(draw: Draw) -> Drawn:
    (n, h), (w, c), block = draw(pairs(1, 3)), draw(pairs(1, 4)), draw(st.integers(1, 4))
    assume(n * h * w * c * block**2 <= MOST_ELEMENTS)
    if draw(st.booleans()):
        return named(movement.space_to_depth, (n, h * block, w * block, c), block)
    return named(movement.depth_to_space, (n, h, w, c * block**2), block)


@st.composite
def _space_to_batch(draw: Draw) -> Drawn:
    """Blocks of height and width, or of height alone; sizes after padding or before cropping."""
    spatial = draw(st.integers(1, 2))
    block = tuple(draw(st.integers(1, 4)) for _ in range(spatial))
    blocks = tuple(draw(st.integers(1, 3)) for _ in range(spatial))
    batch, depth = draw(st.integers(1, 2)), draw(st.integers(1, 5))
    edges, size = [], []
    for each, count in zip(block, blocks, strict=True):
        before = draw(st.integers(0, each * count - 1))
        after = draw(st.integers(0, each * count - 1 - before))
        edges.append((before, after) if draw(st.booleans()) else (0, 0))
        size.append(each * count - sum(edges[-1]))
    assume(batch * math.prod(block) * math.prod(blocks) * depth <= MOST_ELEMENTS)
    if draw(st.booleans()):
        return named(movement.space_to_batch, (batch, *size, depth), block, tuple(edges))
    cut = (batch * math.prod(block), *blocks, depth)
    return named(movement.batch_to_space, cut, block, tuple(edges))


@st.composite
def _reverse(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 5, extent=6))
    # TFLM reverses along neighbouring axes only.
    first, last = sorted(draw(st.integers(0, len(shape) - 1)) for _ in range(2))
    axes = draw(st.permutations(range(first, last + 1)))
    return named(movement.reverse, shape, tuple(axes), draw(_every))


@st.composite
def _resize(draw: Draw) -> Drawn:
    shape = (draw(st.sampled_from([1, 2])), *draw(pairs(1, 8)), draw(st.integers(1, 5)))
    size = draw(pairs(1, 11))
    # A model has one of the two or neither.
    corners, half = draw(st.sampled_from([(False, False), (True, False), (False, True)]))
    dtype = draw(_quantised)
    return named(movement.resize, shape, size, corners=corners, half=half, dtype=dtype)


STRATEGIES: dict[str, Cases] = {
    "BROADCAST_TO": _broadcast_to(),
    "CONCATENATION": _concatenation(),
    "EXPAND_DIMS": _expand_dims(),
    "GATHER": _gather(),
    "MIRROR_PAD": _mirror_pad(),
    "PACK": _pack(),
    "PAD, PADV2": _pad(),
    "RESHAPE": _reshape(),
    "RESIZE_NEAREST_NEIGHBOR": _resize(),
    "REVERSE_V2": _reverse(),
    "SLICE": _slice(),
    "SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND": _space_to_batch(),
    "SPACE_TO_DEPTH, DEPTH_TO_SPACE": _space_to_depth(),
    "SPLIT": _split(),
    "SPLIT_V": _split_v(),
    "SQUEEZE": _squeeze(),
    "STRIDED_SLICE": _strided_slice(),
    "TILE": _tile(),
    "TRANSPOSE": _transpose(),
    "UNPACK": _unpack(),
}
