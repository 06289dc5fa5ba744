"""How each operator of a .tflite is read, and what of it is accepted.

One function per operator; `IMPORTERS` is the list of what tinyflow compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.graph import Tensor
from tinyflow.ir.operators import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Dequantize,
    FullyConnected,
    MaxPool2D,
    Mean,
    Operator,
    Pad,
    Quantize,
    Reshape,
    Softmax,
    Window,
)
from tinyflow.ir.types import Activation, DType, Padding

_ACTIVATIONS: dict[int, Activation] = {
    schema.ActivationFunctionType.NONE: Activation.NONE,
    schema.ActivationFunctionType.RELU: Activation.RELU,
    schema.ActivationFunctionType.RELU6: Activation.RELU6,
    schema.ActivationFunctionType.RELU_N1_TO_1: Activation.RELU_N1_TO_1,
}
_PADDINGS = {schema.Padding.SAME: Padding.SAME, schema.Padding.VALID: Padding.VALID}

QUANTISE_HINT = (
    "Convert it with full int8 post-training quantisation, or give tinyflow the Keras model "
    "and calibration data."
)


class OperatorReader:
    """One operator of the file, and the checks that the reading functions share."""

    def __init__(
        self, raw: Any, kind: str, subgraph: Any, tensors: Sequence[Tensor], path: Path
    ) -> None:
        self.operator = raw
        self.kind = kind
        self.subgraph = subgraph
        self.tensors = tensors
        self.path = path

    def read(self) -> Operator:
        """The operator as the IR has it."""
        return IMPORTERS[self.kind](self)

    @property
    def name(self) -> str:
        """The layer's name: that of the tensor it writes."""
        return self.tensors[self.output].name

    @property
    def output(self) -> int:
        """The tensor it writes."""
        return indices(self.operator.outputs)[0]

    def input(self, position: int) -> int:
        """The tensor read at that position; an absent one is an error."""
        index = self.optional_input(position)
        if index is None:
            raise InputError(f"{self.path}: {self.kind} layer {self.name!r} lacks input {position}")
        return index

    def optional_input(self, position: int) -> int | None:
        """The tensor read at that position, None where it is absent."""
        inputs = indices(self.operator.inputs)
        if position >= len(inputs) or inputs[position] == -1:
            return None
        return inputs[position]

    def options(self, kind: type[Any]) -> Any:
        """Its options, which must be of that table of the schema."""
        options = self.operator.builtinOptions
        if not isinstance(options, kind):
            raise InputError(f"{self.path}: {self.kind} layer {self.name!r} lacks its options")
        return options

    def refuse(self, problem: str, hint: str | None = None) -> UnsupportedError:
        """The error of an attribute that is not compiled; names operator and layer."""
        return UnsupportedError(
            f"{self.path}: {self.kind} layer {self.name!r}: {problem}", hint=hint
        )

    def int8(self, *indices: int) -> None:
        """Check that activations are int8, quantised per tensor."""
        for index in indices:
            tensor = self.tensors[index]
            if tensor.dtype is DType.FLOAT32:
                raise InputError(
                    f"{self.path}: {self.kind} layer {self.name!r} computes in float32: "
                    "the model is not fully quantised",
                    hint=QUANTISE_HINT,
                )
            if tensor.dtype is not DType.INT8:
                raise self.refuse(f"tensor {tensor.name!r} is {tensor.dtype.value}, expected int8")
            self.computed(index)
            self.per_tensor(index)

    def computed(self, index: int) -> None:
        """Check that an operand is an activation."""
        if self.tensors[index].is_constant:
            raise self.refuse(f"the operand {self.tensors[index].name!r} is a constant")

    def image(self, *indices: int) -> None:
        """Check that tensors have four dimensions."""
        for index in indices:
            tensor = self.tensors[index]
            if len(tensor.shape) != 4:
                raise self.refuse(f"tensor {tensor.name!r} has the shape {list(tensor.shape)}")

    def per_tensor(self, index: int) -> None:
        """Check that a tensor has one scale."""
        tensor = self.tensors[index]
        if tensor.quantization is None or len(tensor.quantization.scales) != 1:
            raise self.refuse(f"tensor {tensor.name!r} is not quantised per tensor")

    def weights(self, index: int, axis: int) -> None:
        """Check constant int8 weights with zero points of 0, per tensor or along `axis`."""
        tensor = self.tensors[index]
        if tensor.dtype is DType.FLOAT32:
            self.int8(index)
        if tensor.data is None:
            raise self.refuse(f"the weights {tensor.name!r} are computed, expected a constant")
        if tensor.dtype is not DType.INT8 or tensor.quantization is None:
            raise self.refuse(
                f"the weights {tensor.name!r} are {tensor.dtype.value}, expected int8"
            )
        if any(tensor.quantization.zero_points):
            raise self.refuse(f"the weights {tensor.name!r} have a zero point other than 0")
        if tensor.quantization.axis not in (None, axis) and len(tensor.quantization.scales) > 1:
            raise self.refuse(f"the weights {tensor.name!r} are quantised along another dimension")

    def bias(self, position: int) -> int | None:
        """The bias, which must be a constant of int32; None where it is absent."""
        index = self.optional_input(position)
        if index is not None:
            tensor = self.tensors[index]
            if tensor.data is None or tensor.dtype is not DType.INT32:
                raise self.refuse(f"the bias {tensor.name!r} is not a constant of int32")
        return index

    def activation(self, code: int) -> Activation:
        """The fused activation of the schema's code."""
        if code not in _ACTIVATIONS:
            raise self.refuse(
                f"the fused activation {code} is not supported",
                "Supported: " + ", ".join(activation.value for activation in Activation) + ".",
            )
        return _ACTIVATIONS[code]

    def window(self, options: Any, *, dilated: bool = False) -> Window:
        """The sliding window that the options describe."""
        if options.padding not in _PADDINGS:
            raise InputError(f"{self.path}: {self.kind} layer {self.name!r}: unknown padding")
        stride = (int(options.strideH), int(options.strideW))
        dilation = (
            (int(options.dilationHFactor), int(options.dilationWFactor)) if dilated else (1, 1)
        )
        if min(stride + dilation) < 1:
            raise InputError(
                f"{self.path}: {self.kind} layer {self.name!r}: stride or dilation below 1"
            )
        return Window(stride, _PADDINGS[options.padding], dilation)

    def same_quantization(self, left: int, right: int) -> None:
        """Check that two tensors have the same scale and zero point."""
        if self.tensors[left].quantization != self.tensors[right].quantization:
            raise self.refuse("input and output differ in scale or zero point")

    def integers(self, position: int) -> list[int]:
        """The values of a constant operand of int32, flat."""
        tensor = self.tensors[self.input(position)]
        if tensor.data is None or tensor.dtype is not DType.INT32:
            raise self.refuse(f"{tensor.name!r} is not a constant of int32")
        return [int(value) for value in tensor.data.ravel()]


