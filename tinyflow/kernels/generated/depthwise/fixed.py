# SPDX-License-Identifier: Apache-2.0
"""3x3 window for one shape: sizes and pitches are part of its code.

Along a line a window begins in one column of pairs and ends in the next, so that no word is loaded
twice: with stride 1 each column ends two outputs and begins the next two. A Cortex-M7, which loads
paired with its multiplications, takes tiles of four outputs instead, whose results come one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import Board
from tinyflow.kernels.base import Source
from tinyflow.kernels.generated.depthwise.scaling import FoldedScaling, Scaling, folded
from tinyflow.kernels.generated.depthwise.shape import WORDS, Axis, DepthwiseLayer, columns_of
from tinyflow.kernels.generated.depthwise.window import DepthwiseWindow, Weights
from tinyflow.kernels.name import Isa, KernelName, clamp_words

#: The greatest offset of a load or store.
_REACH = 4095
#: Outputs of a line that are written out one after the other; longer lines have a loop of 8.
_MOST_WRITTEN_OUT = 16
#: Columns of a line that are gathered without a loop; longer lines have one of 4.
_MOST_GATHERED = 8
_GATHERED_TOGETHER = 4


@dataclass(frozen=True)
class _OutputLine:
    """Unrolling of a line's outputs.

    Attributes:
        times: turns of the loop.
        body: columns that end outputs in a turn, or tiles.
        rest: columns or tiles after the loop.
    """

    times: int
    body: int
    rest: int


def window(
    layer: DepthwiseLayer,
    weights: Weights,
    scaling: Scaling,
    zero_point: int,
    height: int,
    board: Board,
) -> DepthwiseWindow | None:
    """The window with room for `height` lines; None if the layer has none.

    Args:
        layer: the layer.
        weights: its constants.
        scaling: its requantisation.
        zero_point: of the input.
        height: lines of the scratch.
        board: where it runs.
    """
    inner, outer = layer.inner, layer.outer
    columns = columns_of(inner)
    line = WORDS * columns.count
    _, _, output_pitch, _ = layer.pitches
    if (
        (outer.kernel, inner.kernel, outer.dilation) != (3, 3, 1)
        or layer.multiplier > 1
        or scaling.wide
        or max(2 * line + WORDS, layer.pitches[0], output_pitch) > _REACH
    ):
        return None
    dual_issue = board.core == "cortex-m7"
    requant = folded(scaling, weights.taps, weights.bias)
    written = _line_of_tiles(inner) if dual_issue else _line_of_columns(inner)
    return DepthwiseWindow(
        im2col=_im2col_source(layer, line, zero_point, dual_issue=dual_issue),
        source=_window_source(layer, line, written, scaling, requant, board),
        name=_name(inner.stride, board),
        constants=_constants(weights, scaling, requant, inner.stride),
        height=min(height, outer.needed),
        place=WORDS,
        line=line,
        scratch=min(height, outer.needed) * line,
        line_work={
            "outputs": inner.output,
            "window columns": written.times * written.body + written.rest,
            "turns": written.times,
        },
        channel_work={},
        input_line_work={"gathered columns": columns.gathered},
    )


def _name(stride: int, board: Board) -> KernelName:
    isa: Isa = "m7" if board.core == "cortex-m7" else "dsp"
    return KernelName("depthwise_conv", "s8", isa, (3, 3), (f"stride{stride}", "fixed"))


def _line_of_columns(inner: Axis) -> _OutputLine:
    """The loop's columns begin and end whole pairs, and an even number of accumulators."""
    columns = -(-inner.output // 2) if inner.stride == 1 else inner.output
    if inner.output <= _MOST_WRITTEN_OUT:
        return _OutputLine(0, 0, columns)
    looped = columns - 1 - (inner.output % 2 if inner.stride == 1 else 0)
    for body in (4, 2) if inner.stride == 1 else (8, 4, 2):
        times = looped // body
        rest = columns - times * body
        if (body + rest) * (2 if inner.stride == 1 else 1) <= _MOST_WRITTEN_OUT:
            break
    return _OutputLine(times, body, rest)


def _line_of_tiles(inner: Axis) -> _OutputLine:
    tiles = -(-inner.output // 4)
    if inner.output <= _MOST_WRITTEN_OUT:
        return _OutputLine(0, 0, tiles)
    times = (inner.output // 4) // 2
    return _OutputLine(times, 2, tiles - 2 * times)


def _im2col_source(
    layer: DepthwiseLayer, line: int, zero_point: int, *, dual_issue: bool
) -> Source:
    columns = columns_of(layer.inner)
    pitch, line_pitch, _, _ = layer.pitches
    whole = columns.words - columns.head
    together = _GATHERED_TOGETHER
    times = 0 if columns.gathered <= _MOST_GATHERED else whole // together
    words = ["fixed", f"columns{whole}", *["head"] * columns.head, *["tail"] * columns.tail]
    words += [f"pitch{pitch}", f"{line_pitch}", "to", f"{line}", f"zero{zero_point + 128}"]
    isa: Isa = "m7" if dual_issue else "dsp"
    name = KernelName("depthwise_im2col", "s8_s16", isa, words=tuple(words))
    return Source(
        name,
        "depthwise/im2col_shape.S.j2",
        (
            ("function", str(name)),
            ("head", columns.head),
            ("times", times),
            ("together", together),
            ("rest", whole - times * together),
            ("tail", columns.tail),
            ("pitch", pitch),
            ("line_pitch", line_pitch),
            ("line", line),
            ("zero", (zero_point & 0xFF) * 0x1010101),
            ("dual_issue", dual_issue),
        ),
    )


def _window_source(
    layer: DepthwiseLayer,
    line: int,
    written: _OutputLine,
    scaling: Scaling,
    requant: FoldedScaling | None,
    board: Board,
) -> Source:
    dual_issue = board.core == "cortex-m7"
    low, high = scaling.clamp or (0, 0)
    _, _, pitch, line_pitch = layer.pitches
    stride = layer.inner.stride
    words = [f"lines{layer.outer.stride}", f"{line}", f"outputs{layer.inner.output}"]
    words += [f"pitch{pitch}", f"{line_pitch}", *([f"shift{requant.shift}"] if requant else [])]
    words += [*["signed"] * scaling.signed, *(clamp_words(low, high) if scaling.clamp else ())]
    words += [] if board.fpu else ["soft"]
    name = _name(stride, board).plus(*words)
    template = "tiles_3x3" if dual_issue else f"columns_3x3_s{stride}"
    return Source(
        name,
        f"depthwise/{template}.S.j2",
        (
            ("function", str(name)),
            ("stride", stride),
            ("line_stride", layer.outer.stride),
            ("line", line),
            ("outputs", layer.inner.output),
            ("times", written.times),
            ("body", written.body),
            ("rest", written.rest),
            ("pitch", pitch),
            ("output_line", line_pitch),
            ("folded", requant is not None),
            ("shift", requant.shift if requant else 0),
            ("signed", scaling.signed),
            ("wide", False),
            ("clamped", scaling.clamp is not None),
            ("low", low),
            ("high", high),
            ("fpu", board.fpu is not None),
        ),
    )


def _constants(
    weights: Weights, scaling: Scaling, requant: FoldedScaling | None, stride: int
) -> NDArray[np.uint32]:
    """Eight words of each channel, in the order of the templates."""
    up = np.zeros_like(weights.bias) if requant is None else requant.up
    k = (weights.taps.astype(np.int64) << up).astype(np.int16).view(np.uint16).astype(np.uint32)

    def pair(low: tuple[int, int] | None, high: tuple[int, int] | None) -> NDArray[np.uint32]:
        halves = [np.zeros_like(k[0, 0]) if at is None else k[at] for at in (low, high)]
        return np.asarray(halves[0] | halves[1] << 16, np.uint32)

    first = [pair((line, 0), (line, 1)) for line in range(3)]
    words = (
        [first[0], pair((1, 0), (0, 2)), pair((1, 1), (1, 2)), first[2], pair(None, (2, 2))]
        if stride == 1
        else [*first, pair((0, 2), (1, 2)), pair((2, 2), None)]
    )
    words.append((weights.bias << up).astype(np.uint32))
    words += (
        [scaling.doubled, scaling.power]
        if requant is None
        else [requant.multiplier, requant.offset]
    )
    return np.stack(words, axis=1).astype(np.uint32)
