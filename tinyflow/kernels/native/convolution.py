"""CONV_2D of int8 on cores with the DSP extension: a matrix product of two channels by four pixels.

Kernels of four pixels' windows, expanded to int16 once, and a pair of output channels at a time:
of each step's loads every weight serves four pixels and every pixel two channels. `packing` has
the arithmetic, `templates/kernels/conv` the assembly, `firmware/kernels/tf_native_conv.c` the loops
around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Conv2D, Operator
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel, Overlap, Source, VariantMaker, nhwc, output_of
from tinyflow.kernels.native import packing
from tinyflow.kernels.native.requantise import Requantisation, requantisation
from tinyflow.kernels.scaling import accumulator_multipliers

#: Pixels of the tile.
PIXELS = 4
#: Steps of the inner loop that are tried; a loop of that many must divide them, or zeros fill up.
UNROLLS = (4, 8, 16)
#: Steps that are written out with no loop around them.
MOST_ONCE = 16


@dataclass(frozen=True, eq=False)
class _Matrix:
    """The numbers of a layer as a matrix product.

    Attributes:
        weights: int8 (channels, elements of a window).
        bias: int64 (channels,), folded.
        how: requantisation.
    """

    weights: NDArray[np.int8]
    bias: packing.Int64s
    how: Requantisation

    @property
    def channels(self) -> int:
        return len(self.weights)

    @property
    def words(self) -> int:
        """Of a window."""
        return -(-self.weights.shape[1] // 4)


@dataclass(frozen=True)
class _Tile:
    """A form of the tile.

    Attributes:
        unroll: steps written out.
        steps: of a pair of channels, a multiple of `unroll`.
        packed: the weights' form.
    """

    unroll: int
    steps: int
    packed: bool

    @property
    def once(self) -> bool:
        return self.steps == self.unroll


def _tiles(matrix: _Matrix) -> Iterator[_Tile]:
    """The forms worth trying."""
    steps = matrix.words * packing.STEPS_PER_WORD
    unrolls = {unroll: -(-steps // unroll) * unroll for unroll in UNROLLS if unroll < steps}
    if steps <= MOST_ONCE:
        unrolls[steps] = steps
    forms = [False]
    if packing.packs(matrix.weights, matrix.bias):
        forms.append(True)
    for unroll, padded in unrolls.items():
        for packed in forms:
            yield _Tile(unroll, padded, packed)


def _source(tile: _Tile, matrix: _Matrix, pixels: int) -> Source:
    """The assembly of a tile for so many pixels."""
    how, odd = matrix.how, bool(matrix.channels % 2)
    name = f"tf_conv_2x{pixels}_u{tile.unroll}"
    name += "_once" * tile.once + "_packed" * tile.packed + "_odd" * odd
    name += "_signed" * how.signed
    if how.clamped:
        name += "_clamp" + f"_{how.low}_{how.high}".replace("-", "m")
    return Source(
        f"{name}.S",
        "conv/tile_m4.S.j2",
        (
            ("pixels", pixels),
            ("unroll", tile.unroll),
            ("once", tile.once),
            ("packed", tile.packed),
            ("odd", odd),
            ("signed", how.signed),
            ("clamped", how.clamped),
            ("least", how.low),
            ("greatest", how.high),
        ),
    )


def _matrix(op: Conv2D, graph: Graph) -> _Matrix | None:
    """The layer's numbers, None where its requantisation needs another way."""
    source, weights, output = (
        graph.tensors[op.input],
        graph.tensors[op.weights],
        output_of(graph, op),
    )
    filters = weights.shape[0]
    multiplier, shift = accumulator_multipliers(source, weights, output, filters)
    how = requantisation(
        multiplier, shift, output.q.zero_point, activation_range(op.activation, output.q)
    )
    if how is None:
        return None
    values = weights.values.astype(np.int8)
    bias = None if op.bias is None else graph.tensors[op.bias].values
    folded = packing.folded_bias(bias, values, source.q.zero_point)
    return _Matrix(values.reshape(filters, -1), folded, how)


def _serves(op: Conv2D, graph: Graph, board: Board) -> bool:
    """int8 with int8 weights, one group, on a core with the DSP extension."""
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    return (
        board.core in DSP_CORES
        and source.dtype is DType.INT8
        and weights.dtype is DType.INT8
        and weights.shape[3] == nhwc(source)[3]
    )


def pointwise(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D of 1x1 and stride 1: all pixels of all images are one line of windows."""
    source, weights, output = (
        graph.tensors[op.input],
        graph.tensors[op.weights],
        output_of(graph, op),
    )
    if weights.shape[1:3] != (1, 1) or op.window.stride != (1, 1):
        return
    if not _serves(op, graph, board):
        return
    matrix = _matrix(op, graph)
    if matrix is None:
        return
    depth = weights.shape[3]
    count = source.elements // depth
    for tile in _tiles(matrix):
        sizes = [size for size in (PIXELS * (count >= PIXELS), count % PIXELS) if size]
        sources = {size: _source(tile, matrix, size) for size in sizes}
        functions = {size: made.file.removesuffix(".S") for size, made in sources.items()}
        values = packing.stream(
            matrix.weights, matrix.bias, matrix.how, steps=tile.steps, packed=tile.packed
        )
        pairs, groups = -(-matrix.channels // 2), count // PIXELS
        rest = count % PIXELS
        yield Kernel(
            operator=op,
            function="tf_conv_line_s8",
            library="tinyflow",
            template="native/pointwise_s8.c.j2",
            context={
                "functions": list(functions.values()),
                "four": functions.get(PIXELS, "NULL"),
                "rest": functions.get(rest, "NULL"),
                "words": matrix.words,
                "steps": tile.steps,
                "channels": matrix.channels,
                "zero_point": matrix.how.zero_point,
                "pitch": depth,
                "pixels": count,
            },
            constants=(
                Constant(
                    "stream",
                    "uint32_t",
                    values,
                    f"biases, weights and requantisation of {matrix.channels} x {depth}",
                ),
            ),
            scratch=4 * PIXELS * tile.steps,
            macs=output.elements * depth,
            header="tf_native_conv.h",
            file="native_conv",
            sources=tuple(sources.values()),
            overlaps=(Overlap("input", lead=_lead(count, depth, matrix.channels)),),
            variant=_variant(tile),
            work={
                "calls": 1,
                "groups": groups,
                "words": groups * matrix.words,
                "tiles": groups * pairs,
                "steps": groups * pairs * tile.steps,
                "rest": pairs * tile.steps * rest,
            },
        )


def _variant(tile: _Tile) -> str:
    """As reports name it."""
    form = "packed" if tile.packed else "bytes"
    return f"2x{PIXELS}, {form}, unrolled by {tile.unroll}" + ", no loop" * tile.once


def _lead(count: int, depth: int, channels: int) -> int:
    """How many bytes the output must begin before the input, for its groups to stay behind.

    A group's outputs are written when its inputs have been read, and must end where the next
    group's inputs begin, or before.
    """
    ends = range(PIXELS, count, PIXELS)
    return max(((channels - depth) * end for end in ends), default=-count * depth)


#: Makers of this module, by operator.
VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {Conv2D: (pointwise,)}