def indices(values: Any) -> list[int]:
    """A vector of the file as a list; an absent one is empty."""
    return [] if values is None else [int(value) for value in values]


def _conv_2d(at: OperatorReader) -> Operator:
    options = at.options(schema.Conv2DOptionsT)
    at.int8(at.input(0), at.output)
    at.weights(at.input(1), axis=0)
    at.image(at.input(0), at.input(1))
    channels, depth = at.tensors[at.input(0)].shape[-1], at.tensors[at.input(1)].shape[-1]
    if channels != depth:
        raise at.refuse(f"grouped convolution ({channels} input channels, filters of {depth})")
    return Conv2D(
        at.name,
        at.input(0),
        at.input(1),
        at.bias(2),
        at.output,
        at.window(options, dilated=True),
        at.activation(options.fusedActivationFunction),
    )


def _depthwise_conv_2d(at: OperatorReader) -> Operator:
    options = at.options(schema.DepthwiseConv2DOptionsT)
    at.int8(at.input(0), at.output)
    at.weights(at.input(1), axis=3)
    at.image(at.input(0), at.input(1))
    channels = at.tensors[at.input(0)].shape[-1]
    return DepthwiseConv2D(
        at.name,
        at.input(0),
        at.input(1),
        at.bias(2),
        at.output,
        at.window(options, dilated=True),
        at.tensors[at.input(1)].shape[-1] // max(1, channels),
        at.activation(options.fusedActivationFunction),
    )


def _fully_connected(at: OperatorReader) -> Operator:
    options = at.options(schema.FullyConnectedOptionsT)
    at.int8(at.input(0), at.output)
    at.weights(at.input(1), axis=0)
    if options.weightsFormat != 0:
        raise at.refuse("shuffled weights")
    return FullyConnected(
        at.name,
        at.input(0),
        at.input(1),
        at.bias(2),
        at.output,
        at.activation(options.fusedActivationFunction),
    )


