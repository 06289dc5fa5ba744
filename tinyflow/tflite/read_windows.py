# SPDX-License-Identifier: Apache-2.0
"""Readers of further convolutions, products, resizing and reductions of a .tflite."""

from __future__ import annotations

from collections.abc import Callable

from ai_edge_litert import schema_py_generated as schema

from tinyflow.ir.operators import Operator
from tinyflow.ir.types import DType
from tinyflow.ir.windows import (
    ArgExtreme,
    ArgMax,
    ArgMin,
    BatchMatMul,
    CumSum,
    ReduceMax,
    ReduceMin,
    Reduction,
    ResizeBilinear,
    Sum,
    TransposeConv,
)
from tinyflow.tflite.operator_reader import OperatorReader, Read


def _transpose_conv(at: OperatorReader) -> Operator:
    options = at.options(schema.TransposeConvOptionsT)
    activations = at.int8_or_int16(at.input(2), at.output)
    accumulator = DType.INT32 if activations is DType.INT8 else DType.INT64
    at.weights(at.input(1), axis=0)
    at.rescaled(at.input(2), at.input(1))
    at.image(at.input(1), at.input(2), at.output)
    shape = at.tensors[at.input(0)]
    if shape.is_constant and at.integers(0) != list(at.tensors[at.output].shape):
        raise at.refuse(f"the output's shape operand is {at.integers(0)}, which the output has not")
    # One that is computed is not read: the file states the output's shape, and TFLM goes by that.
    return TransposeConv(
        at.name,
        at.input(2),
        at.input(1),
        at.bias(3, accumulator),
        at.output,
        at.window(options),
        at.activation(options.fusedActivationFunction),
        accumulator=accumulator,
    )


def _batch_matmul(at: OperatorReader) -> Operator:
    options = at.options(schema.BatchMatMulOptionsT)
    dtype = at.int8_or_int16(at.output)
    operands = (at.input(0), at.input(1))
    for index in operands:
        tensor = at.tensors[index]
        if not tensor.is_constant:
            at.computed(index)
        at.quantised(index, dtype)
        if not 2 <= len(tensor.shape) <= 5:
            raise at.refuse(f"tensor {tensor.name!r} has rank {len(tensor.shape)}, expected 2 to 5")
    if all(at.tensors[index].is_constant for index in operands):
        raise at.refuse("both operands are constants")
    at.rescaled(*operands)
    return BatchMatMul(at.name, *operands, at.output, bool(options.adjX), bool(options.adjY))


def _axes(at: OperatorReader) -> tuple[int, ...]:
    """The dimensions that operand 1 names: sorted, each once, counted from the front."""
    rank = len(at.tensors[at.input(0)].shape)
    return tuple(sorted({axis + rank if axis < 0 else axis for axis in at.integers(1)}))


def _sum(at: OperatorReader) -> Operator:
    at.int8_or_int16(at.input(0), at.output)
    at.rescaled(at.input(0))
    return Sum(at.name, at.input(0), at.output, _axes(at))


def _reduce_extreme(kind: type[Reduction]) -> Callable[[OperatorReader], Operator]:
    def read(at: OperatorReader) -> Operator:
        at.int8(at.input(0), at.output)
        at.same_quantization(at.input(0), at.output)
        return kind(at.name, at.input(0), at.output, _axes(at))

    return read


def arg_extreme(kind: type[ArgExtreme]) -> Callable[[OperatorReader], Operator]:
    """ARG_MAX or ARG_MIN of int8, to int32 or int64, or of float32, to int32."""

    def read(at: OperatorReader) -> Operator:
        types: tuple[DType, ...] = (DType.INT32,)
        if at.tensors[at.input(0)].dtype is not DType.FLOAT32:
            at.int8(at.input(0))
            types = (DType.INT32, DType.INT64)
        output = at.tensors[at.output]
        if output.dtype not in types:
            due = " or ".join(dtype.value for dtype in types)
            raise at.refuse(f"the output is {output.dtype.value}, expected {due}")
        if len(_axes(at)) != 1:
            raise at.refuse(f"{len(_axes(at))} axes, expected 1")
        return kind(at.name, at.input(0), at.output, _axes(at)[0])

    return read


def cumsum(at: OperatorReader) -> Operator:
    """CUMSUM of int8 or float32; the axis is a constant."""
    options = at.options(schema.CumsumOptionsT)
    if at.tensors[at.input(0)].dtype is not DType.FLOAT32:
        at.int8(at.input(0), at.output)
    if len(_axes(at)) != 1:
        raise at.refuse(f"{len(_axes(at))} axes, expected 1")
    return CumSum(
        at.name,
        at.input(0),
        at.output,
        _axes(at)[0],
        bool(options.exclusive),
        bool(options.reverse),
    )


def resize_bilinear(at: OperatorReader) -> Operator:
    """RESIZE_BILINEAR of int8 or float32."""
    options = at.options(schema.ResizeBilinearOptionsT)
    if at.tensors[at.input(0)].dtype is not DType.FLOAT32:
        at.int8(at.input(0), at.output)
    at.image(at.input(0), at.output)
    at.same_quantization(at.input(0), at.output)
    due = at.integers(1)
    if due != list(at.tensors[at.output].shape[1:3]):
        raise at.refuse(f"the size operand is {due}, which the output has not")
    if options.alignCorners and options.halfPixelCenters:
        raise at.refuse("both align_corners and half_pixel_centers are set")
    return ResizeBilinear(
        at.name,
        at.input(0),
        at.output,
        bool(options.alignCorners),
        bool(options.halfPixelCenters),
    )


READERS: dict[str, Read] = {
    "ARG_MAX": arg_extreme(ArgMax),
    "ARG_MIN": arg_extreme(ArgMin),
    "BATCH_MATMUL": _batch_matmul,
    "CUMSUM": cumsum,
    "REDUCE_MAX": _reduce_extreme(ReduceMax),
    "REDUCE_MIN": _reduce_extreme(ReduceMin),
    "RESIZE_BILINEAR": resize_bilinear,
    "SUM": _sum,
    "TRANSPOSE_CONV": _transpose_conv,
}
