"""Import of an int8 .tflite into the IR.

One function per operator reads its options and states what it accepts; `IMPORTERS` is the
list of what tinyflow compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tinyflow.errors import InputError, UnsupportedError
from tinyflow.frontend.tflite_file import operator_name, parse_tflite, read_tflite, text
from tinyflow.ir.graph import Graph, Tensor
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
from tinyflow.ir.quantization import Quantization
from tinyflow.ir.types import Activation, DType, Padding
from tinyflow.ir.verify import verify

_DTYPES: dict[int, DType] = {
    schema.TensorType.INT8: DType.INT8,
    schema.TensorType.UINT8: DType.UINT8,
    schema.TensorType.INT16: DType.INT16,
    schema.TensorType.INT32: DType.INT32,
    schema.TensorType.FLOAT32: DType.FLOAT32,
}
_DTYPE_NAMES = {
    value: name.lower() for name, value in vars(schema.TensorType).items() if isinstance(value, int)
}
_ACTIVATIONS: dict[int, Activation] = {
    schema.ActivationFunctionType.NONE: Activation.NONE,
    schema.ActivationFunctionType.RELU: Activation.RELU,
    schema.ActivationFunctionType.RELU6: Activation.RELU6,
    schema.ActivationFunctionType.RELU_N1_TO_1: Activation.RELU_N1_TO_1,
}
_PADDINGS = {schema.Padding.SAME: Padding.SAME, schema.Padding.VALID: Padding.VALID}

_QUANTISE_HINT = (
    "Convert it with full int8 post-training quantisation, or give tinyflow the Keras model "
    "and calibration data."
)


def import_tflite(path: Path, *, name: str) -> Graph:
    """Read an int8 .tflite file into a verified graph called `name`.

    Raises:
        InputError: the file is missing, damaged, a float model, or has a dynamic shape.
        UnsupportedError: an operator, type or attribute is not compiled; the message names the
            operator and the layer.
    """
    return import_model(read_tflite(path), path, name=name)


def import_model(content: bytes, path: Path, *, name: str) -> Graph:
    """As `import_tflite`, from the file's bytes; `path` is for messages only."""
    model = parse_tflite(content, path)
    if len(model.subgraphs) > 1:
        raise UnsupportedError(
            f"{path}: {len(model.subgraphs)} subgraphs (control flow), expected 1"
        )
    return _Importer(model, path).graph(name)