def _add(at: OperatorReader) -> Operator:
    options = at.options(schema.AddOptionsT)
    at.int8(at.input(0), at.input(1), at.output)
    shapes = {at.tensors[index].shape for index in (at.input(0), at.input(1), at.output)}
    if len(shapes) > 1:
        raise at.refuse("broadcasting: the operands have different shapes")
    return Add(
        at.name,
        at.input(0),
        at.input(1),
        at.output,
        at.activation(options.fusedActivationFunction),
    )


def _pool(kind: type[AveragePool2D] | type[MaxPool2D]) -> Callable[[OperatorReader], Operator]:
    def read(at: OperatorReader) -> Operator:
        options = at.options(schema.Pool2DOptionsT)
        at.int8(at.input(0), at.output)
        at.same_quantization(at.input(0), at.output)
        kernel = (int(options.filterHeight), int(options.filterWidth))
        if min(kernel) < 1:
            raise InputError(f"{at.path}: {at.kind} layer {at.name!r}: a window of {kernel}")
        return kind(
            at.name,
            at.input(0),
            at.output,
            kernel,
            at.window(options),
            at.activation(options.fusedActivationFunction),
        )

    return read


def _mean(at: OperatorReader) -> Operator:
    at.int8(at.input(0), at.output)
    rank = len(at.tensors[at.input(0)].shape)
    axes = tuple(sorted({axis + rank if axis < 0 else axis for axis in at.integers(1)}))
    if axes and axes != tuple(range(axes[0], axes[-1] + 1)):
        raise at.refuse(f"axes {list(axes)} are not neighbours")
    if not axes:
        raise at.refuse("no axis to average over")
    return Mean(at.name, at.input(0), at.output, axes)


def _reshape(at: OperatorReader) -> Operator:
    at.int8(at.input(0), at.output)
    at.same_quantization(at.input(0), at.output)
    return Reshape(at.name, at.input(0), at.output)


def _softmax(at: OperatorReader) -> Operator:
    options = at.options(schema.SoftmaxOptionsT)
    at.int8(at.input(0), at.output)
    quantization = at.tensors[at.output].q
    if (quantization.scale, quantization.zero_point) != (1 / 256, -128):
        raise at.refuse("the output's scale is not 1/256 or its zero point not -128")
    beta = float(np.float32(options.beta))
    if not 0 < beta < float("inf"):
        raise at.refuse(f"beta is {beta}")
    return Softmax(at.name, at.input(0), at.output, beta)


def _pad(at: OperatorReader) -> Operator:
    at.int8(at.input(0), at.output)
    at.same_quantization(at.input(0), at.output)
    flat = at.integers(1)
    return Pad(at.name, at.input(0), at.output, tuple(zip(flat[0::2], flat[1::2], strict=False)))


def _quantize(at: OperatorReader) -> Operator:
    at.computed(at.input(0))
    at.per_tensor(at.output)
    source = at.tensors[at.input(0)]
    allowed = {DType.FLOAT32, DType.INT8, DType.UINT8}
    if source.dtype not in allowed or at.tensors[at.output].dtype not in {DType.INT8, DType.UINT8}:
        raise at.refuse(f"from {source.dtype.value} to {at.tensors[at.output].dtype.value}")
    if source.dtype is not DType.FLOAT32:
        at.per_tensor(at.input(0))
    elif at.input(0) not in indices(at.subgraph.inputs):
        raise at.refuse("float32 inside the model, not at its input")
    return Quantize(at.name, at.input(0), at.output)


def _dequantize(at: OperatorReader) -> Operator:
    at.computed(at.input(0))
    at.per_tensor(at.input(0))
    if at.tensors[at.input(0)].dtype not in {DType.INT8, DType.UINT8}:
        raise at.refuse(f"from {at.tensors[at.input(0)].dtype.value}")
    if at.output not in indices(at.subgraph.outputs):
        raise at.refuse("float32 inside the model, not at its output", QUANTISE_HINT)
    return Dequantize(at.name, at.input(0), at.output)


#: Every operator tinyflow compiles, and the function that reads it.
IMPORTERS: dict[str, Callable[[OperatorReader], Operator]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool(AveragePool2D),
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "DEQUANTIZE": _dequantize,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _pool(MaxPool2D),
    "MEAN": _mean,
    "PAD": _pad,
    "QUANTIZE": _quantize,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
}
