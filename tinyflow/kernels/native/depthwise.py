"""DEPTHWISE_CONV_2D on int8, on cores with the DSP extension.

Four channels at a time, lines of the input become columns of pairs of int16 in scratch (`gather`),
over which a window moves, one channel after the other (`window`); a driver in C does so strip by
strip. Each generated function serves all layers of its kind: shapes are arguments.

- A line runs along the width or along the height, whichever is called the inner dimension.
- The weights of a channel stay in registers. Two neighbouring outputs of stride 1 share all words
  but one, so that a line of a 3x3 window takes four multiply-accumulates for both.
- A strip's last lines are the next strip's first: they are moved, not gathered again. So what was
  gathered may be written over, and the output may lie in the input's place.

Requantisation is that of `requantise.py`. Where a channel's scale is 1/4 or more, the layer has
the wide form: with `left = max(shift, 0)` and `right = max(-shift, 0)` at most 20,

    y = SMMLAR(acc << left, 2 * multiplier - 2**32, acc << left)
    y = saturate(y, 30 bits) * 4            beyond 2**29 the output is at its limit anyway
    y = y + (y >> 31)                       a quarter less where it is negative: halves go down
    t = SMMLAR(y, 2**(30 - right), zero_point)

The accumulator is `tf_shift_left`'s, which wraps, as all sums here do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import DepthwiseConv2D, Operator
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import (
    Constant,
    Kernel,
    Overlap,
    RowForm,
    Source,
    VariantMaker,
    images,
    nhwc,
    output_of,
)
from tinyflow.kernels.native.requantise import Requantisation, requantisation
from tinyflow.kernels.scaling import accumulator_multipliers

#: Lines that the columns have room for. Few of them need little scratch, many are moved less.
HEIGHTS = (4, 8, 15)
#: The greatest shift to the right of the wide form: 2**29 is then still beyond any output.
_MOST_RIGHT = 20
_CHANNELS = 4


@dataclass(frozen=True)
class _Axis:
    """The layer along one dimension."""

    size: int
    output: int
    kernel: int
    stride: int
    pad: int

    @property
    def needed(self) -> int:
        """Positions, padding included, that the outputs look at."""
        return (self.output - 1) * self.stride + self.kernel

    @property
    def used(self) -> int:
        """Elements of the input among them."""
        return min(self.size, self.needed - self.pad)


@dataclass(frozen=True)
class _Layer:
    """The layer with its lines along `inner`; `transposed` where that is the height."""

    inner: _Axis
    outer: _Axis
    channels: int
    multiplier: int
    transposed: bool

    @property
    def pitches(self) -> tuple[int, int, int, int]:
        """Bytes between neighbours: pixels and lines of the input, then of the output."""
        filters = self.channels * self.multiplier
        if self.transposed:
            return (
                self.outer.size * self.channels, self.channels,
                self.outer.output * filters, filters,
            )  # fmt: skip
        return (
            self.channels, self.inner.size * self.channels,
            filters, self.inner.output * filters,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Scaling:
    """Requantisation of the channels.

    Attributes:
        doubled: uint32 (channels,), twice the multiplier.
        left: uint8 (channels,), the shift to the left of the wide form.
        right: uint8 (channels,), the exponent of the power of two that shifts to the right.
        wide: whether it is that form.
        signed: whether results below the zero point count.
        clamp: what is to be clamped to, None where saturation to int8 is the whole clamp.
        zero_point: of the output.
    """

    doubled: NDArray[np.uint32]
    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    wide: bool
    signed: bool
    clamp: tuple[int, int] | None
    zero_point: int


def depthwise_s8(op: DepthwiseConv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """All variants for windows that fit the registers: 3x3, strides 1 and 2 along a line."""
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    if (
        board.core not in DSP_CORES
        or (source.dtype, weights.dtype) != (DType.INT8, DType.INT8)
        or op.window.dilation != (1, 1)
    ):
        return
    scaling = _scaling(op, source, weights, output_of(graph, op))
    if scaling is None:
        return
    for transposed in (False, True):
        layer = _layer(op, source, weights, output_of(graph, op), transposed)
        if (layer.inner.kernel, layer.outer.kernel) != (3, 3) or layer.inner.stride > 2:
            continue
        for height in HEIGHTS:
            yield _kernel(op, graph, board, layer, scaling, height)
            if height >= layer.outer.needed:
                break


VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {DepthwiseConv2D: (depthwise_s8,)}


def _layer(
    op: DepthwiseConv2D, source: Tensor, weights: Tensor, output: Tensor, transposed: bool
) -> _Layer:
    _, *size, channels = nhwc(source)
    _, *due, _ = nhwc(output)
    kernel = weights.shape[1:3]
    pads = op.window.pads((size[0], size[1]), (kernel[0], kernel[1]))
    height, width = (
        _Axis(*numbers) for numbers in zip(size, due, kernel, op.window.stride, pads, strict=True)
    )
    inner, outer = (height, width) if transposed else (width, height)
    return _Layer(inner, outer, channels, op.multiplier, transposed)


def _scaling(
    op: DepthwiseConv2D, source: Tensor, weights: Tensor, output: Tensor
) -> _Scaling | None:
    """None where a layer needs the wide form and a channel's shift is too far for it."""
    multiplier, shift = accumulator_multipliers(source, weights, output, weights.shape[3])
    clamp = activation_range(op.activation, output.q)
    zero_point = output.q.zero_point
    how = requantisation(multiplier, shift, zero_point, clamp)
    wide = how is None
    zero = multiplier == 0
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    if wide and np.any((right > _MOST_RIGHT) & ~zero):
        return None
    if how is None:
        how = Requantisation(np.zeros((0, 2), np.uint32), zero_point, *clamp)
    # A power of 2**32 is none in 32 bits: 0, which is what a multiplier of 0 needs.
    exponent = np.where(zero, 32, (30 if wide else 32) - right)
    return _Scaling(
        doubled=(multiplier.astype(np.int64) * 2).astype(np.uint32),
        left=np.where(zero, 0, left).astype(np.uint8),
        right=exponent.astype(np.uint8),
        wide=wide,
        signed=how.signed,
        clamp=clamp if how.clamped else None,
        zero_point=zero_point,
    )