class _Importer:
    """Holds the file's object tree while its tensors and operators are read."""

    def __init__(self, model: Any, path: Path) -> None:
        self.model = model
        self.path = path
        self.subgraph = model.subgraphs[0]
        self.tensors: list[Tensor] = []
        self.operator: Any = None
        self.kind = ""

    def graph(self, name: str) -> Graph:
        inputs = _indices(self.subgraph.inputs)
        outputs = _indices(self.subgraph.outputs)
        if not inputs or not outputs or not self.subgraph.tensors:
            raise InputError(f"{self.path}: the model has no input or no output")
        self._check_range(inputs + outputs, "the model's inputs and outputs")
        for raw in self.subgraph.tensors:
            self._check_static(raw)
        self._refuse_unknown_operators()
        self.tensors = [self._tensor(raw) for raw in self.subgraph.tensors]
        self._check_edges(inputs, outputs)
        operators = [self._operator(raw) for raw in self.subgraph.operators or []]
        self._refuse_float(operators)
        graph = Graph(name, tuple(self.tensors), tuple(operators), tuple(inputs), tuple(outputs))
        try:
            verify(graph)
        except InputError as error:
            raise InputError(f"{self.path}: {error.message}", hint=error.hint) from error
        return graph

    # ------------------------------------------------------------------ tensors

    def _check_static(self, raw: Any) -> None:
        shape = _indices(raw.shape)
        signature = _indices(raw.shapeSignature)
        # An open batch that the file resolves to 1 is the batch tinyflow compiles.
        batch_open = signature[:1] == [-1] and shape[:1] == [1]
        fixed = signature[1:] if batch_open else signature
        if any(extent < 1 for extent in shape) or any(extent < 0 for extent in fixed):
            shown = signature or shape
            raise InputError(
                f"{self.path}: tensor {text(raw.name)!r} has the dynamic shape {shown}",
                hint="Convert the model with a static batch of 1 and fixed sizes.",
            )

    def _tensor(self, raw: Any) -> Tensor:
        name = text(raw.name)
        dtype = _DTYPES.get(raw.type)
        if dtype is None:
            raise UnsupportedError(
                f"{self.path}: tensor {name!r} has the type {_DTYPE_NAMES.get(raw.type, raw.type)}",
                hint="tinyflow compiles int8 models with int8, uint8 or float32 at the edges.",
            )
        if raw.isVariable:
            raise UnsupportedError(f"{self.path}: tensor {name!r} is a variable (model state)")
        if raw.sparsity is not None:
            raise UnsupportedError(f"{self.path}: tensor {name!r} is stored sparse")
        shape = tuple(_indices(raw.shape))
        return Tensor(name, shape, dtype, self._quantization(raw), self._data(raw, shape, dtype))

    def _data(self, raw: Any, shape: tuple[int, ...], dtype: DType) -> NDArray[np.generic] | None:
        try:
            buffer = self.model.buffers[raw.buffer]
        except IndexError as error:
            raise InputError(f"{self.path}: tensor {text(raw.name)!r} has no buffer") from error
        if buffer.data is None or len(buffer.data) == 0:
            return None
        content = np.asarray(buffer.data, dtype=np.uint8).tobytes()
        expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if len(content) != expected:
            raise InputError(
                f"{self.path}: tensor {text(raw.name)!r} has {len(content)} bytes of data for "
                f"{expected}; the file is damaged"
            )
        return np.frombuffer(content, dtype=dtype.numpy).reshape(shape)

    def _quantization(self, raw: Any) -> Quantization | None:
        parameters = raw.quantization
        if parameters is None or parameters.scale is None or len(parameters.scale) == 0:
            return None
        scales = tuple(float(np.float32(scale)) for scale in parameters.scale)
        raw_points = parameters.zeroPoint
        points = [0] * len(scales) if raw_points is None else [int(point) for point in raw_points]
        if len(points) == 1 and len(scales) > 1:
            points *= len(scales)
        if len(points) != len(scales):
            raise InputError(
                f"{self.path}: tensor {text(raw.name)!r} has {len(scales)} scales and "
                f"{len(points)} zero points"
            )
        shape = _indices(raw.shape)
        axis = int(parameters.quantizedDimension)
        per_channel = len(scales) > 1 or (0 < axis < len(shape) and shape[axis] == 1)
        return Quantization(scales, tuple(points), axis if per_channel else None)

    def _check_range(self, indices: list[int], what: str) -> None:
        if any(not 0 <= index < len(self.subgraph.tensors) for index in indices):
            raise InputError(f"{self.path}: {what} name a tensor that does not exist")

    def _check_edges(self, inputs: list[int], outputs: list[int]) -> None:
        for what, indices in (("input", inputs), ("output", outputs)):
            if len(set(indices)) < len(indices):
                raise UnsupportedError(f"{self.path}: a tensor is the model's {what} twice")
            for tensor in (self.tensors[index] for index in indices):
                if tensor.is_constant:
                    raise UnsupportedError(
                        f"{self.path}: the model's {what} {tensor.name!r} is a constant"
                    )
                quantization = tensor.quantization
                if quantization is not None and len(quantization.scales) != 1:
                    raise UnsupportedError(
                        f"{self.path}: the model's {what} {tensor.name!r} is quantised per channel"
                    )

    # ---------------------------------------------------------------- operators

    def _refuse_unknown_operators(self) -> None:
        for raw in self.subgraph.operators or []:
            kind = operator_name(self.model, raw, self.path)
            if kind not in IMPORTERS:
                outputs = _indices(raw.outputs)
                self._check_range(outputs, f"{kind} outputs")
                layer = text(self.subgraph.tensors[outputs[0]].name) if outputs else "?"
                raise UnsupportedError(
                    f"{self.path}: the operator {kind} of layer {layer!r} is not supported",
                    hint="Supported: " + ", ".join(sorted(IMPORTERS)) + ".",
                )

    def _refuse_float(self, operators: list[Operator]) -> None:
        """Float may stand at the model's edges only: QUANTIZE's input, DEQUANTIZE's output."""
        for operator in operators:
            touched = [*operator.inputs(), *operator.outputs()]
            allowed = isinstance(operator, Quantize | Dequantize)
            if not allowed and any(self.tensors[i].dtype is DType.FLOAT32 for i in touched):
                raise InputError(
                    f"{self.path}: {operator.kind} layer {operator.name!r} computes in float32: "
                    "the model is not fully quantised",
                    hint=_QUANTISE_HINT,
                )

    def _operator(self, raw: Any) -> Operator:
        self.operator = raw
        self.kind = operator_name(self.model, raw, self.path)
        self._check_range(
            [index for index in _indices(raw.inputs) if index != -1] + _indices(raw.outputs),
            f"{self.kind} operands",
        )
        if len(_indices(raw.outputs)) != 1:
            raise InputError(f"{self.path}: {self.kind} with {len(_indices(raw.outputs))} outputs")
        return IMPORTERS[self.kind](self)

    @property
    def name(self) -> str:
        """The layer's name: that of the tensor it writes."""
        return self.tensors[self.output].name

    @property
    def output(self) -> int:
        return _indices(self.operator.outputs)[0]

    def input(self, position: int) -> int:
        index = self.optional_input(position)
        if index is None:
            raise InputError(f"{self.path}: {self.kind} layer {self.name!r} lacks input {position}")
        return index

    def optional_input(self, position: int) -> int | None:
        inputs = _indices(self.operator.inputs)
        if position >= len(inputs) or inputs[position] == -1:
            return None
        return inputs[position]

    def options(self, kind: type[Any]) -> Any:
        options = self.operator.builtinOptions
        if not isinstance(options, kind):
            raise InputError(f"{self.path}: {self.kind} layer {self.name!r} lacks its options")
        return options

    def refuse(self, problem: str, hint: str | None = None) -> UnsupportedError:
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
                    hint=_QUANTISE_HINT,
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
        index = self.optional_input(position)
        if index is not None:
            tensor = self.tensors[index]
            if tensor.data is None or tensor.dtype is not DType.INT32:
                raise self.refuse(f"the bias {tensor.name!r} is not a constant of int32")
        return index

    def activation(self, code: int) -> Activation:
        if code not in _ACTIVATIONS:
            raise self.refuse(
                f"the fused activation {code} is not supported",
                "Supported: " + ", ".join(activation.value for activation in Activation) + ".",
            )
        return _ACTIVATIONS[code]

    def window(self, options: Any, *, dilated: bool = False) -> Window:
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
        if self.tensors[left].quantization != self.tensors[right].quantization:
            raise self.refuse("input and output differ in scale or zero point")

    def integers(self, position: int) -> list[int]:
        tensor = self.tensors[self.input(position)]
        if tensor.data is None or tensor.dtype is not DType.INT32:
            raise self.refuse(f"{tensor.name!r} is not a constant of int32")
        return [int(value) for value in tensor.data.ravel()]


