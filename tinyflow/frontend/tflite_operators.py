"""How each operator of a .tflite is read, and what of it is accepted.

One function per operator; `IMPORTERS` is the list of what tinyflow compiles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.errors import InputError
from tinyflow.frontend import (
    read_elementwise,
    read_movement,
    read_state,
    read_tables,
    read_windows,
)
from tinyflow.frontend.operator_reader import QUANTISE_HINT, OperatorReader, Read, indices
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
    Softmax,
)
from tinyflow.ir.types import DType

_WEIGHTS = (DType.INT8, DType.INT4)
#: Elements of a row up to which the reference's sum of exponentials keeps its shifts below 32.
_LONGEST_SOFTMAX = 511


def _conv_2d(at: OperatorReader) -> Operator:
    options = at.options(schema.Conv2DOptionsT)
    at.int8(at.input(0), at.output)
    at.weights(at.input(1), axis=0, types=_WEIGHTS)
    at.rescaled(at.input(0), at.input(1))
    at.image(at.input(0), at.input(1))
    channels, shape = at.tensors[at.input(0)].shape[-1], at.tensors[at.input(1)].shape
    filters, depth = shape[0], shape[-1]
    if channels % depth or filters % (channels // depth):
        raise at.refuse(
            f"grouped convolution ({channels} input channels, filters of {depth}): "
            f"{filters} filters make no whole groups"
        )
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
    at.weights(at.input(1), axis=3, types=_WEIGHTS)
    at.rescaled(at.input(0), at.input(1))
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
    if at.tensors[at.input(1)].is_constant:
        at.weights(at.input(1), axis=0, types=_WEIGHTS)
    else:
        at.int8(at.input(1))
    at.rescaled(at.input(0), at.input(1))
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
    at.rescaled(at.input(0))
    rank = len(at.tensors[at.input(0)].shape)
    axes = tuple(sorted({axis + rank if axis < 0 else axis for axis in at.integers(1)}))
    return Mean(at.name, at.input(0), at.output, axes)


def _softmax(at: OperatorReader) -> Operator:
    options = at.options(schema.SoftmaxOptionsT)
    at.int8(at.input(0), at.output)
    quantization = at.tensors[at.output].q
    if (quantization.scale, quantization.zero_point) != (1 / 256, -128):
        raise at.refuse("the output's scale is not 1/256 or its zero point not -128")
    classes = at.tensors[at.input(0)].shape[-1:]
    if classes > (_LONGEST_SOFTMAX,):
        raise at.refuse(
            f"{classes[0]} elements in a row, at most {_LONGEST_SOFTMAX}: TFLM's reference kernel "
            "ends the program where their exponentials add up to 512 times the largest",
            "End the model before the softmax: its largest output is in the same place.",
        )
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
    if at.tensors[at.output].dtype is DType.UINT8 and source.dtype is not DType.INT8:
        raise at.refuse(f"from {source.dtype.value} to uint8, which TFLM has not")
    if source.dtype is not DType.FLOAT32:
        at.per_tensor(at.input(0))
        at.rescaled(at.input(0))
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
IMPORTERS: dict[str, Read] = {
    "ADD": read_elementwise.arithmetic(Add, schema.AddOptionsT),
    "AVERAGE_POOL_2D": _pool(AveragePool2D),
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "DEQUANTIZE": _dequantize,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _pool(MaxPool2D),
    "MEAN": _mean,
    "PAD": _pad,
    "QUANTIZE": _quantize,
    "SOFTMAX": _softmax,
    **read_elementwise.READERS,
    **read_tables.READERS,
    **read_movement.READERS,
    **read_windows.READERS,
    **read_state.READERS,
}
