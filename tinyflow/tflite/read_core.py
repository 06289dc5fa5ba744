# SPDX-License-Identifier: Apache-2.0
"""Readers of the core operators of a .tflite, and the limits of what is accepted.

One function per operator; `IMPORTERS` is the list of what tinyflow compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.errors import InputError
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
from tinyflow.tflite import (
    read_detection,
    read_elementwise,
    read_logic,
    read_movement,
    read_signal,
    read_state,
    read_windows,
)
from tinyflow.tflite import read_unary as read_tables
from tinyflow.tflite.operator_reader import OperatorReader, Read


def _weight_types(activations: DType) -> tuple[DType, ...]:
    return (DType.INT8, DType.INT4) if activations is DType.INT8 else (DType.INT8,)


def _bias(at: OperatorReader, activations: DType, options: Any) -> tuple[int | None, DType]:
    """The bias, and the type of sums, which int16 activations take from it or from the options."""
    if activations is DType.INT8:
        return at.bias(2), DType.INT32
    bias = at.bias(2, DType.INT32, DType.INT64)
    if bias is not None:
        return bias, at.tensors[bias].dtype
    narrow = options.quantizedBiasType == schema.TensorType.INT32
    return None, DType.INT32 if narrow else DType.INT64


def _conv_2d(at: OperatorReader) -> Operator:
    options = at.options(schema.Conv2DOptionsT)
    activations = at.int8_or_int16(at.input(0), at.output)
    at.weights(at.input(1), axis=0, types=_weight_types(activations), offset_ignored=True)
    at.rescaled(at.input(0), at.input(1))
    at.image(at.input(0), at.input(1))
    channels, shape = at.tensors[at.input(0)].shape[-1], at.tensors[at.input(1)].shape
    filters, depth = shape[0], shape[-1]
    if channels % depth or filters % (channels // depth):
        raise at.refuse(
            f"grouped convolution ({channels} input channels, filters of {depth}): "
            f"channels or the {filters} filters are not divisible into groups"
        )
    bias, accumulator = _bias(at, activations, options)
    return Conv2D(
        at.name,
        at.input(0),
        at.input(1),
        bias,
        at.output,
        at.window(options, dilated=True),
        at.activation(options.fusedActivationFunction),
        accumulator=accumulator,
    )


def _depthwise_conv_2d(at: OperatorReader) -> Operator:
    options = at.options(schema.DepthwiseConv2DOptionsT)
    activations = at.int8_or_int16(at.input(0), at.output)
    at.weights(at.input(1), axis=3, types=_weight_types(activations), offset_ignored=True)
    at.rescaled(at.input(0), at.input(1))
    at.image(at.input(0), at.input(1))
    accumulator = DType.INT32 if activations is DType.INT8 else DType.INT64
    return DepthwiseConv2D(
        at.name,
        at.input(0),
        at.input(1),
        at.bias(2, accumulator),
        at.output,
        at.window(options, dilated=True),
        at.depth_multiplier(options),
        at.activation(options.fusedActivationFunction),
        accumulator=accumulator,
    )


def _fully_connected(at: OperatorReader) -> Operator:
    options = at.options(schema.FullyConnectedOptionsT)
    activations = at.int8_or_int16(at.input(0), at.output)
    weights = at.input(1)
    if at.tensors[weights].is_constant or activations is DType.INT16:
        weights = _centred(at, weights, activations)
        at.weights(weights, axis=0, types=_weight_types(activations), offset_ignored=True)
    else:
        at.int8(weights)
    at.rescaled(at.input(0), weights)
    if options.weightsFormat != 0:
        raise at.refuse("shuffled weights")
    bias, accumulator = _bias(at, activations, options)
    return FullyConnected(
        at.name,
        at.input(0),
        weights,
        bias,
        at.output,
        at.activation(options.fusedActivationFunction),
        accumulator=accumulator,
    )


def _centred(at: OperatorReader, index: int, activations: DType) -> int:
    """The weights with a zero point of 0, as a further tensor where they have another one.

    TFLM subtracts the zero point of weights that are quantised per tensor; of others it reads none.
    """
    tensor = at.tensors[index]
    found, data = tensor.quantization, tensor.data
    if found is None or data is None or len(found.scales) > 1 or not found.zero_point:
        return index
    centred = data.astype(np.int32) - found.zero_point
    if (
        activations is not DType.INT8
        or tensor.dtype is not DType.INT8
        or np.abs(centred).max() > 127
    ):
        raise at.refuse(
            f"the weights {tensor.name!r} have a zero point other than 0, {found.zero_point}, and "
            "their differences to it do not fit int8",
            "Convert the model again: the converter's int8 weights are symmetric.",
        )
    symmetric = replace(
        tensor, data=centred.astype(np.int8), quantization=replace(found, zero_points=(0,))
    )
    at.tensors.append(symmetric)
    return len(at.tensors) - 1


def _pool(kind: type[AveragePool2D] | type[MaxPool2D]) -> Callable[[OperatorReader], Operator]:
    def read(at: OperatorReader) -> Operator:
        options = at.options(schema.Pool2DOptionsT)
        at.int8_or_int16(at.input(0), at.output)
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
    at.int8_or_int16(at.input(0), at.output)
    at.rescaled(at.input(0))
    rank = len(at.tensors[at.input(0)].shape)
    axes = tuple(sorted({axis + rank if axis < 0 else axis for axis in at.integers(1)}))
    return Mean(at.name, at.input(0), at.output, axes)


def _is_near(scale: float, steps: int) -> bool:
    """Whether TFLM takes a scale for 1 / steps: within a thousandth, since it does not use it."""
    return abs(scale * steps - 1) <= 1e-3


def _softmax(at: OperatorReader) -> Operator:
    options = at.options(schema.SoftmaxOptionsT)
    if at.tensors[at.input(0)].dtype is DType.INT16:
        at.int8_or_int16(at.input(0), at.output)
        if not _is_near(at.tensors[at.output].q.scale, 1 << 15):
            raise at.refuse("the output's scale is not 1/32768")
    else:
        at.int8(at.input(0))
        at.computed(at.output)
        at.per_tensor(at.output)
        dtype = at.typed(at.output, DType.INT8, DType.INT16)
        scale, zero_point = at.tensors[at.output].q.scale, at.tensors[at.output].q.zero_point
        steps = 1 << 8 * dtype.itemsize
        fits = scale == 1 / steps if dtype is DType.INT8 else _is_near(scale, steps)
        if not fits or zero_point != -steps // 2:
            raise at.refuse(
                f"the output's scale is not 1/{steps} or its zero point not {-steps // 2}"
            )
    beta = float(np.float32(options.beta))
    if not 0 < beta < float("inf"):
        raise at.refuse(f"beta is {beta}")
    return Softmax(at.name, at.input(0), at.output, beta)


def _pad(at: OperatorReader) -> Operator:
    source = at.input(0)
    read_movement.moved(at, source, DType.INT8, DType.INT16, DType.INT32)
    if len(at.tensors[source].shape) > 5:
        raise at.refuse("more than five dimensions")
    flat = at.integers(1)
    return Pad(at.name, at.input(0), at.output, tuple(zip(flat[0::2], flat[1::2], strict=False)))


_EIGHT_BITS = (DType.INT8, DType.UINT8)
#: Input types of TFLM's QUANTIZE, by output type.
_QUANTIZED = {
    DType.INT8: (DType.FLOAT32, DType.UINT8, DType.INT8, DType.INT16, DType.INT32),
    DType.INT16: (DType.FLOAT32, DType.INT8, DType.INT16, DType.INT32),
    DType.INT32: (DType.INT8, DType.INT16),
    DType.UINT8: (DType.INT8,),
}


def _quantize(at: OperatorReader) -> Operator:
    at.computed(at.input(0))
    source, output = at.tensors[at.input(0)], at.tensors[at.output]
    if source.dtype not in _QUANTIZED.get(output.dtype, ()):
        raise at.refuse(f"from {source.dtype.value} to {output.dtype.value}")
    at.per_tensor(at.output)
    if source.dtype is not DType.FLOAT32:
        at.per_tensor(at.input(0))
        at.rescaled(at.input(0))
    return Quantize(at.name, at.input(0), at.output)


def _dequantize(at: OperatorReader) -> Operator:
    at.computed(at.input(0))
    at.typed(at.input(0), *_EIGHT_BITS, DType.INT16)
    at.per_tensor(at.input(0))
    if at.tensors[at.output].dtype is not DType.FLOAT32:
        raise at.refuse(f"to {at.tensors[at.output].dtype.value}")
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
    **read_logic.READERS,
    **read_tables.READERS,
    **read_movement.READERS,
    **read_windows.READERS,
    **read_state.READERS,
    **read_signal.READERS,
    **read_detection.READERS,
}
