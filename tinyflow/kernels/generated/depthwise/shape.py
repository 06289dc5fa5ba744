# SPDX-License-Identifier: Apache-2.0
"""Dimensions of a depthwise layer, and the layout of its lines in memory and in scratch."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.ir.graph import Tensor
from tinyflow.ir.operators import DepthwiseConv2D
from tinyflow.kernels.base import nhwc

#: Channels that are in scratch together.
CHANNELS = 4
#: Bytes of the words of four channels.
WORDS = 4 * CHANNELS


@dataclass(frozen=True)
class Axis:
    """The layer along one dimension."""

    size: int
    output: int
    kernel: int
    stride: int
    dilation: int
    pad: int

    @property
    def reach(self) -> int:
        """Positions that one output spans."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def needed(self) -> int:
        """Positions, with padding, that all outputs span."""
        return (self.output - 1) * self.stride + self.reach

    @property
    def used(self) -> int:
        """Elements of the input among them."""
        return min(self.size, self.needed - self.pad)


@dataclass(frozen=True)
class DepthwiseLayer:
    """The layer with its lines along `inner`; `transposed` where that is the height."""

    inner: Axis
    outer: Axis
    channels: int
    multiplier: int
    transposed: bool

    @property
    def filters(self) -> int:
        """Output channels."""
        return self.channels * self.multiplier

    @property
    def pitches(self) -> tuple[int, int, int, int]:
        """Bytes between neighbours: pixels and lines of the input, then of the output."""
        if self.transposed:
            return (
                self.outer.size * self.channels, self.channels,
                self.outer.output * self.filters, self.filters,
            )  # fmt: skip
        return (
            self.channels, self.inner.size * self.channels,
            self.filters, self.inner.output * self.filters,
        )  # fmt: skip


def depthwise_layer_of(
    op: DepthwiseConv2D, source: Tensor, weights: Tensor, output: Tensor, *, transposed: bool
) -> DepthwiseLayer:
    """The dimensions of an operator, with lines along its width or its height."""
    _, *size, channels = nhwc(source)
    _, *due, _ = nhwc(output)
    window = op.window
    kernel = weights.shape[1:3]
    pads = window.pads((size[0], size[1]), (kernel[0], kernel[1]))
    height, width = (
        Axis(*numbers)
        for numbers in zip(size, due, kernel, window.stride, window.dilation, pads, strict=True)
    )
    inner, outer = (height, width) if transposed else (width, height)
    return DepthwiseLayer(inner, outer, channels, op.multiplier, transposed)


@dataclass(frozen=True)
class Columns:
    """Columns of a line, two positions each, made from its padding and pixels.

    Attributes:
        front: columns of padding alone.
        words: then columns with a pixel, that of the tail not counted.
        head: 1 where the first of them is padding and a pixel.
        tail: 1 where then comes a column of the last pixel and padding.
        back: columns of padding alone.
    """

    front: int
    words: int
    head: int
    tail: int
    back: int

    @property
    def gathered(self) -> int:
        """Columns with a pixel."""
        return self.words + self.tail

    @property
    def count(self) -> int:
        """All columns."""
        return self.front + self.gathered + self.back


def columns_of(inner: Axis) -> Columns:
    """The columns of a line."""
    front, head = divmod(inner.pad, 2)
    words, tail = head + (inner.used - head) // 2, (inner.used - head) % 2
    back = -(-inner.needed // 2) - front - words - tail
    return Columns(front, words, head, tail, back)


def is_in_place(layer: DepthwiseLayer, strip: int) -> bool:
    """Whether the outputs of each strip overwrite only input that has been gathered by then."""
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
