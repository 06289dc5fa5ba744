# SPDX-License-Identifier: Apache-2.0
"""CONV_2D of int8 on cores with the DSP extension: im2col and the matrix product.

`matrix` has the product. There is one maker each for pointwise layers, windows that are read in
place, windows over copied rows, and windows over interleaved rows; all have each form of the
product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Conv2D, Operator
from tinyflow.kernels.base import Kernel, Overlap, RowForm, Source, images, nhwc
from tinyflow.kernels.generated.matrix import (
    PIXELS,
    ConvolutionLayer,
    Matrix,
    Pair,
    convolution_layer_of,
    matrices,
)
from tinyflow.kernels.makers import VariantMaker
from tinyflow.kernels.name import KernelName

#: Interleaved row: bytes of a pixel, and the number of rows.
MOST_INTERLEAVED_DEPTH = 3
MOST_INTERLEAVED_ROWS = 10
#: Bytes after a line that a window's last word may reach, or interleaving may write.
READ_BEYOND = 4
#: Operator in a kernel's name, for each way to read the windows.
_NAMES = {"pointwise": "conv_pointwise", "window": "conv", "padded": "conv_padded"}
_NAMES |= {"interleaved": "conv_interleaved"}
#: Size of a pointer on the target, bytes.
_POINTER = 4


def pointwise(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D: int8, 1x1 of stride 1, scales below 1/4.

    On Cortex-M4, M7 and M33. In place. Row by row.

    The pixels of all images are one line of windows.
    """
    layer = convolution_layer_of(op, graph, board)
    if layer is None or not layer.is_pointwise:
        return
    depth, width = layer.depth, nhwc(layer.source)[2]
    count = layer.source.elements // depth
    words = _words(depth)
    for matrix in matrices(layer, layer.weights.reshape(layer.channels, depth), (count, width)):
        yield _kernel(
            matrix,
            "pointwise",
            (count, width),
            context={"words": words, "pitch": depth, "pixels": count, "row_pixels": width},
            scratch=matrix.microkernel.scratch(board),
            overlaps=_in_place(matrix, count),
            row_form=RowForm(
                "generated/conv_pointwise_row_s8.c.j2",
                overlaps=_in_place(matrix, width),
                work=_of_a_row(matrix.work(width, words)),
            ),
            work=matrix.work(count, words),
        )


def _in_place(matrix: Matrix, count: int) -> tuple[Overlap, ...]:
    """Return how the outputs of a line of `count` pixels may overlap its inputs in memory.

    The outputs of a block of groups are written after its inputs have been read, and must end at or
    before the start of the next block's inputs. Left-over pixels are read after all groups are
    written.
    """
    layer = matrix.layer
    block = PIXELS * matrix.microkernel.groups
    ends = {*range(block, count, block), count - count % PIXELS} - {0, count}
    least = -count * layer.depth
    lead = max(((layer.channels - layer.depth) * end for end in ends), default=least)
    return (Overlap("input", lead=lead),)