def _indices(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def _conv_2d(at: _Importer) -> Operator:
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


def _depthwise_conv_2d(at: _Importer) -> Operator:
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


def _fully_connected(at: _Importer) -> Operator:
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


def _add(at: _Importer) -> Operator:
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


def _pool(kind: type[AveragePool2D] | type[MaxPool2D]) -> Callable[[_Importer], Operator]:
    def read(at: _Importer) -> Operator:
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


def _mean(at: _Importer) -> Operator:
    at.int8(at.input(0), at.output)
    rank = len(at.tensors[at.input(0)].shape)
    axes = tuple(sorted({axis + rank if axis < 0 else axis for axis in at.integers(1)}))
    if axes and axes != tuple(range(axes[0], axes[-1] + 1)):
        raise at.refuse(f"axes {list(axes)} are not neighbours")
    if not axes:
        raise at.refuse("no axis to average over")
    return Mean(at.name, at.input(0), at.output, axes)


def _reshape(at: _Importer) -> Operator:
    at.int8(at.input(0), at.output)
    at.same_quantization(at.input(0), at.output)
    return Reshape(at.name, at.input(0), at.output)


def _softmax(at: _Importer) -> Operator:
    options = at.options(schema.SoftmaxOptionsT)
    at.int8(at.input(0), at.output)
    quantization = at.tensors[at.output].q
    if (quantization.scale, quantization.zero_point) != (1 / 256, -128):
        raise at.refuse("the output's scale is not 1/256 or its zero point not -128")
    beta = float(np.float32(options.beta))
    if not 0 < beta < float("inf"):
        raise at.refuse(f"beta is {beta}")
    return Softmax(at.name, at.input(0), at.output, beta)


def _pad(at: _Importer) -> Operator:
    at.int8(at.input(0), at.output)
    at.same_quantization(at.input(0), at.output)
    flat = at.integers(1)
    return Pad(at.name, at.input(0), at.output, tuple(zip(flat[0::2], flat[1::2], strict=False)))


def _quantize(at: _Importer) -> Operator:
    at.computed(at.input(0))
    at.per_tensor(at.output)
    source = at.tensors[at.input(0)]
    allowed = {DType.FLOAT32, DType.INT8, DType.UINT8}
    if source.dtype not in allowed or at.tensors[at.output].dtype not in {DType.INT8, DType.UINT8}:
        raise at.refuse(f"from {source.dtype.value} to {at.tensors[at.output].dtype.value}")
    if source.dtype is not DType.FLOAT32:
        at.per_tensor(at.input(0))
    elif at.input(0) not in _indices(at.subgraph.inputs):
        raise at.refuse("float32 inside the model, not at its input")
    return Quantize(at.name, at.input(0), at.output)


def _dequantize(at: _Importer) -> Operator:
    at.computed(at.input(0))
    at.per_tensor(at.input(0))
    if at.tensors[at.input(0)].dtype not in {DType.INT8, DType.UINT8}:
        raise at.refuse(f"from {at.tensors[at.input(0)].dtype.value}")
    if at.output not in _indices(at.subgraph.outputs):
        raise at.refuse("float32 inside the model, not at its output", _QUANTISE_HINT)
    return Dequantize(at.name, at.input(0), at.output)


#: Every operator tinyflow compiles, and the function that reads it.
IMPORTERS: dict[str, Callable[[_Importer], Operator]] = {
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
