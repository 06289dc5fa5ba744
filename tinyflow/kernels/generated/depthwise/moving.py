# SPDX-License-Identifier: Apache-2.0
"""Window for any shape: sizes and pitches are arguments of its functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import Board
from tinyflow.kernels.base import Source
from tinyflow.kernels.generated.depthwise.scaling import Scaling
from tinyflow.kernels.generated.depthwise.shape import WORDS, Axis, DepthwiseLayer, columns_of
from tinyflow.kernels.generated.depthwise.window import DepthwiseWindow, Weights
from tinyflow.kernels.name import Isa, KernelName, clamp_words

#: The longest window along a line: two multiply-accumulates a word need its weights in registers.
_MOST_TAPS = 7
#: Most words of weights on the stack.
_MOST_WEIGHTS = 64
#: Bytes of code of a window's lines, written out one after the other; beyond that it is a loop.
_MOST_UNROLLED = 480


def is_supported(layer: DepthwiseLayer) -> bool:
    """Whether there is such a window for the layer."""
    inner, outer = layer.inner, layer.outer
    return (
        inner.stride <= 2
        and (inner.dilation == 1 or inner.kernel == 1)
        and (inner.kernel <= _MOST_TAPS or outer.kernel == 1)
        and outer.kernel * sum(_words_of_weights(inner)) <= _MOST_WEIGHTS
    )


@dataclass(frozen=True, eq=False)
class _WindowForm:
    """Differences between windows of 3x3 and of other sizes.

    Attributes:
        shape: the name of the window's size.
        parameters: of its template.
        size: height and width, where the kernel's name has them.
        words: of the kernel's name.
        constants: uint32 (output channels, words).
        tiles: tiles of four outputs in a line.
        rest: work for the outputs after the last tile, or in it.
        seen: columns that it reads.
        advanced: outputs by which it has advanced at the end of a line.
        line_work: see `DepthwiseWindow`.
        channel_work: see `DepthwiseWindow`.
    """

    shape: str
    parameters: Mapping[str, int]
    size: tuple[int, ...]
    words: tuple[str, ...]
    constants: NDArray[np.uint32]
    tiles: int
    rest: int
    seen: int
    advanced: int
    line_work: Mapping[str, int]
    channel_work: Mapping[str, int]


def window(
    layer: DepthwiseLayer, weights: Weights, scaling: Scaling, height: int, board: Board
) -> DepthwiseWindow:
    """The window with room for `height` lines."""
    inner, outer = layer.inner, layer.outer
    small = (outer.kernel, inner.kernel, outer.dilation) == (3, 3, 1)
    form = (
        _form_3x3(inner, weights, scaling)
        if small
        else _form_of_any_size(inner, outer, weights, scaling, height)
    )
    columns = columns_of(inner)
    place = WORDS * height
    span = form.tiles * 2 * inner.stride * place
    _, _, output_pitch, output_line_pitch = layer.pitches
    return DepthwiseWindow(
        im2col=_im2col_source(height),
        source=_window_source(form, height, scaling, board),
        name=_name(form, board),
        constants=form.constants,
        height=height,
        place=place,
        line=WORDS,
        scratch=max(columns.count, form.seen) * place,
        line_work=form.line_work,
        channel_work=form.channel_work,
        input_line_work={"columns": columns.gathered},
        outputs={
            "span": span,
            "rest": form.rest,
            "back": WORDS * outer.stride - span,
            "forward": output_line_pitch - form.advanced * output_pitch,
        },
    )


def _form_3x3(inner: Axis, weights: Weights, scaling: Scaling) -> _WindowForm:
    tiles, rest = (inner.output + 1) // 4, inner.output % 4
    pair = rest in (1, 2)
    return _WindowForm(
        shape="3x3",
        parameters={"stride": inner.stride},
        size=(3, 3),
        words=(),
        constants=_words(weights, scaling, _bytes_3x3(weights.taps, inner.stride, scaling)),
        tiles=tiles,
        rest=rest,
        seen=tiles * 2 * inner.stride + 1 + (inner.stride if pair else 0),
        advanced=4 * tiles - 2 * (rest == 3),
        line_work={"tiles": tiles, "pairs": int(pair)},
        channel_work={},
    )


def _form_of_any_size(
    inner: Axis, outer: Axis, weights: Weights, scaling: Scaling, height: int
) -> _WindowForm:
    taps, part = weights.taps, _part(inner)
    lines, advance = outer.kernel, WORDS * outer.dilation
    if part.kernel < inner.kernel:
        lines, advance = -(-inner.kernel // part.kernel), part.kernel // 2 * WORDS * height
        missing = lines * part.kernel - inner.kernel
        taps = np.pad(taps, ((0, 0), (0, missing), (0, 0))).reshape(lines, part.kernel, -1)
    tiles = -(-inner.output // 4)
    held = lines * sum(_words_of_weights(part))
    words, products = _line_of_tile(part)
    unrolled = lines * 4 * (1 + words + products) <= _MOST_UNROLLED
    shape = f"{outer.kernel}x{inner.kernel}"
    if outer.dilation > 1:
        shape += f"d{outer.dilation}"
    return _WindowForm(
        shape=shape,
        parameters={
            "lines": lines,
            "taps": part.kernel,
            "stride": inner.stride,
            "advance": advance,
            "unrolled": unrolled,
        },
        size=(),
        words=("any", "unrolled") if unrolled else ("any",),
        constants=_words(weights, scaling, _bytes_of_pairs(taps, part, scaling)),
        tiles=tiles,
        rest=(inner.output - 1) % 4 + 1,
        seen=(tiles - 1) * 2 * inner.stride
        + words
        + (lines - 1) * part.kernel // 2 * (part is not inner),
        advanced=4 * (tiles - 1),
        line_work={
            "tiles": tiles,
            "lines of tiles": tiles * lines,
            "loads": tiles * (lines * words + held),
            "products": tiles * lines * products,
        },
        channel_work={"weights": held},
    )


def _part(inner: Axis) -> Axis:
    """A window of one line that is too long for registers is one of several lines, its parts.

    Its parts have an even length, so that all of them begin in the lower half of a word.
    """
    if inner.kernel <= _MOST_TAPS:
        return inner
    parts = [replace(inner, kernel=kernel) for kernel in (4, 6)]
    return min(parts, key=lambda part: -(-inner.kernel // part.kernel) * sum(_line_of_tile(part)))


def _name(form: _WindowForm, board: Board) -> KernelName:
    isa: Isa = "m7" if board.core == "cortex-m7" else "dsp"
    words = (f"stride{form.parameters['stride']}", *form.words)
    return KernelName("depthwise_conv", "s8", isa, form.size, words)


def _im2col_source(height: int) -> Source:
    name = KernelName("depthwise_im2col", "s8_s16", "dsp", words=(f"lines{height}",))
    parameters = (("function", str(name)), ("height", height))
    return Source(name, "depthwise/im2col.S.j2", parameters)


def _window_source(form: _WindowForm, height: int, scaling: Scaling, board: Board) -> Source:
    dual_issue = board.core == "cortex-m7"
    low, high = scaling.clamp or (0, 0)
    words = [f"lines{height}", *["signed"] * scaling.signed, *["wide"] * scaling.wide]
    words += clamp_words(low, high) if scaling.clamp else ()
    words += [] if board.fpu else ["soft"]
    shape = () if form.size else (form.shape,)
    name = _name(form, board).plus(*shape, *words)
    return Source(
        name,
        f"depthwise/window{'_3x3' if form.shape == '3x3' else ''}.S.j2",
        (
            ("function", str(name)),
            *form.parameters.items(),
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


def _words_of_weights(inner: Axis) -> tuple[int, int]:
    """Words of weights of a line of `window.S.j2`: from even taps on, and from odd ones.

    Outputs at odd positions need pairs that begin with an odd tap. A last tap alone is the upper
    half of the others' last pair, if there is one.
    """
    if inner.stride == 2 or inner.kernel == 1:
        return (inner.kernel + 1) // 2, 0
    return inner.kernel // 2, (inner.kernel - 1) // 2


def _line_of_tile(inner: Axis) -> tuple[int, int]:
    """Words that a tile of `window.S.j2` loads of a line, and its multiply-accumulates."""
    words = (3 * inner.stride + inner.kernel + 1) // 2
    even, odd = (inner.kernel + 1) // 2, inner.kernel // 2 + 1
    return words, 2 * (even + odd) if inner.stride == 1 else 4 * even


def _words(
    weights: Weights, scaling: Scaling, columns: list[NDArray[np.uint8]]
) -> NDArray[np.uint32]:
    """Words of each channel: its bias, twice its multiplier, and bytes, lowest first."""
    packed = np.ascontiguousarray(np.stack(columns, axis=1)).view("<u4")
    leading = np.stack([weights.bias.astype(np.uint32), scaling.doubled], axis=1)
    return np.concatenate([leading, packed], axis=1).astype(np.uint32)


def _bytes_3x3(taps: NDArray[np.int8], stride: int, scaling: Scaling) -> list[NDArray[np.uint8]]:
    """Taps and shifts in the order of `window_3x3.S.j2`."""
    k = taps.view(np.uint8)
    left, right, none = scaling.left, scaling.right, np.zeros_like(scaling.left)
    begin = [k[0, 0], k[1, 0], k[0, 1], k[1, 1], k[2, 0]]
    if stride == 1:
        return [*begin, left, k[2, 1], k[2, 2], right, none, k[0, 2], k[1, 2]]
    return [*begin, k[0, 2], k[2, 1], k[1, 2], k[2, 2], right, left, none]


def _bytes_of_pairs(
    taps: NDArray[np.int8], inner: Axis, scaling: Scaling
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
