"""CONV_2D of int8 on cores with the DSP extension: a matrix product of two channels by four pixels.

The windows of four pixels are expanded to int16 once; then, for a pair of output channels at a
time, every weight that is loaded serves four pixels and every element two channels. `packing` has
the arithmetic, `templates/kernels/conv` the assembly, `firmware/kernels/tf_native_conv.c` the loops
around it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Conv2D, Operator
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import (
    Constant,
    Kernel,
    Overlap,
    RowForm,
    Source,
    VariantMaker,
    nhwc,
    output_of,
)
from tinyflow.kernels.base import images as images_of
from tinyflow.kernels.native import packing
from tinyflow.kernels.native.requantise import Requantisation, requantisation
from tinyflow.kernels.scaling import accumulator_multipliers

#: Pixels of the tile.
PIXELS = 4
#: Steps of the inner loop that are written out: the fewest and the most.
FEW_UNROLLED = 4
MOST_UNROLLED = 16
#: Bytes of code: of a step, of all else that runs for a group of pixels, and of the smallest
#: instruction cache to reckon with.
STEP_CODE = 50
FURTHER_CODE = 500
LEAST_CACHE = 1024
#: How many groups of pixels may follow each other in a pair of channels.
GROUPS = (4, 8)
#: Steps up to which bytes may be better than packed weights, and a pair's stream may be expected
#: to stay in a buffer of the flash.
FEW_STEPS = 8
#: What of several rows is woven into one: bytes of a pixel, and rows.
MOST_WOVEN_DEPTH = 3
MOST_WOVEN_ROWS = 10
#: Of a pointer on the target, bytes.
_POINTER = 4

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer's tensors and numbers.

    Attributes:
        weights: int8 (channels, height, width, depth).
        bias: int64 (channels,), folded.
        how: requantisation.
        pads: rows above and columns left of the input.
    """

    op: Conv2D
    board: Board
    source: Tensor
    output: Tensor
    weights: NDArray[np.int8]
    bias: packing.Int64s
    how: Requantisation
    pads: Pair

    @property
    def channels(self) -> int:
        return len(self.weights)

    @property
    def pairs(self) -> int:
        """Of output channels."""
        return -(-self.channels // 2)

    @property
    def kernel(self) -> Pair:
        height, width = self.weights.shape[1:3]
        return height, width

    @property
    def depth(self) -> int:
        return int(self.weights.shape[3])

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.weights.shape[1:])

    @property
    def plain(self) -> bool:
        """1x1, and every pixel of the input is one of the output."""
        return self.kernel == (1, 1) and nhwc(self.source)[:3] == nhwc(self.output)[:3]


@dataclass(frozen=True)
class _Tile:
    """A form of the tile.

    Attributes:
        unroll: steps written out.
        steps: of a pair of channels, a multiple of `unroll`.
        packed: the weights' form.
        groups: of four pixels that follow each other in a pair of channels.
        copied: the pair's stream is copied to RAM before.
    """

    unroll: int
    steps: int
    packed: bool
    groups: int = 1
    copied: bool = False

    @property
    def once(self) -> bool:
        """There is no loop over the steps."""
        return self.steps == self.unroll

    @property
    def title(self) -> str:
        """As reports name it."""
        title = f"2x{PIXELS}, {'packed' if self.packed else 'bytes'}, unrolled by {self.unroll}"
        if self.once:
            title += ", no loop"
        if self.groups > 1:
            title += f", {self.groups} groups" + " from RAM" * self.copied
        return title

    def columns(self, board: Board) -> int:
        """Bytes of the expanded windows; the Cortex-M7's order reads two words beyond."""
        return 4 * PIXELS * self.steps * self.groups + 8 * (board.core == "cortex-m7")

    def scratch(self, board: Board) -> int:
        """Bytes of the columns and of the copy behind them."""
        return self.columns(board) + 4 * (self.steps + packing.FURTHER_WORDS) * self.copied