def window(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D: int8, any window, input channels a multiple of 4 unless it is 1x1, scales below 1/4.

    On Cortex-M4, M7 and M33. Row by row.

    Windows are read in place, word by word. A run of input bytes must be whole words, or the only
    run of its window. Pixels at the edge have a run for each element of the kernel, so that any
    of them may be padding.
    """
    layer = convolution_layer_of(op, graph, board)
    if layer is None or layer.is_pointwise or (layer.depth % 4 and layer.kernel != (1, 1)):
        return
    count, height, width, depth = nhwc(layer.source)
    out_height, out_width = layer.positions
    pixels = count * out_height * out_width
    height_k, width_k = layer.kernel
    together = op.window.dilation[1] == 1
    edge_words = _words(depth)
    inner_words = edge_words * width_k if together else edge_words
    inner = _inner(layer, width, out_width) if together else (0, 0)
    placed = _placed(count * out_height, out_width, inner, layer.kernel)
    lone = _placed(1, out_width, inner, layer.kernel)
    for matrix in matrices(layer, layer.weights.reshape(layer.channels, -1), (pixels, out_width)):
        places = _Places(matrix, height_k * width_k, inner_words)
        yield _kernel(
            matrix,
            "window",
            (pixels, out_width),
            context={
                "window": {
                    **places.context,
                    "inner_words": inner_words,
                    "edge_words": edge_words,
                    "inner": inner,
                    "images": count,
                    "input": (height, width),
                    "output": layer.positions,
                    "depth": depth,
                    "kernel": layer.kernel,
                    "stride": op.window.stride,
                    "dilation": op.window.dilation,
                    "pads": layer.pads,
                    "zero_point": layer.source.q.zero_point,
                },
            },
            scratch=places.end,
            row_form=_row_form(
                layer, "window", matrix.work(out_width, edge_words * height_k * width_k) | lone
            ),
            work=matrix.work(pixels, edge_words * height_k * width_k)
            | {"rows": count * out_height}
            | placed,
        )


def _inner(layer: ConvolutionLayer, width: int, out_width: int) -> Pair:
    """The pixels of a row whose windows lie inside of their rows."""
    stride, pad = layer.op.window.stride[1], layer.pads[1]
    begin = -(-pad // stride)
    end = (width + pad - layer.kernel[1]) // stride + 1
    return begin, max(begin, min(end, out_width))


def _placed(rows: int, width: int, inner: Pair, kernel: Pair) -> dict[str, int]:
    """Runs that are placed for four pixels at once, and for one at a time."""
    together = alone = waiting = 0
    for _ in range(rows):
        x = 0
        while x < width:
            groups = (inner[1] - x) // PIXELS
            if not waiting and x >= inner[0] and groups > 0:
                together += groups
                x += PIXELS * groups
            else:
                alone += 1
                x += 1
                waiting = (waiting + 1) % PIXELS
    return {"runs": together * kernel[0], "lone_runs": alone * kernel[0] * kernel[1]}


def padded(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D: int8, any window, input channels no multiple of 4, scales below 1/4.

    On Cortex-M4, M7 and M33. Row by row.

    Rows are copied with their padding, and each row of a window is a run. Runs are filled up to
    words with weights of zero, so depths of one to three waste little where the kernel's rows are
    near a multiple of four bytes.
    """
    layer = convolution_layer_of(op, graph, board)
    if layer is None or layer.is_pointwise or layer.depth % 4 == 0:
        return
    _, height, width, depth = nhwc(layer.source)
    out_height, out_width = layer.positions
    pixels = out_height * out_width
    height_k, width_k = layer.kernel
    stride = op.window.stride
    # Runs of a row of the kernel: one, unless dilation parts its elements.
    runs, elements = (1, width_k) if op.window.dilation[1] == 1 else (width_k, 1)
    words = _words(elements * depth)
    pieces = _line(layer)
    lines = op.window.reach(layer.kernel)[0] + _waiting(out_width) * stride[0]
    inner = (0, out_width) if runs == 1 else (0, 0)
    placed = _placed(out_height, out_width, inner, (height_k, runs))
    lone = _placed(1, out_width, inner, (height_k, runs))
    copied = pieces.width * depth
    weights = np.zeros((layer.channels, height_k * runs, 4 * words), np.int8)
    weights[:, :, : elements * depth] = layer.weights.reshape(
        layer.channels, height_k * runs, elements * depth
    )
    for matrix in matrices(layer, weights.reshape(layer.channels, -1), (pixels, out_width)):
        places = _Places(matrix, height_k * runs, words)
        yield _kernel(
            matrix,
            "padded",
            (pixels, out_width),
            context={
                "images": images(layer.source, layer.output),
                "padded": {
                    "lines_at": places.end,
                    "count": lines,
                    "before": pieces.before * depth,
                    "bytes": pieces.kept * depth,
                    "after": pieces.after * depth,
                    "pitch": width * depth,
                },
                "window": {
                    **places.context,
                    "inner_words": words,
                    "edge_words": words,
                    "inner": inner,
                    "images": 1,
                    "input": (height, pieces.width),
                    "output": layer.positions,
                    "depth": depth,
                    "kernel": (height_k, runs),
                    "stride": stride,
                    "dilation": op.window.dilation,
                    "pads": (layer.pads[0], 0),
                    "zero_point": layer.source.q.zero_point,
                },
            },
            scratch=places.end + lines * pieces.width * depth + READ_BEYOND,
            row_form=_row_form(
                layer,
                "padded",
                matrix.work(out_width, words * height_k * runs)
                | {"copied": height_k * copied}
                | lone,
            ),
            work=matrix.work(pixels, words * height_k * runs)
            | {"rows": out_height, "copied": height * copied}
            | placed,
        )


def interleaved(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D: int8, windows of up to 10 rows, up to 3 input channels, scales below 1/4.

    No dilation along the width. On Cortex-M4, M7 and M33. Row by row.

    Rows are interleaved, so that windows are contiguous. Only a window's last word may have unused
    bytes.
    """
    layer = convolution_layer_of(op, graph, board)
    if layer is None or layer.is_pointwise or op.window.dilation[1] != 1:
        return
    _, height, width, depth = nhwc(layer.source)
    out_height, out_width = layer.positions
    height_k, width_k = layer.kernel
    pieces = _line(layer)
    if depth > MOST_INTERLEAVED_DEPTH or height_k > MOST_INTERLEAVED_ROWS or not pieces.kept:
        return
    pixels, interleaved_depth = out_height * out_width, height_k * depth
    words = _words(width_k * interleaved_depth)
    lines = 1 + _waiting(out_width)
    size = pieces.width * interleaved_depth + READ_BEYOND
    interleave = KernelName("interleave", "s8", "dsp", (height_k, depth))
    placed = _placed(out_height, out_width, (0, out_width), (1, 1))
    lone = _placed(1, out_width, (0, out_width), (1, 1))
    weights = layer.weights.transpose(0, 2, 1, 3).reshape(layer.channels, -1)
    for matrix in matrices(layer, weights, (pixels, out_width)):
        places = _Places(matrix, 1, 0)
        padding_at = places.end + lines * size
        yield _kernel(
            matrix,
            "interleaved",
            (pixels, out_width),
            context={
                "images": images(layer.source, layer.output),
                "interleaved": {
                    "function": str(interleave),
                    "rows_at": places.context["rows_at"],
                    "lines_at": places.end,
                    "padding_at": padding_at,
                    "count": lines,
                    "size": size,
                    "before": pieces.before * interleaved_depth,
                    "after": pieces.after * interleaved_depth,
                    "pixels": pieces.kept,
                    "pitch": width * depth,
                    "height": height,
                    "kernel": height_k,
                    "stride": op.window.stride[0],
                    "dilation": op.window.dilation[0],
                    "pad": layer.pads[0],
                },
                "window": {
                    **places.context,
                    "inner_words": words,
                    "edge_words": words,
                    "inner": (0, out_width),
                    "images": 1,
                    "input": (1, pieces.width),
                    "output": layer.positions,
                    "depth": interleaved_depth,
                    "kernel": (1, 1),
                    "stride": (1, op.window.stride[1]),
                    "dilation": (1, 1),
                    "pads": (0, 0),
                    "zero_point": layer.source.q.zero_point,
                },
            },
            scratch=padding_at + width * depth + 1,
            sources=(
                Source(interleave, "conv/interleave.S.j2", (("rows", height_k), ("depth", depth))),
            ),
            row_form=_row_form(layer, "interleaved", matrix.work(out_width, words) | lone),
            work=matrix.work(pixels, words)
            | {"rows": out_height, "interleaved": out_height * pieces.kept * height_k}
            | placed,
        )


# ---- what the makers have in common ----


def _kernel(
    matrix: Matrix,
    form: str,
    counts: Pair,
    *,
    context: Mapping[str, Any],
    scratch: int,
    work: Mapping[str, int],
    row_form: RowForm | None,
    overlaps: tuple[Overlap, ...] = (),
    sources: tuple[Source, ...] = (),
) -> Kernel:
    """Make a kernel; `counts` is the number of consecutive pixels in all, and in a row."""
    rest, row_rest = (count % PIXELS for count in counts)
    return Kernel(
        operator=matrix.layer.op,
        function=f"tinyflow_conv_{form}_s8",
        library="tinyflow",
        template=f"generated/conv_{form}_s8.c.j2",
        context={"matrix": matrix.context, "rest": rest, "row_rest": row_rest, **context},
        constants=(matrix.packed_weights,),
        scratch=scratch,
        macs=matrix.layer.macs,
        header="tinyflow_conv.h",
        file="conv",
        sources=(*matrix.files, *sources),
        overlaps=overlaps,
        row_form=row_form,
        name=matrix.microkernel.name(_NAMES[form], matrix.layer.board),
        work=work,
    )


def _row_form(layer: ConvolutionLayer, form: str, work: Mapping[str, int]) -> RowForm | None:
    """Return how one row is computed; a batch's rows are numbered on."""
    if nhwc(layer.source)[0] != 1:
        return None
    window = layer.op.window
    return RowForm(
        f"generated/conv_{form}_row_s8.c.j2",
        layer.kernel[0],
        window.stride[0],
        window.dilation[0],
        layer.pads[0],
        work=_of_a_row(work),
    )


def _of_a_row(work: Mapping[str, int]) -> dict[str, int]:
    """Return the per-row work without one-off terms."""
    return {name: count for name, count in work.items() if name != "calls"}


def _words(elements: int) -> int:
    """Words of four bytes that hold `elements` bytes."""
    return -(-elements // 4)


def _waiting(out_width: int) -> int:
    """Rows of the output whose last pixels may wait for those of further rows."""
    return -(-(PIXELS - 1) // out_width) if out_width % PIXELS else 0


@dataclass(frozen=True)
class _InputRow:
    """Padded row of the input, in pixels.

    Attributes:
        width: of the whole line.
        before: padding in front.
        kept: of the row.
        after: padding behind.
    """

    width: int
    before: int
    kept: int
    after: int


def _line(layer: ConvolutionLayer) -> _InputRow:
    out_width = layer.positions[1]
    window = layer.op.window
    width = (out_width - 1) * window.stride[1] + window.reach(layer.kernel)[1]
    before = min(layer.pads[1], width)
    kept = min(nhwc(layer.source)[2], width - before)
    return _InputRow(width, before, kept, width - before - kept)


@dataclass(frozen=True, eq=False)
class _Places:
    """Offsets of the scratch of a `tinyflow_conv_window`, behind the tile's.

    Attributes:
        runs: of a window.
        words: of the longest run that may be padding.
    """

    matrix: Matrix
    runs: int
    words: int

    @property
    def context(self) -> dict[str, int]:
        """Return the offsets as the template has them."""
        layer = self.matrix.layer
        runs_at = self.matrix.microkernel.scratch(layer.board)
        rows_at = runs_at + PIXELS * _POINTER * self.runs
        padding_at = rows_at + _POINTER * layer.kernel[0]
        return {"runs_at": runs_at, "rows_at": rows_at, "padding_at": padding_at}

    @property
    def end(self) -> int:
        """Offset at which further scratch may begin."""
        return self.context["padding_at"] + 4 * self.words


#: Makers of this module, by operator.
VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {
    Conv2D: (pointwise, window, padded, interleaved)
}