def _kernel(
    op: DepthwiseConv2D,
    graph: Graph,
    board: Board,
    layer: _Layer,
    scaling: _Scaling,
    height: int,
) -> Kernel:
    source, weights, output = (
        graph.tensors[op.input],
        graph.tensors[op.weights],
        output_of(graph, op),
    )
    inner, outer = layer.inner, layer.outer
    strip = min((height - outer.kernel) // outer.stride + 1, outer.output)
    gather = _gather_source(height)
    window = _window_source(inner.stride, height, scaling, board)
    lines = _line_of_columns(inner)
    columns = lines["front"] + lines["words"] + lines["tail"] + lines["back"]
    tiles = (inner.output + 1) // 4
    words_of_tile = 2 * inner.stride
    rest = inner.output % 4
    span = tiles * words_of_tile * 16 * height
    # What a window looks at beyond the gathered columns belongs to outputs that are not stored.
    seen = tiles * words_of_tile + 1 + (inner.stride if rest in (1, 2) else 0)
    pitch, line_pitch, output_pitch, output_line_pitch = layer.pitches
    zero = source.q.zero_point
    constants = _constants_3x3(op, graph, layer, scaling)
    groups = -(-layer.channels // _CHANNELS)
    strips = -(-outer.output // strip)
    filters = weights.shape[3]
    return Kernel(
        operator=op,
        function="tf_native_depthwise",
        library="tinyflow",
        template="native/depthwise.c.j2",
        header="tf_native_depthwise.h",
        file="native_depthwise",
        context={
            "functions": {
                "gather": gather.file.removesuffix(".S"),
                "window": window.file.removesuffix(".S"),
            },
            "images": images(source, output),
            "lines": {
                "zero": f"0x{(zero & 0xFFFF) * 0x10001:08x}u",
                "zero_bytes": f"0x{(zero & 0xFF) * 0x1010101:08x}u",
                "pitch": pitch,
                "line_pitch": line_pitch,
                **lines,
            },
            "outputs": {
                "zero_point": scaling.zero_point,
                "pitch": output_pitch,
                "span": span,
                "lines": strip,
                "rest": rest,
                "back": 4 * outer.stride - span,
                # The last output of a tile is stored when the next begins.
                "forward": output_line_pitch - (4 * tiles - 2 * (rest == 3)) * output_pitch,
                "channels": layer.multiplier,
                "plane": 4 * height if layer.multiplier == 1 else 0,
            },
            "walk": {
                "height": height,
                "columns": columns,
                "channels": layer.channels,
                "multiplier": layer.multiplier,
                "constants": constants.values.shape[1],
                "kernel": outer.kernel,
                "stride": outer.stride,
                "pad": outer.pad,
                "input_lines": outer.size,
                "gathered": outer.used if strips == 1 and layer.multiplier == 1 else 0,
                "output_lines": outer.output,
                "output_line_pitch": output_line_pitch,
            },
        },
        constants=(constants,),
        scratch=max(columns, seen) * 16 * height,
        macs=output.elements * inner.kernel * outer.kernel,
        sources=(gather, window),
        overlaps=(Overlap("input", exact=True),) if _in_place(layer, strip) else (),
        row_form=None
        if layer.transposed
        else RowForm("native/depthwise_line.c.j2", 3, outer.stride, 1, outer.pad),
        variant=f"lines along the {'height' if layer.transposed else 'width'}, {height} at a time",
        work={
            "calls": 1,
            "columns": groups * outer.used * (lines["words"] + lines["tail"]),
            "lines gathered": groups * outer.used,
            "words moved": groups * (strips - 1) * max(0, outer.kernel - outer.stride)
            * columns * _CHANNELS,
            "channels": filters * strips,
            "lines": filters * outer.output,
            "tiles": filters * outer.output * tiles,
            "pairs": filters * outer.output * (rest in (1, 2)),
        },
    )  # fmt: skip


def _line_of_columns(inner: _Axis) -> dict[str, int]:
    """How padding and pixels of a line make its columns, two positions each."""
    front, head = divmod(inner.pad, 2)
    words, tail = head + (inner.used - head) // 2, (inner.used - head) % 2
    back = -(-inner.needed // 2) - front - words - tail
    return {"front": front, "words": words, "head": head, "tail": tail, "back": back}


def _in_place(layer: _Layer, strip: int) -> bool:
    """Whether each strip's outputs lie where the input has been gathered by then."""
    inner, outer = layer.inner, layer.outer
    if layer.multiplier > 1:
        return False
    for line in range(strip, outer.output + strip, strip):
        written = min(line, outer.output)
        read = min((written - 1) * outer.stride - outer.pad + outer.kernel, outer.size)
        if read == outer.size:
            continue
        if layer.transposed:
            if outer.output != outer.size or written > read:
                return False
        elif written * inner.output > read * inner.size:
            return False
    return True


def _gather_source(height: int) -> Source:
    name = f"tf_depthwise_gather_{height}"
    return Source(f"{name}.S", "depthwise/gather.S.j2", (("function", name), ("height", height)))


def _window_source(stride: int, height: int, scaling: _Scaling, board: Board) -> Source:
    dual_issue = board.core == "cortex-m7"
    low, high = scaling.clamp or (0, 0)
    parts = [
        f"tf_depthwise_3x3_s{stride}_{height}",
        *(["signed"] if scaling.signed else []),
        *(["wide"] if scaling.wide else []),
        *([f"from_{low + 128}_to_{high + 128}"] if scaling.clamp else []),
        *(["dual"] if dual_issue else []),
        *([] if board.fpu else ["soft"]),
    ]
    name = "_".join(parts)
    return Source(
        f"{name}.S",
        "depthwise/window_3x3.S.j2",
        (
            ("function", name),
            ("stride", stride),
            ("height", height),
            ("signed", scaling.signed),
            ("wide", scaling.wide),
            ("clamped", scaling.clamp is not None),
            ("low", low),
            ("high", high),
            ("dual_issue", dual_issue),
            ("fpu", board.fpu is not None),
        ),
    )


def _constants_3x3(op: DepthwiseConv2D, graph: Graph, layer: _Layer, scaling: _Scaling) -> Constant:
    """Five words a channel, as `window_3x3.S.j2` reads them."""
    weights, zero_point = graph.tensors[op.weights], graph.tensors[op.input].q.zero_point
    taps = weights.values.astype(np.int8)[0]  # [line][place][channel]
    if layer.transposed:
        taps = taps.swapaxes(0, 1)
    bias = np.zeros(taps.shape[2], np.int64)
    if op.bias is not None:
        bias = graph.tensors[op.bias].values.astype(np.int64)
    bias = bias - zero_point * taps.astype(np.int64).sum(axis=(0, 1))
    k = taps.view(np.uint8)
    none = np.zeros(taps.shape[2], np.uint8)
    left, right = scaling.left, scaling.right
    rows: tuple[Any, ...] = (k[0, 0], k[1, 0], k[0, 1], k[1, 1])
    if layer.inner.stride == 1:
        rows += (k[2, 0], left, k[2, 1], k[2, 2], right, none, k[0, 2], k[1, 2])
    else:
        rows += (k[2, 0], k[0, 2], k[2, 1], k[1, 2], k[2, 2], right, left, none)
    packed = np.ascontiguousarray(np.stack(rows, axis=1)).view("<u4")
    words = np.concatenate(
        [bias.astype(np.uint32)[:, None], scaling.doubled[:, None], packed], axis=1
    ).astype(np.uint32)
    return Constant(
        "channels", "uint32_t", words, f"bias, multiplier, taps and shifts [{len(words)}]"
    )