def _layer(op: Conv2D, graph: Graph, board: Board) -> _Layer | None:
    """The layer, None where these kernels do not serve it.

    They take int8 with int8 weights in one group, on a core with the DSP extension, and scales
    that the requantisation in two multiplications takes.
    """
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    output = output_of(graph, op)
    if board.core not in DSP_CORES or (source.dtype, weights.dtype) != (DType.INT8, DType.INT8):
        return None
    filters, height, width, depth = weights.shape
    if depth != nhwc(source)[3]:
        return None
    multiplier, shift = accumulator_multipliers(source, weights, output, filters)
    how = requantisation(
        multiplier, shift, output.q.zero_point, activation_range(op.activation, output.q)
    )
    if how is None:
        return None
    values = weights.values.astype(np.int8)
    bias = None if op.bias is None else graph.tensors[op.bias].values.astype(np.int32)
    return _Layer(
        op=op,
        board=board,
        source=source,
        output=output,
        weights=values,
        bias=packing.folded_bias(bias, values, source.q.zero_point),
        how=how,
        pads=op.window.pads((nhwc(source)[1], nhwc(source)[2]), (height, width)),
    )


def _tiles(layer: _Layer, elements: int) -> Iterator[_Tile]:
    """The forms worth trying for windows of so many elements."""
    steps = -(-elements // 4) * packing.STEPS_PER_WORD
    unrolls = {unroll: -(-steps // unroll) * unroll for unroll in _unrolls(steps, layer.board)}
    packs = packing.packs(layer.weights.reshape(layer.channels, -1), layer.bias)
    # Per step bytes cost an instruction more, per tile eight less.
    forms = [True] * packs + [False] * (not packs or steps <= FEW_STEPS)
    for unroll, padded in unrolls.items():
        for packed in forms:
            tile = _Tile(unroll, padded, packed)
            yield tile
            if layer.board.core != "cortex-m7" and layer.channels % 2 == 0:
                yield from _blocks(tile)


def _unrolls(steps: int, board: Board) -> Iterator[int]:
    """How many of so many steps may be written out.

    As many as fit the instruction cache, which shortens the loop, and few, which make one tile
    for many layers; where none divides the steps, what wastes least. The Cortex-M7's order needs
    an even number.
    """
    every = 2 if board.core == "cortex-m7" else 1
    most = max(FEW_UNROLLED, min(MOST_UNROLLED, _cached_steps(board)))
    fitting = [unroll for unroll in range(FEW_UNROLLED, most + 1, every) if unroll < steps]
    dividing = [unroll for unroll in fitting if steps % unroll == 0]
    if steps <= most:
        yield steps
    elif dividing:
        yield dividing[-1]
    if fitting and (not dividing or dividing[-1] != FEW_UNROLLED):
        whole_words = (
            unroll
            for unroll in fitting
            if not -(-steps // unroll) * unroll % packing.STEPS_PER_WORD
        )
        least = min(whole_words, key=lambda unroll: (-(-steps // unroll) * unroll, -unroll))
        if steps % FEW_UNROLLED == 0:
            yield FEW_UNROLLED
        elif not dividing and steps > most:
            yield least


def _cached_steps(board: Board) -> int:
    """Steps whose code fits the instruction cache together with all else that a group runs."""
    cache = None if board.timing is None else board.timing.fetch.cache
    size = LEAST_CACHE if cache is None else cache.line_bytes * cache.lines
    return (size - FURTHER_CODE) // STEP_CODE


def _blocks(tile: _Tile) -> Iterator[_Tile]:
    """The forms that read flash less often, at the price of more scratch."""
    copied = tile.steps > FEW_STEPS
    if copied or tile.once:
        for groups in GROUPS:
            yield replace(tile, groups=groups, copied=copied)


def _tile_source(layer: _Layer, tile: _Tile, pixels: int) -> Source:
    """The assembly of a tile for so many pixels."""
    how, odd = layer.how, bool(layer.channels % 2)
    schedule = "m7" if layer.board.core == "cortex-m7" and pixels == PIXELS else "m4"
    name = f"tf_conv_2x{pixels}_{schedule}_u{tile.unroll}"
    name += "_once" * tile.once + "_packed" * tile.packed + "_odd" * odd + "_signed" * how.signed
    block = tile.groups > 1 and pixels == PIXELS
    remaining = (tile.steps + packing.FURTHER_WORDS) % 8 if block and tile.copied else 0
    name += "_groups" * block
    if block and tile.copied:
        name += f"_copied_{remaining}"
    if how.clamped:
        name += f"_clamp_{how.low}_{how.high}".replace("-", "m")
    return Source(
        f"{name}.S",
        f"conv/tile_{schedule}.S.j2",
        (
            ("pixels", pixels),
            ("unroll", tile.unroll),
            ("once", tile.once),
            ("packed", tile.packed),
            ("block", block),
            ("copied", block and tile.copied),
            ("remaining", remaining),
            ("odd", odd),
            ("signed", how.signed),
            ("clamped", how.clamped),
            ("least", how.low),
            ("greatest", how.high),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Matrix:
    """A tile with its assembly and constants, for a layer.

    Attributes:
        sources: the assembly, by pixels.
        stream: the constants.
    """

    layer: _Layer
    tile: _Tile
    sources: Mapping[int, Source]
    stream: Constant

    @property
    def context(self) -> dict[str, Any]:
        """What `conv_matrix.j2` needs; functions by pixels."""
        return {
            "tile": {pixels: self._function(pixels) for pixels in range(PIXELS + 1)},
            "expand": {
                pixels: f"tf_conv_expand_{pixels}" if pixels in self.sources else "NULL"
                for pixels in range(PIXELS + 1)
            },
            "steps": self.tile.steps,
            "channels": self.layer.channels,
            "zero_point": self.layer.how.zero_point,
            "groups": self.tile.groups,
            "copied": self.tile.copied,
            "copy_at": self.tile.columns(self.layer.board),
        }

    @property
    def files(self) -> tuple[Source, ...]:
        """All generated files."""
        expand = (
            Source(f"tf_conv_expand_{pixels}.S", "conv/expand.S.j2", (("pixels", pixels),))
            for pixels in self.sources
        )
        return (*self.sources.values(), *expand)

    def _function(self, pixels: int) -> str:
        made = self.sources.get(pixels)
        return "NULL" if made is None else made.file.removesuffix(".S")

    def work(self, pixels: int, words: int) -> dict[str, int]:
        """What cycles are linear in, for windows of so many words."""
        groups, rest = divmod(pixels, PIXELS)
        pairs, steps = self.layer.pairs, self.tile.steps
        blocks = -(-groups // self.tile.groups) * pairs
        return {
            "calls": 1,
            "groups": groups,
            "words": groups * words,
            "blocks": blocks,
            "block_steps": blocks * steps,
            "tiles": groups * pairs,
            "steps": groups * pairs * steps,
            "rest_tiles": (rest > 0) * pairs,
            "rest_steps": (rest > 0) * pairs * steps,
            "rest_macs": rest * pairs * steps,
        }


def _matrices(
    layer: _Layer, windows: NDArray[np.int8], counts: tuple[int, ...]
) -> Iterator[_Matrix]:
    """All forms of a layer's matrix product.

    Args:
        layer: the layer.
        windows: int8 (channels, elements): weights in the order of a window's bytes.
        counts: how many pixels follow each other.
    """
    rests = {count % PIXELS for count in counts} - {0}
    pixels = sorted(rests | {PIXELS} if max(counts) >= PIXELS else rests)
    for tile in _tiles(layer, windows.shape[1]):
        yield _Matrix(
            layer,
            tile,
            {size: _tile_source(layer, tile, size) for size in pixels},
            Constant(
                "stream",
                "uint32_t",
                packing.stream(
                    windows, layer.bias, layer.how, steps=tile.steps, packed=tile.packed
                ),
                f"biases, weights {list(layer.weights.shape)} and requantisation",
            ),
        )


def line(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D of 1x1 and stride 1: the pixels of all images are one line of windows."""
    layer = _layer(op, graph, board)
    if layer is None or not layer.plain:
        return
    depth, width = layer.depth, nhwc(layer.source)[2]
    count = layer.source.elements // depth
    words = -(-depth // 4)
    windows = layer.weights.reshape(layer.channels, depth)
    for matrix in _matrices(layer, windows, (count, width)):
        groups = matrix.tile.groups
        yield Kernel(
            operator=op,
            function="tf_conv_line_s8",
            library="tinyflow",
            template="native/conv_line_s8.c.j2",
            context={
                "matrix": matrix.context,
                "words": words,
                "pitch": depth,
                "pixels": count,
                "rest": count % PIXELS,
                "row_pixels": width,
                "row_rest": width % PIXELS,
            },
            constants=(matrix.stream,),
            scratch=matrix.tile.scratch(board),
            macs=layer.macs,
            header="tf_native_conv.h",
            file="native_conv",
            sources=matrix.files,
            overlaps=(
                Overlap("input", lead=_lead(count, depth, layer.channels, matrix.tile.groups)),
            ),
            row_form=RowForm(
                "native/conv_line_row_s8.c.j2",
                overlaps=(Overlap("input", lead=_lead(width, depth, layer.channels, groups)),),
            ),
            variant=matrix.tile.title,
            work=matrix.work(count, words),
        )


def _lead(count: int, depth: int, channels: int, groups: int) -> int:
    """How many bytes the output must begin before the input, for the outputs to stay behind.

    So many groups' outputs are written when their inputs have been read, and must end where the
    next ones' inputs begin, or before; pixels left over are read when all groups are written.
    """
    ends = {*range(PIXELS * groups, count, PIXELS * groups), count - count % PIXELS} - {0, count}
    return max(((channels - depth) * end for end in ends), default=-count * depth)


def window(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D with windows that are read where they lie, word by word.

    A run of bytes of the input must be words, or the only one of its window. Pixels at the edge
    have a run for each element of the kernel, so that any of them may be padding.
    """
    layer = _layer(op, graph, board)
    if layer is None or layer.plain or (layer.depth % 4 and layer.kernel != (1, 1)):
        return
    images, _, width, depth = nhwc(layer.source)
    out_height, out_width = nhwc(layer.output)[1:3]
    pixels = images * out_height * out_width
    height_k, width_k = layer.kernel
    edge_words = -(-depth // 4)
    together = op.window.dilation[1] == 1
    inner_words = edge_words * width_k if together else edge_words
    inner = _inner(layer, width, out_width) if together else (0, 0)
    windows = layer.weights.reshape(layer.channels, -1)
    for matrix in _matrices(layer, windows, (pixels, out_width)):
        places = _Places(matrix, width_k * height_k, inner_words)
        yield Kernel(
            operator=op,
            function="tf_conv_window_s8",
            library="tinyflow",
            template="native/conv_window_s8.c.j2",
            context={
                "matrix": matrix.context,
                "rest": pixels % PIXELS,
                "row_rest": out_width % PIXELS,
                "window": {
                    **places.context,
                    "inner_words": inner_words,
                    "edge_words": edge_words,
                    "inner": inner,
                    "images": images,
                    "input": nhwc(layer.source)[1:3],
                    "output": (out_height, out_width),
                    "depth": depth,
                    "kernel": layer.kernel,
                    "stride": op.window.stride,
                    "dilation": op.window.dilation,
                    "pads": layer.pads,
                    "zero_point": layer.source.q.zero_point,
                },
            },
            constants=(matrix.stream,),
            scratch=places.end,
            macs=layer.macs,
            header="tf_native_conv.h",
            file="native_conv",
            sources=matrix.files,
            row_form=_row_form(layer, "native/conv_window_row_s8.c.j2"),
            variant=matrix.tile.title,
            work=matrix.work(pixels, edge_words * height_k * width_k)
            | {"rows": images * out_height},
        )


def padded(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D of any depth: rows are copied with their padding, and each row of a window is a run.

    Runs are filled up to words with weights of zero, so depths of one to three waste little where
    the kernel's rows are near a multiple of four bytes.
    """
    layer = _layer(op, graph, board)
    if layer is None or layer.plain or layer.depth % 4 == 0:
        return
    _, height, width, depth = nhwc(layer.source)
    out_height, out_width = nhwc(layer.output)[1:3]
    pixels = out_height * out_width
    height_k, width_k = layer.kernel
    stride, dilation = op.window.stride, op.window.dilation
    # Runs of a row of the kernel: one, unless dilation parts its elements.
    runs, elements = (1, width_k) if dilation[1] == 1 else (width_k, 1)
    words = -(-elements * depth // 4)
    line_width = (out_width - 1) * stride[1] + op.window.reach(layer.kernel)[1]
    before = layer.pads[1] * depth
    kept = min(width, line_width - layer.pads[1]) * depth
    # Rows that pixels waiting for further ones still need are kept.
    waiting = -(-(PIXELS - 1) // out_width) if out_width % PIXELS else 0
    count = op.window.reach(layer.kernel)[0] + waiting * stride[0]
    line = line_width * depth
    windows = np.zeros((layer.channels, height_k * runs, 4 * words), np.int8)
    windows[:, :, : elements * depth] = layer.weights.reshape(
        layer.channels, height_k * runs, elements * depth
    )
    for matrix in _matrices(layer, windows.reshape(layer.channels, -1), (pixels, out_width)):
        places = _Places(matrix, height_k * runs, words)
        yield Kernel(
            operator=op,
            function="tf_conv_padded_s8",
            library="tinyflow",
            template="native/conv_padded_s8.c.j2",
            context={
                "matrix": matrix.context,
                "rest": pixels % PIXELS,
                "row_rest": out_width % PIXELS,
                "images": images_of(layer.source, layer.output),
                "padded": {
                    "lines_at": places.end,
                    "count": count,
                    "before": before,
                    "bytes": kept,
                    "after": line - before - kept,
                    "pitch": width * depth,
                },
                "window": {
                    **places.context,
                    "inner_words": words,
                    "edge_words": words,
                    "inner": (0, out_width) if runs == 1 else (0, 0),
                    "images": 1,
                    "input": (height, line_width),
                    "output": (out_height, out_width),
                    "depth": depth,
                    "kernel": (height_k, runs),
                    "stride": stride,
                    "dilation": dilation,
                    "pads": (layer.pads[0], 0),
                    "zero_point": layer.source.q.zero_point,
                },
            },
            constants=(matrix.stream,),
            scratch=places.end + count * line + 4,
            macs=layer.macs,
            header="tf_native_conv.h",
            file="native_conv",
            sources=matrix.files,
            row_form=_row_form(layer, "native/conv_padded_row_s8.c.j2"),
            variant=matrix.tile.title,
            work=matrix.work(pixels, words * height_k * runs) | {"rows": out_height},
        )


def woven(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D of one to three channels: rows are woven, so that windows lie together.

    Nothing of a window is wasted but what its last word lacks.
    """
    layer = _layer(op, graph, board)
    if layer is None or layer.depth > MOST_WOVEN_DEPTH or op.window.dilation[1] != 1:
        return
    _, height, width, depth = nhwc(layer.source)
    out_height, out_width = nhwc(layer.output)[1:3]
    height_k, width_k = layer.kernel
    if height_k > MOST_WOVEN_ROWS or layer.plain:
        return
    pixels, woven_depth = out_height * out_width, height_k * depth
    stride = op.window.stride
    words = -(-width_k * woven_depth // 4)
    line_width = (out_width - 1) * stride[1] + width_k
    kept = min(width, line_width - layer.pads[1])
    # Lines whose last pixels wait for those of further lines are kept.
    count = 1 + (-(-(PIXELS - 1) // out_width) if out_width % PIXELS else 0)
    size = line_width * woven_depth + 4
    weave = f"tf_conv_weave_{height_k}x{depth}"
    windows = layer.weights.transpose(0, 2, 1, 3).reshape(layer.channels, -1)
    for matrix in _matrices(layer, windows, (pixels, out_width)):
        places = _Places(matrix, 1, 0)
        padding_at = places.end + count * size
        yield Kernel(
            operator=op,
            function="tf_conv_woven_s8",
            library="tinyflow",
            template="native/conv_woven_s8.c.j2",
            context={
                "matrix": matrix.context,
                "rest": pixels % PIXELS,
                "row_rest": out_width % PIXELS,
                "images": images_of(layer.source, layer.output),
                "woven": {
                    "function": weave,
                    "rows_at": places.context["rows_at"],
                    "lines_at": places.end,
                    "padding_at": padding_at,
                    "count": count,
                    "size": size,
                    "before": layer.pads[1] * woven_depth,
                    "after": (line_width - layer.pads[1] - kept) * woven_depth,
                    "pixels": kept,
                    "pitch": width * depth,
                    "height": height,
                    "kernel": height_k,
                    "stride": stride[0],
                    "dilation": op.window.dilation[0],
                    "pad": layer.pads[0],
                },
                "window": {
                    **places.context,
                    "inner_words": words,
                    "edge_words": words,
                    "inner": (0, out_width),
                    "images": 1,
                    "input": (1, line_width),
                    "output": (out_height, out_width),
                    "depth": woven_depth,
                    "kernel": (1, 1),
                    "stride": (1, stride[1]),
                    "dilation": (1, 1),
                    "pads": (0, 0),
                    "zero_point": layer.source.q.zero_point,
                },
            },
            constants=(matrix.stream,),
            scratch=padding_at + width * depth + 1,
            macs=layer.macs,
            header="tf_native_conv.h",
            file="native_conv",
            sources=(
                *matrix.files,
                Source(f"{weave}.S", "conv/weave.S.j2", (("rows", height_k), ("depth", depth))),
            ),
            row_form=_row_form(layer, "native/conv_woven_row_s8.c.j2"),
            variant=matrix.tile.title,
            work=matrix.work(pixels, words)
            | {"rows": out_height, "woven": out_height * kept * height_k},
        )


@dataclass(frozen=True, eq=False)
class _Places:
    """Where the scratch of a `tf_conv_window` is, behind the tile's.

    Attributes:
        runs: of a window.
        words: of the longest run.
    """

    matrix: _Matrix
    runs: int
    words: int

    @property
    def _begin(self) -> int:
        return self.matrix.tile.scratch(self.matrix.layer.board)

    @property
    def context(self) -> dict[str, int]:
        """As the template has them."""
        rows_at = self._begin + PIXELS * _POINTER * self.runs
        return {
            "runs_at": self._begin,
            "rows_at": rows_at,
            "padding_at": rows_at + _POINTER * self.matrix.layer.kernel[0],
        }

    @property
    def end(self) -> int:
        """Where further scratch may begin."""
        return self.context["padding_at"] + 4 * self.words


def _inner(layer: _Layer, width: int, out_width: int) -> Pair:
    """The pixels of a row whose windows lie inside of their rows."""
    stride, pad = layer.op.window.stride[1], layer.pads[1]
    begin = -(-pad // stride)
    end = (width + pad - layer.kernel[1]) // stride + 1
    return begin, max(begin, min(end, out_width))


def _row_form(layer: _Layer, template: str) -> RowForm | None:
    """How one row is computed; rows of several images are not told apart."""
    if nhwc(layer.source)[0] != 1:
        return None
    window = layer.op.window
    return RowForm(template, layer.kernel[0], window.stride[0], window.dilation[0], layer.pads[0])


#: Makers of this module, by operator.
VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {Conv2D: (line, window, padded, woven)}
