# SPDX-License-Identifier: Apache-2.0
"""One frozen dataclass per operator. Fields that name a tensor hold its index in the graph.

Data is NHWC; weights are laid out as TFLite has them: convolution OHWI, depthwise 1HWC,
fully connected OI.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from tinyflow.ir.types import Activation, DType, Padding

TensorId = int


@dataclass(frozen=True)
class Operator:
    """Base of all operators: the layer's name, inputs and outputs."""

    #: TFLite's name of the operator.
    kind: ClassVar[str]
    #: The fields that name tensors read: one, several as a tuple, or None if it is absent.
    input_fields: ClassVar[tuple[str, ...]] = ("input",)
    #: The field that names the tensor written, or the tensors as a tuple.
    output_field: ClassVar[str] = "output"
    #: Input fields that name states, which the operator also rewrites.
    state_fields: ClassVar[tuple[str, ...]] = ()

    name: str

    @property
    def title(self) -> str:
        """Return the operator's name in reports."""
        return self.kind

    def inputs(self) -> Iterator[TensorId]:
        """The tensors read, constants included."""
        for field in self.input_fields:
            yield from self.tensors(field)

    def outputs(self) -> Iterator[TensorId]:
        """The tensors written."""
        yield from self.tensors(self.output_field)

    def states(self) -> Iterator[TensorId]:
        """The states that are read and rewritten."""
        for field in self.state_fields:
            yield from self.tensors(field)

    def tensors(self, field: str) -> tuple[TensorId, ...]:
        """The tensors that a field names."""
        value = getattr(self, field)
        if value is None:
            return ()
        return value if isinstance(value, tuple) else (value,)


@dataclass(frozen=True)
class Window:
    """A sliding window over height and width.

    Attributes:
        stride: rows and columns between neighbouring positions.
        padding: the rule; with EXPLICIT, `before` and `after` say it, which else are zeros.
        dilation: rows and columns between neighbouring elements of the window.
        before: rows above and columns left of the input.
        after: rows below and columns right of it.
    """

    stride: tuple[int, int]
    padding: Padding
    dilation: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)

    def pads(self, size: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int]:
        """Rows above and columns left of an input of `size` (height, width).

        SAME pads half the total before, the odd one after (`ComputePaddingWithOffset`).
        """
        if self.padding is not Padding.SAME:
            return self.before
        height, width = (total // 2 for total in self._same_totals(size, kernel))
        return height, width

    def pads_after(self, size: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int]:
        """Rows below and columns right of an input of `size`."""
        if self.padding is not Padding.SAME:
            return self.after
        height, width = (total - total // 2 for total in self._same_totals(size, kernel))
        return height, width

    def output_size(self, size: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the output (`ComputeOutSize`)."""
        height, width = (
            -(-(extent if self.padding is Padding.SAME else padded - reach + 1) // stride)
            for extent, padded, reach, stride in zip(
                size, self._padded(size), self.reach(kernel), self.stride, strict=True
            )
        )
        return height, width

    def reach(self, kernel: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns from the first to the last element of a window, both counted."""
        height, width = (
            (extent - 1) * dilation + 1
            for extent, dilation in zip(kernel, self.dilation, strict=True)
        )
        return height, width

    def _padded(self, size: tuple[int, int]) -> tuple[int, int]:
        height, width = (
            before + extent + after
            for before, extent, after in zip(self.before, size, self.after, strict=True)
        )
        return height, width

    def _same_totals(self, size: tuple[int, int], kernel: tuple[int, int]) -> Iterator[int]:
        """Yield what SAME adds to height and to width."""
        for extent, positions, reach, stride in zip(
            size, self.output_size(size, kernel), self.reach(kernel), self.stride, strict=True
        ):
            yield max(0, (positions - 1) * stride + reach - extent)


@dataclass(frozen=True)
class Weighted(Operator):
    """Base of operators with constant weights; `bias` is None if it is all zeros.

    `accumulator` is the type of sums: int32, or int64 where int16 activations ask for it.
    """

    input_fields = ("input", "weights", "bias")

    input: TensorId
    weights: TensorId
    bias: TensorId | None
    output: TensorId
    _: KW_ONLY
    accumulator: DType = DType.INT32


@dataclass(frozen=True)
class Conv2D(Weighted):
    """2-D convolution."""

    kind = "CONV_2D"

    window: Window
    activation: Activation


@dataclass(frozen=True)
class DepthwiseConv2D(Weighted):
    """Depthwise 2-D convolution; each input channel gives `multiplier` output channels."""

    kind = "DEPTHWISE_CONV_2D"

    window: Window
    multiplier: int
    activation: Activation


@dataclass(frozen=True)
class FullyConnected(Weighted):
    """Matrix product with constant weights; leading dimensions of the input are rows."""

    kind = "FULLY_CONNECTED"

    activation: Activation


@dataclass(frozen=True)
class Add(Operator):
    """Element-wise sum, broadcast; either operand may be constant."""

    kind = "ADD"
    input_fields = ("left", "right")

    left: TensorId
    right: TensorId
    output: TensorId
    activation: Activation


@dataclass(frozen=True)
class Unary(Operator):
    """Base of operators with one input and one output."""

    input: TensorId
    output: TensorId


@dataclass(frozen=True)
class Pool2D(Unary):
    """Base of both poolings."""

    kernel: tuple[int, int]
    window: Window
    activation: Activation


@dataclass(frozen=True)
class AveragePool2D(Pool2D):
    """Average over a window; padding does not count."""

    kind = "AVERAGE_POOL_2D"


@dataclass(frozen=True)
class MaxPool2D(Pool2D):
    """Maximum over a window."""

    kind = "MAX_POOL_2D"


@dataclass(frozen=True)
class Mean(Unary):
    """Mean over `axes`, which are sorted and not negative."""

    kind = "MEAN"

    axes: tuple[int, ...]


@dataclass(frozen=True)
class Reshape(Unary):
    """The same elements under another shape."""

    kind = "RESHAPE"


@dataclass(frozen=True)
class Softmax(Unary):
    """Softmax over the last dimension of `beta * input`."""

    kind = "SOFTMAX"

    beta: float


@dataclass(frozen=True)
class Pad(Unary):
    """Pad with the input's zero point; `paddings` holds (before, after) per dimension."""

    kind = "PAD"

    paddings: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Quantize(Unary):
    """float32 to a quantised type, or from one quantisation to another."""

    kind = "QUANTIZE"


@dataclass(frozen=True)
class Dequantize(Unary):
    """A quantised type to float32."""

    kind = "DEQUANTIZE"
