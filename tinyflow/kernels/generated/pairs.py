# SPDX-License-Identifier: Apache-2.0
"""CONV_2D of few channels on cores with the DSP extension: windows are read in place.

The rows of a window are interleaved into a line of int16, which SMLAD multiplies directly: no
window is copied out of it, so that elements shared by neighbouring windows are expanded once. Two
lines lie in one another, word by word in turn, for two pixels are computed at once: of two rows of
the output, or of the halves of one. With four channels each weight that is loaded is used for two
pixels, and each element for four channels. The weights are int16 too, so they need no expansion.

`templates/kernels/conv/interleave_s16.S.j2` and `microkernel_4x2_s16.S.j2` are the assembly,
`firmware/kernels/tinyflow_conv_row_pairs.c` the loops around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Conv2D, Operator
from tinyflow.kernels.base import Constant, Kernel, RowForm, Source, images, nhwc
from tinyflow.kernels.generated.matrix import LEAST_CACHE, ConvolutionLayer, convolution_layer_of
from tinyflow.kernels.makers import VariantMaker
from tinyflow.kernels.name import KernelName, clamp_words

#: Most channels of the input: with more, runs of words are read in place.
MOST_DEPTH = 4
#: Most rows of a kernel, limited by the registers for their pointers: with three channels, and
#: else.
MOST_ROWS_OF_3, MOST_ROWS = 9, 10
#: Channels of the output that are computed together.
TOGETHER = 4
#: Unroll factors, and the most steps that are unrolled without a loop.
LOOP_UNROLLED, MOST_UNROLLED = range(10, 3, -1), 24
#: Bytes of code: of a step on the Cortex-M7 and else, and of all else that runs for two pixels.
STEP_CODE_DUAL, STEP_CODE, FURTHER_CODE = 56, 44, 300
#: Most steps: offsets of packed weights are immediates.
MOST_STEPS = 250


@dataclass(frozen=True)
class Interleaving:
    """Layout of the columns of a kernel's rows in a line.

    A unit is `stride` columns, or fewer if no window needs all of them. Each pixel has its own
    words: elements (0, 2) and, of four channels, (1, 3); of two channels (0, 1). The remaining
    element (the only one of one channel, the middle one of three) is paired with that of the next
    row, or of the next column if the number of rows is odd. A column's words are contiguous, so
    that a window may begin and end with any column.

    Attributes:
        rows: of the kernel.
        depth: channels of the input.
        columns: of a unit.
        shift: columns of the first unit before the first window, so that no unit is partly in the
            padding on the left.
        reach: columns of the kernel.
    """

    rows: int
    depth: int
    columns: int
    shift: int
    reach: int

    @property
    def beyond(self) -> int:
        """Units that a window reaches into besides the first."""
        return -(-(self.shift + self.reach) // self.columns) - 1

    @property
    def begin(self) -> int:
        """Words of the first unit before the first window."""
        places = (self.place(row, 0, k)[0] for row in range(self.rows) for k in range(self.depth))
        return min(places)

    @property
    def unit(self) -> int:
        """Words."""
        return self._before(self.columns)

    @property
    def loads(self) -> int:
        """Loads of a unit."""
        return self.columns * self.rows * (2 if self.depth == 2 else 1)

    @property
    def instructions(self) -> int:
        """Instructions of a unit: loads, expansion, joining and stores."""
        pixels = self.columns * self.rows
        joins = pixels * (self.depth % 2) // 2 + pixels * (self.depth == 2)
        return self.loads + 2 * pixels * (self.depth > 2) + joins + self.unit

    def place(self, row: int, column: int, channel: int) -> tuple[int, int]:
        """The word of the line, and the half of it, where an element of the first window is."""
        unit, column = divmod(self.shift + column, self.columns)
        first = unit * self.unit + self._before(column)
        own = self.depth // 2
        if self.depth == 2:
            return first + row, channel
        if self.depth % 2 and channel == self.depth // 2:
            single = column * self.rows + row
            pair = single - single % 2
            return unit * self.unit + self._joined(pair), single % 2
        return first + own * row + channel % 2, channel // 2

    def _joined(self, first: int) -> int:
        """The word of a unit with the left elements of this number and the next."""
        column = first // self.rows
        behind = self.rows * (self.depth // 2) + (first - column * self.rows) // 2
        return self._before(column) + behind

    def _before(self, column: int) -> int:
        """Words of a unit before a column."""
        own, single = self.depth // 2, self.depth % 2
        return column * self.rows * own + -(-column * self.rows * single // 2)


def paired(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D: int8, up to 4 input channels, a multiple of 4 output channels, scales below 1/4.

    Windows of up to 10 rows, 9 with 3 channels, and 250 pairs of weights; no dilation along the
    width. On Cortex-M4, M7 and M33. Row by row.
    """
    layer = convolution_layer_of(op, graph, board)
    if layer is None or layer.is_pointwise or not _supports(layer):
        return
    interleave = _interleave(layer)
    weights = _interleaved(layer, interleave)
    needed = weights.shape[1]
    if needed > MOST_STEPS:
        return
    dual = board.core == "cortex-m7"
    for unroll in _unrolls(needed, board):
        steps = -(-needed // unroll) * unroll
        for copied in (False,) if dual else (False, True):
            yield _kernel(layer, interleave, weights, unroll, steps, copied=copied, dual=dual)


def _supports(layer: ConvolutionLayer) -> bool:
    most = MOST_ROWS_OF_3 if layer.depth == 3 else MOST_ROWS
    return (
        layer.depth <= MOST_DEPTH
        and layer.kernel[0] <= most
        and layer.channels % TOGETHER == 0
        and layer.op.window.dilation[1] == 1
    )


def _interleave(layer: ConvolutionLayer) -> Interleaving:
    (rows, reach), stride, pad = layer.kernel, layer.op.window.stride[1], layer.pads[1]
    shift = -pad % stride
    return Interleaving(rows, layer.depth, min(stride, shift + reach), shift, reach)


def _unrolls(steps: int, board: Board) -> Iterator[int]:
    """Yield numbers of steps to unroll: all, or those that waste least in a loop."""
    dual = board.core == "cortex-m7"
    cache = None if board.timing is None else board.timing.fetch.cache
    size = LEAST_CACHE if cache is None else cache.line_bytes * cache.lines
    fitting = (size - FURTHER_CODE) // (STEP_CODE_DUAL if dual else STEP_CODE)
    if steps <= min(fitting, MOST_UNROLLED):
        yield steps
    turns = {unroll: -(-steps // unroll) for unroll in LOOP_UNROLLED if unroll < steps}
    # A loop of two turns is predicted worst.
    looped = [unroll for unroll, count in turns.items() if not dual or count != 2] or list(turns)
    if looped:
        yield min(looped, key=lambda unroll: (turns[unroll] * unroll, -unroll))


def _interleaved(layer: ConvolutionLayer, interleave: Interleaving) -> NDArray[np.int16]:
    """The weights in the order of a line: int16 (channels, steps, half)."""
    _, rows, columns, depth = layer.weights.shape
    places = {
        (row, column, channel): interleave.place(row, column, channel)
        for row in range(rows)
        for column in range(columns)
        for channel in range(depth)
    }
    begin, end = interleave.begin, max(word for word, _ in places.values())
    interleaved = np.zeros((layer.channels, end - begin + 1, 2), np.int16)
    for (row, column, channel), (word, half) in places.items():
        interleaved[:, word - begin, half] = layer.weights[:, row, column, channel]
    return interleaved


def _packed_weights(
    layer: ConvolutionLayer, weights: NDArray[np.int16], steps: int, *, once: bool, dual: bool
) -> NDArray[np.uint32]:
    """Pack four channels at a time: biases, weights step by step, and requantisation.

    In a loop both pixels' sums are loaded at once: each bias is stored twice. The order for the
    Cortex-M7 wants both multiplications' constants apart.
    """
    filled = np.zeros((layer.channels, steps, 2), np.int64)
    filled[:, : weights.shape[1]] = weights
    words = (filled[:, :, 0] & 0xFFFF) | (filled[:, :, 1] & 0xFFFF) << 16
    groups = layer.channels // TOGETHER
    biases = (layer.bias & 0xFFFFFFFF).reshape(groups, TOGETHER)
    requant = layer.requant.words.astype(np.int64).reshape(groups, TOGETHER, 2)
    parts = (
        biases if once else np.tile(biases, 2),
        words.reshape(groups, TOGETHER, steps).transpose(0, 2, 1).reshape(groups, -1),
        (requant.transpose(0, 2, 1) if dual else requant).reshape(groups, -1),
    )
    return np.concatenate(parts, axis=1).astype(np.uint32).ravel()


def _kernel(
    layer: ConvolutionLayer,
    interleave: Interleaving,
    weights: NDArray[np.int16],
    unroll: int,
    steps: int,
    *,
    copied: bool,
    dual: bool,
) -> Kernel:
    window, once = layer.op.window, unroll == steps
    packed_weights = Constant(
        "packed_weights",
        "uint32_t",
        _packed_weights(layer, weights, steps, once=once, dual=dual),
        f"biases, weights {list(layer.weights.shape)} and requantisation",
    )
    sources = _sources(layer, interleave, unroll, steps, once=once, dual=dual)
    scratch = _Scratch(layer, interleave, steps, packed_weights.size if copied else 0)
    words = scratch.packed_weights // 4
    row_form = RowForm(
        "generated/conv_row_pairs_row_s8.c.j2",
        layer.kernel[0],
        window.stride[0],
        window.dilation[0],
        layer.pads[0],
        work=_lines_work(layer, interleave, unroll, steps, [-(-layer.positions[1] // 2)])
        | {"copied": words},
    )
    return Kernel(
        operator=layer.op,
        function="tinyflow_conv_row_pairs_s8",
        library="tinyflow",
        template="generated/conv_row_pairs_s8.c.j2",
        context={
            "images": images(layer.source, layer.output),
            "pairs": _context(layer, interleave, sources, scratch, packed_weights),
        },
        constants=(packed_weights,),
        scratch=scratch.end,
        macs=layer.macs,
        header="tinyflow_conv_row_pairs.h",
        file="conv_row_pairs",
        sources=sources,
        row_form=row_form if nhwc(layer.source)[0] == 1 else None,
        name=_name(unroll, once=once, dual=dual).plus(*["ram"] * copied),
        work=_work(layer, interleave, unroll, steps, words),
    )


def _name(unroll: int, *, once: bool, dual: bool) -> KernelName:
    words = ("once",) if once else ()
    return KernelName(
        "conv_row_pairs", "s8", "m7" if dual else "dsp", (TOGETHER, 2, 2 * unroll), words
    )


def _sources(
    layer: ConvolutionLayer,
    interleave: Interleaving,
    unroll: int,
    steps: int,
    *,
    once: bool,
    dual: bool,
) -> tuple[Source, Source]:
    """The product and the interleaving."""
    requant = layer.requant
    words = [f"steps{steps}", f"unit{interleave.unit}", *["signed"] * requant.signed]
    words += clamp_words(requant.low, requant.high) if requant.clamped else ()
    stride = layer.op.window.stride[1]
    size = (interleave.rows, interleave.columns, interleave.depth)
    return (
        Source(
            _name(unroll, once=once, dual=dual).plus(*words),
            "conv/microkernel_4x2_s16.S.j2",
            (
                ("steps", steps),
                ("unroll", unroll),
                ("once", once),
                ("unit", interleave.unit),
                ("dual", dual),
                ("signed", requant.signed),
                ("clamped", requant.clamped),
                ("least", requant.low),
                ("greatest", requant.high),
            ),
        ),
        Source(
            KernelName("interleave", "s8_s16", "dsp", size, (f"stride{stride}",)),
            "conv/interleave_s16.S.j2",
            (
                ("rows", interleave.rows),
                ("columns", interleave.columns),
                ("depth", interleave.depth),
                ("advance", stride * interleave.depth),
            ),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Scratch:
    """Offsets of the scratch: the line, the copy of the packed weights, a row of padding, a unit's
    bytes.

    Attributes:
        packed_weights: bytes of its copy.
    """

    layer: ConvolutionLayer
    interleave: Interleaving
    steps: int
    packed_weights: int

    @property
    def pixels(self) -> int:
        """Pixels of a line: a row of the output, or half of the only one."""
        height, width = self.layer.positions
        return width if height > 1 else -(-width // 2)

    @property
    def units(self) -> int:
        """Units of a line."""
        return self.pixels + self.interleave.beyond

    @property
    def copy_at(self) -> int:
        # The order for the Cortex-M7 reads a step beyond a window.
        read = self.interleave.begin + (self.pixels - 1) * self.interleave.unit + self.steps + 1
        return 8 * max(read, self.units * self.interleave.unit)

    @property
    def padding_at(self) -> int:
        return self.copy_at + self.packed_weights

    @property
    def edges_at(self) -> int:
        wider = max(nhwc(self.layer.source)[2], self.interleave.columns)
        return self.padding_at + wider * self.layer.depth + 1

    @property
    def end(self) -> int:
        unit = self.interleave.rows * self.interleave.columns * self.interleave.depth
        return self.edges_at + unit + 1


def _context(
    layer: ConvolutionLayer,
    interleave: Interleaving,
    sources: tuple[Source, Source],
    scratch: _Scratch,
    packed_weights: Constant,
) -> dict[str, Any]:
    _, height, width, depth = nhwc(layer.source)
    window, pad = layer.op.window, layer.pads[1] + interleave.shift
    stride = window.stride[1]
    begin = pad // stride
    compute, interleaved = (str(source.name) for source in sources)
    return {
        "compute": compute,
        "interleave": interleaved,
        "copied": scratch.packed_weights > 0,
        "packed_weights_bytes": packed_weights.size,
        "copy_at": scratch.copy_at,
        "padding_at": scratch.padding_at,
        "edges_at": scratch.edges_at,
        "channels": layer.channels,
        "output_zero_point": layer.requant.zero_point,
        "zero_point": layer.source.q.zero_point,
        "input": (height, width),
        "depth": depth,
        "output": layer.positions,
        "kernel": layer.kernel[0],
        "stride": window.stride,
        "dilation": window.dilation[0],
        "pads": (layer.pads[0], pad),
        "columns": interleave.columns,
        "unit": interleave.unit,
        "begin": interleave.begin,
        "beyond": interleave.beyond,
        "inside_begin": begin,
        "inside_end": max(begin, (width + pad - interleave.columns) // stride + 1),
    }


def _work(
    layer: ConvolutionLayer, interleave: Interleaving, unroll: int, steps: int, copied: int
) -> dict[str, int]:
    """Return the terms that cycles are linear in; `copied` is words of packed weights that are
    copied.
    """
    height, width = layer.positions
    together, alone = divmod(height, 2)
    pixels = [width] * together + [-(-width // 2)] * alone
    work = _lines_work(layer, interleave, unroll, steps, pixels) | {"copied": copied}
    return {term: nhwc(layer.source)[0] * number for term, number in work.items()}


def _lines_work(
    layer: ConvolutionLayer,
    interleave: Interleaving,
    unroll: int,
    steps: int,
    pixels: Sequence[int],
) -> dict[str, int]:
    """The same for one call, by the pixels of each pair of lines."""
    units = 2 * sum(one + interleave.beyond for one in pixels)
    tiles = sum(pixels) * layer.channels // TOGETHER
    return {
        "calls": 1,
        "lines": 2 * len(pixels),
        "units": units,
        "interleaved": units * interleave.instructions,
        "tiles": tiles,
        "steps": tiles * steps,
        "turns": tiles * (steps // unroll if unroll < steps else 0),
    }


#: Makers of this module, by operator.
VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {Conv2D: (paired,)}
