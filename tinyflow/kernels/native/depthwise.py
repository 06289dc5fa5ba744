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
    y = saturate(y, 29 bits) * 4            beyond 2**28 the output is at its limit anyway
    y = y + (y >> 31)                       a quarter less where it is negative: halves go down
    t = SMMLAR(y, 2**(30 - right), zero_point)

The accumulator is `tf_shift_left`'s, which wraps, as all sums here do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

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
HEIGHTS = (4, 8, 16, 32)
#: More lines than so many times those of a window bring next to nothing.
_MOST_HEIGHT = 11
#: The longest window along a line: two multiply-accumulates a word need its weights in registers.
_MOST_TAPS = 7
#: Words of weights that lie on the stack, at most.
_MOST_WEIGHTS = 64
#: Bytes of code of a window's lines, written out one after the other; beyond that it is a loop.
_MOST_UNROLLED = 480
#: The greatest shift to the right of the wide form: 2**28 is then still beyond any output.
_MOST_RIGHT = 20
_CHANNELS = 4


@dataclass(frozen=True)
class _Axis:
    """The layer along one dimension."""

    size: int
    output: int
    kernel: int
    stride: int
    dilation: int
    pad: int

    @property
    def reach(self) -> int:
        """Positions that one output looks at, and those between."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def needed(self) -> int:
        """Positions, padding included, that the outputs look at."""
        return (self.output - 1) * self.stride + self.reach

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


@dataclass(frozen=True, eq=False)
class _Window:
    """A generated function that moves a window along lines, and what it needs of a layer.

    Attributes:
        source: its file.
        name: what tells its cost from that of others.
        constants: uint32 (output channels, words), as its template says.
        tiles: tiles of four outputs in a line.
        rest: what it takes for the outputs after the last tile, or in it.
        seen: columns that it looks at.
        advanced: outputs by which it has advanced at the end of a line.
        line_work: what its cycles on a line are linear in.
        channel_work: what those on a channel of a strip are linear in.
    """

    source: Source
    name: str
    constants: NDArray[np.uint32]
    tiles: int
    rest: int
    seen: int
    advanced: int
    line_work: Mapping[str, int]
    channel_work: Mapping[str, int]


def depthwise_s8(op: DepthwiseConv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """DEPTHWISE_CONV_2D: int8, any multiplier, scales of 1/4 or more not beside tiny ones.

    Along the width or the height stride 1 or 2, up to 7 taps and no dilation. On Cortex-M4, M7 and
    M33. In place, with enough scratch. Row by row, lines along the width.

    All variants: lines along width and height, few or many of them at a time.
    """
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    if board.core not in DSP_CORES or (source.dtype, weights.dtype) != (DType.INT8, DType.INT8):
        return
    scaling = _scaling(op, source, weights, output_of(graph, op))
    if scaling is None:
        return
    for transposed in (False, True):
        layer = _layer(op, source, weights, output_of(graph, op), transposed)
        if not _is_served(layer) or (transposed and layer.inner == layer.outer):
            continue
        for height in HEIGHTS:
            if not layer.outer.reach <= height <= _MOST_HEIGHT * layer.outer.reach:
                continue
            yield _kernel(op, graph, layer, _window(op, graph, layer, scaling, height, board))
            if height >= layer.outer.needed:
                break


VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {DepthwiseConv2D: (depthwise_s8,)}


def _is_served(layer: _Layer) -> bool:
    inner, outer = layer.inner, layer.outer
    return (
        inner.stride <= 2
        and (inner.dilation == 1 or inner.kernel == 1)
        and (inner.kernel <= _MOST_TAPS or outer.kernel == 1)
        and outer.kernel * sum(_words_of_weights(inner)) <= _MOST_WEIGHTS
    )


def _layer(
    op: DepthwiseConv2D, source: Tensor, weights: Tensor, output: Tensor, transposed: bool
) -> _Layer:
    _, *size, channels = nhwc(source)
    _, *due, _ = nhwc(output)
    window = op.window
    kernel = weights.shape[1:3]
    pads = window.pads((size[0], size[1]), (kernel[0], kernel[1]))
    height, width = (
        _Axis(*numbers)
        for numbers in zip(size, due, kernel, window.stride, window.dilation, pads, strict=True)
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


def _kernel(op: DepthwiseConv2D, graph: Graph, layer: _Layer, window: _Window) -> Kernel:
    source, output = graph.tensors[op.input], output_of(graph, op)
    inner, outer = layer.inner, layer.outer
    height = int(dict(window.source.parameters)["height"])
    strip = min((height - outer.reach) // outer.stride + 1, outer.output)
    strips = -(-outer.output // strip)
    gather = _gather_source(height)
    lines = _line_of_columns(inner)
    columns = lines["front"] + lines["words"] + lines["tail"] + lines["back"]
    span = window.tiles * 2 * inner.stride * 16 * height
    pitch, line_pitch, output_pitch, output_line_pitch = layer.pitches
    zero = source.q.zero_point
    filters = layer.channels * layer.multiplier
    fours, others = divmod(layer.channels, _CHANNELS)
    groups = fours + (others > 0)
    context = {
        "functions": {
            "gather": gather.file.removesuffix(".S"),
            "window": window.source.file.removesuffix(".S"),
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
            "zero_point": output.q.zero_point,
            "pitch": output_pitch,
            "span": span,
            "lines": strip,
            "rest": window.rest,
            "back": 4 * outer.stride - span,
            "forward": output_line_pitch - window.advanced * output_pitch,
            "channels": layer.multiplier,
            "plane": 4 * height if layer.multiplier == 1 else 0,
        },
        "walk": {
            "height": height,
            "columns": columns,
            "channels": layer.channels,
            "multiplier": layer.multiplier,
            "constants": window.constants.shape[1],
            "kernel": outer.reach,
            "stride": outer.stride,
            "pad": outer.pad,
            "input_lines": outer.size,
            "gathered": outer.used if strips == 1 and layer.multiplier == 1 else 0,
            "output_lines": outer.output,
            "output_line_pitch": output_line_pitch,
        },
    }
    return Kernel(
        operator=op,
        function="tf_native_depthwise",
        library="tinyflow",
        template="native/depthwise.c.j2",
        header="tf_native_depthwise.h",
        file="native_depthwise",
        context=context,
        constants=(
            Constant(
                "channels",
                "uint32_t",
                window.constants,
                f"bias, multiplier, shifts and taps of each channel [{filters}]",
            ),
        ),
        scratch=max(columns, window.seen) * 16 * height,
        macs=output.elements * inner.kernel * outer.kernel,
        sources=(gather, window.source),
        overlaps=(Overlap("input", exact=True),) if _in_place(layer, strip) else (),
        row_form=None
        if layer.transposed or outer.dilation > 1
        else RowForm(
            "native/depthwise_line.c.j2",
            outer.kernel,
            outer.stride,
            pad=outer.pad,
            work=_row_work(layer, window, lines["words"] + lines["tail"]),
        ),
        variant=window.name,
        work={
            "calls": 1,
            "columns": fours * outer.used * (lines["words"] + lines["tail"]),
            "columns of one channel": others * outer.used * (lines["words"] + lines["tail"]),
            "input lines": groups * outer.used,
            "strips": groups * strips * (strips > 1),
            "words moved": groups
            * (strips - 1)
            * max(0, outer.reach - outer.stride)
            * columns
            * _CHANNELS,
            "channels": filters * strips,
            "lines": filters * outer.output,
            **{name: count * filters * strips for name, count in window.channel_work.items()},
            **{name: count * filters * outer.output for name, count in window.line_work.items()},
        },
    )


def _row_work(layer: _Layer, window: _Window, words: int) -> dict[str, int]:
    """The work of a line of outputs: all lines of its window are gathered, of so many words."""
    fours, others = divmod(layer.channels, _CHANNELS)
    filters = layer.channels * layer.multiplier
    kernel = layer.outer.kernel
    return {
        "columns": fours * kernel * words,
        "columns of one channel": others * kernel * words,
        "input lines": (fours + (others > 0)) * kernel,
        "channels": filters,
        "lines": filters,
        **{name: count * filters for name, count in window.channel_work.items()},
        **{name: count * filters for name, count in window.line_work.items()},
    }


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
        read = min((written - 1) * outer.stride - outer.pad + outer.reach, outer.size)
        if read == outer.size:
            continue
        if layer.transposed:
            if outer.output != outer.size or written > read:
                return False
        elif written * inner.output > read * inner.size:
            return False
    return True


# ---- the generated functions ----


def _gather_source(height: int) -> Source:
    name = f"tf_depthwise_gather_{height}"
    return Source(f"{name}.S", "depthwise/gather.S.j2", (("function", name), ("height", height)))


def _window(
    op: DepthwiseConv2D,
    graph: Graph,
    layer: _Layer,
    scaling: _Scaling,
    height: int,
    board: Board,
) -> _Window:
    inner, outer = layer.inner, layer.outer
    taps = graph.tensors[op.weights].values.astype(np.int8)[0]
    if layer.transposed:
        taps = taps.swapaxes(0, 1)
    bias = np.zeros(taps.shape[2], np.int64)
    if op.bias is not None:
        bias = graph.tensors[op.bias].values.astype(np.int64)
    bias = bias - graph.tensors[op.input].q.zero_point * taps.astype(np.int64).sum(axis=(0, 1))
    leading = [bias.astype(np.uint32), scaling.doubled]
    if (outer.kernel, inner.kernel, outer.dilation) == (3, 3, 1):
        return _window_3x3(inner, taps, leading, scaling, height, board)
    return _window_of_any_shape(inner, outer, taps, leading, scaling, height, board)


def _window_3x3(
    inner: _Axis,
    taps: NDArray[np.int8],
    leading: list[NDArray[np.uint32]],
    scaling: _Scaling,
    height: int,
    board: Board,
) -> _Window:
    tiles, rest = (inner.output + 1) // 4, inner.output % 4
    pair = rest in (1, 2)
    return _Window(
        source=_window_source("3x3", {"stride": inner.stride}, height, scaling, board),
        name="3x3",
        constants=_words(leading, _bytes_3x3(taps, inner.stride, scaling)),
        tiles=tiles,
        rest=rest,
        seen=tiles * 2 * inner.stride + 1 + (inner.stride if pair else 0),
        advanced=4 * tiles - 2 * (rest == 3),
        line_work={"tiles": tiles, "pairs": int(pair)},
        channel_work={},
    )


def _window_of_any_shape(
    inner: _Axis,
    outer: _Axis,
    taps: NDArray[np.int8],
    leading: list[NDArray[np.uint32]],
    scaling: _Scaling,
    height: int,
    board: Board,
) -> _Window:
    part = _part(inner)
    lines, advance = outer.kernel, 4 * outer.dilation
    if part.kernel < inner.kernel:
        lines, advance = -(-inner.kernel // part.kernel), part.kernel // 2 * 16 * height
        missing = lines * part.kernel - inner.kernel
        taps = np.pad(taps, ((0, 0), (0, missing), (0, 0))).reshape(lines, part.kernel, -1)
    tiles = -(-inner.output // 4)
    weights = lines * sum(_words_of_weights(part))
    words, products = _line_of_tile(part)
    unrolled = lines * 4 * (1 + words + products) <= _MOST_UNROLLED
    parameters = {
        "lines": lines,
        "taps": part.kernel,
        "stride": inner.stride,
        "advance": advance,
        "unrolled": unrolled,
    }
    shape = f"{outer.kernel}x{inner.kernel}"
    if outer.dilation > 1:
        shape += f"_d{outer.dilation}"
    return _Window(
        source=_window_source(shape, parameters, height, scaling, board),
        name="any window, unrolled" if unrolled else "any window",
        constants=_words(leading, _bytes_of_pairs(taps, part, scaling)),
        tiles=tiles,
        rest=(inner.output - 1) % 4 + 1,
        seen=(tiles - 1) * 2 * inner.stride
        + words
        + (lines - 1) * part.kernel // 2 * (part is not inner),
        advanced=4 * (tiles - 1),
        line_work={
            "tiles": tiles,
            "lines of tiles": tiles * lines,
            "loads": tiles * (lines * words + weights),
            "products": tiles * lines * products,
        },
        channel_work={"weights": weights},
    )


def _part(inner: _Axis) -> _Axis:
    """A window of one line that is too long for registers is one of several lines, its parts.

    Its parts have an even length, so that all of them begin in the lower half of a word.
    """
    if inner.kernel <= _MOST_TAPS:
        return inner
    parts = [replace(inner, kernel=kernel) for kernel in (4, 6)]
    return min(parts, key=lambda part: -(-inner.kernel // part.kernel) * sum(_line_of_tile(part)))


def _window_source(
    shape: str, parameters: Mapping[str, int], height: int, scaling: _Scaling, board: Board
) -> Source:
    dual_issue = board.core == "cortex-m7"
    low, high = scaling.clamp or (0, 0)
    parts = [
        f"tf_depthwise_{shape}_s{parameters['stride']}",
        f"{height}",
        *(["signed"] if scaling.signed else []),
        *(["wide"] if scaling.wide else []),
        *([f"from_{low + 128}_to_{high + 128}"] if scaling.clamp else []),
        *(["dual"] if dual_issue else []),
        *([] if board.fpu else ["soft"]),
    ]
    name = "_".join(parts)
    return Source(
        f"{name}.S",
        "depthwise/window_3x3.S.j2" if shape == "3x3" else "depthwise/window.S.j2",
        (
            ("function", name),
            *parameters.items(),
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


def _words_of_weights(inner: _Axis) -> tuple[int, int]:
    """Words of weights of a line of `window.S.j2`: from even taps on, and from odd ones.

    Outputs at odd positions need pairs that begin with an odd tap. A last tap alone is the upper
    half of the others' last pair, if there is one.
    """
    if inner.stride == 2 or inner.kernel == 1:
        return (inner.kernel + 1) // 2, 0
    return inner.kernel // 2, (inner.kernel - 1) // 2


def _line_of_tile(inner: _Axis) -> tuple[int, int]:
    """Words that a tile of `window.S.j2` loads of a line, and its multiply-accumulates."""
    words = (3 * inner.stride + inner.kernel + 1) // 2
    even, odd = (inner.kernel + 1) // 2, inner.kernel // 2 + 1
    return words, 2 * (even + odd) if inner.stride == 1 else 4 * even


def _words(
    leading: list[NDArray[np.uint32]], columns: list[NDArray[np.uint8]]
) -> NDArray[np.uint32]:
    """Words of each channel: those given, then bytes, as many as make words, lowest first."""
    packed = np.ascontiguousarray(np.stack(columns, axis=1)).view("<u4")
    return np.concatenate([np.stack(leading, axis=1), packed], axis=1).astype(np.uint32)


def _bytes_3x3(taps: NDArray[np.int8], stride: int, scaling: _Scaling) -> list[NDArray[np.uint8]]:
    """Taps and shifts in the order of `window_3x3.S.j2`."""
    k = taps.view(np.uint8)
    left, right, none = scaling.left, scaling.right, np.zeros_like(scaling.left)
    begin = [k[0, 0], k[1, 0], k[0, 1], k[1, 1], k[2, 0]]
    if stride == 1:
        return [*begin, left, k[2, 1], k[2, 2], right, none, k[0, 2], k[1, 2]]
    return [*begin, k[0, 2], k[2, 1], k[1, 2], k[2, 2], right, left, none]


def _bytes_of_pairs(
    taps: NDArray[np.int8], inner: _Axis, scaling: _Scaling
) -> list[NDArray[np.uint8]]:
    """Shifts, and taps in the order of `window.S.j2`: two pairs interleaved in each word."""
    none = np.zeros_like(scaling.left)
    evens, odds = _words_of_weights(inner)
    pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for line in taps.view(np.uint8):
        k = [*line, none]
        pairs += [(k[2 * m], k[2 * m + 1]) for m in range(evens)]
        pairs += [(k[2 * m + 1], k[2 * m + 2]) for m in range(odds)]
    if len(pairs) % 2:
        pairs.append((none, none))
    found = [scaling.left, scaling.right, none, none]
    for one, other in zip(pairs[::2], pairs[1::2], strict=True):
        found += [one[0], other[0], one[1], other[1]]
    return found
