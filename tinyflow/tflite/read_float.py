# SPDX-License-Identifier: Apache-2.0
"""Operators on float32 and int32: how a .tflite has them, and what is accepted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.errors import InputError
from tinyflow.ir.elementwise import (
    AddN,
    Binary,
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Maximum,
    Minimum,
    Mul,
    NotEqual,
    Prelu,
    Select,
    SelectV1,
    SquaredDifference,
    Sub,
)
from tinyflow.ir.operators import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mean,
    Operator,
    Pool2D,
    Softmax,
)
from tinyflow.ir.tables import (
    Abs,
    ElementFunction,
    Elu,
    HardSwish,
    L2Normalization,
    LeakyRelu,
    Logistic,
    LogSoftmax,
    Relu,
    Relu6,
    Rsqrt,
    Tanh,
)
from tinyflow.ir.types import Activation, DType
from tinyflow.ir.unquantised import (
    Cast,
    Ceil,
    Cos,
    Div,
    Embedding,
    Exp,
    Floor,
    FloorDiv,
    FloorMod,
    L2Pool2D,
    Log,
    Neg,
    Round,
    Sin,
    Sqrt,
    Square,
)
from tinyflow.ir.windows import (
    ArgExtreme,
    ArgMax,
    ArgMin,
    BatchMatMul,
    ReduceMax,
    ReduceMin,
    Reduction,
    Sum,
)
from tinyflow.tflite.operator_reader import QUANTISE_HINT, OperatorReader, Read, indices
from tinyflow.tflite.read_windows import arg_extreme, cumsum, resize_bilinear

#: Input and output types of TFLM's CAST.
_CASTS = (DType.BOOL, DType.INT8, DType.INT16, DType.INT32, DType.UINT32, DType.FLOAT32)


def unquantised_reader(at: OperatorReader) -> Read | None:
    """The function that reads an operator on unquantised numbers.

    None if it is on quantised ones.
    """
    types = {at.tensors[index].dtype for index in _touched(at)}
    if at.kind in _OF_FLOAT and DType.FLOAT32 in types:
        return _OF_FLOAT[at.kind]
    of_integers = _OF_INTEGERS.get(_first_value(at), {})
    if at.kind in of_integers:
        return of_integers[at.kind]
    return _ALWAYS.get(at.kind)


def _touched(at: OperatorReader) -> Iterable[int]:
    return (
        index
        for index in (*indices(at.operator.inputs), *indices(at.operator.outputs))
        if index != -1
    )


def _first_value(at: OperatorReader) -> DType | None:
    """The type of the first operand that is not a condition."""
    index = at.optional_input(1 if at.kind in ("SELECT", "SELECT_V2") else 0)
    return None if index is None else at.tensors[index].dtype


# ------------------------------------------------------------------------------- checks


def _values(at: OperatorReader, dtype: DType, *found: int) -> None:
    """Check operands and results of that type, not all of them constant."""
    for index in found:
        tensor = at.tensors[index]
        if tensor.dtype is not dtype:
            raise at.refuse(
                f"tensor {tensor.name!r} is {tensor.dtype.value}, expected {dtype.value}",
                "Weights in int8 with activations in float32 (dynamic-range quantisation) are "
                f"not compiled. {QUANTISE_HINT}",
            )
    if all(at.tensors[index].is_constant for index in _touched(at) if index != at.output):
        raise at.refuse("every operand is a constant")
    at.computed(at.output)


def _float(at: OperatorReader, *found: int) -> None:
    _values(at, DType.FLOAT32, *found)


def _boolean(at: OperatorReader, index: int) -> None:
    tensor = at.tensors[index]
    if tensor.dtype is not DType.BOOL:
        raise at.refuse(f"tensor {tensor.name!r} is {tensor.dtype.value}, expected bool")


def _constant(at: OperatorReader, index: int) -> int:
    if not at.tensors[index].is_constant:
        raise at.refuse(f"the weights {at.tensors[index].name!r} are computed")
    return index


def _bias(at: OperatorReader) -> int | None:
    index = at.optional_input(2)
    if index is not None:
        _float(at, _constant(at, index))
    return index


def _axes(at: OperatorReader) -> tuple[int, ...]:
    rank = len(at.tensors[at.input(0)].shape)
    return tuple(sorted({axis + rank if axis < 0 else axis for axis in at.integers(1)}))


# -------------------------------------------------------------------------- elementwise


def _function(kind: type[ElementFunction]) -> Read:
    def read(at: OperatorReader) -> Operator:
        at.computed(at.input(0))
        _float(at, at.input(0), at.output)
        return kind(at.name, at.input(0), at.output)

    return read


def _leaky_relu(at: OperatorReader) -> Operator:
    alpha = float(np.float32(at.options(schema.LeakyReluOptionsT).alpha))
    at.computed(at.input(0))
    _float(at, at.input(0), at.output)
    if not math.isfinite(alpha):
        raise at.refuse(f"alpha is {alpha}")
    return LeakyRelu(at.name, at.input(0), at.output, alpha)


def _arithmetic(
    kind: type[Add] | type[Mul] | type[Sub] | type[Div], options: type[Any], dtype: DType
) -> Read:
    def read(at: OperatorReader) -> Operator:
        activation = at.activation(at.options(options).fusedActivationFunction)
        _values(at, dtype, at.input(0), at.input(1), at.output)
        if dtype is DType.INT32 and activation is not Activation.NONE:
            raise at.refuse("a fused activation on int32")
        return kind(at.name, at.input(0), at.input(1), at.output, activation)

    return read


def _div_int32(at: OperatorReader) -> Operator:
    divisor = at.tensors[at.input(1)]
    if divisor.data is None or not divisor.data.all():
        raise at.refuse(
            f"the divisor {divisor.name!r} of int32 may be 0, where the reference ends the process",
            "Divide by a constant without zeros.",
        )
    return _arithmetic(Div, schema.DivOptionsT, DType.INT32)(at)


def _binary(kind: Callable[[str, int, int, int], Operator], dtype: DType) -> Read:
    def read(at: OperatorReader) -> Operator:
        _values(at, dtype, at.input(0), at.input(1), at.output)
        return kind(at.name, at.input(0), at.input(1), at.output)

    return read


def _floor(kind: type[FloorDiv] | type[FloorMod]) -> Read:
    def read(at: OperatorReader) -> Operator:
        at.broadcast_rank(4)
        return _binary(kind, DType.FLOAT32)(at)

    return read


def _comparison(kind: type[Binary], dtype: DType) -> Read:
    def read(at: OperatorReader) -> Operator:
        _values(at, dtype, at.input(0), at.input(1))
        _boolean(at, at.output)
        return kind(at.name, at.input(0), at.input(1), at.output)

    return read


def _select(kind: type[Select], dtype: DType) -> Read:
    def read(at: OperatorReader) -> Operator:
        _boolean(at, at.input(0))
        _values(at, dtype, at.input(1), at.input(2), at.output)
        return kind(at.name, at.input(0), at.input(1), at.input(2), at.output)

    return read


def _cast(at: OperatorReader) -> Operator:
    at.computed(at.input(0))
    at.computed(at.output)
    for index in (at.input(0), at.output):
        tensor = at.tensors[index]
        if tensor.dtype not in _CASTS:
            allowed = ", ".join(dtype.value for dtype in _CASTS)
            raise at.refuse(f"tensor {tensor.name!r} is {tensor.dtype.value}, not of {allowed}")
    return Cast(at.name, at.input(0), at.output)


# ------------------------------------------------------------------------------- others


def _softmax(at: OperatorReader) -> Operator:
    beta = float(np.float32(at.options(schema.SoftmaxOptionsT).beta))
    at.computed(at.input(0))
    _float(at, at.input(0), at.output)
    if not 0 < beta < float("inf"):
        raise at.refuse(f"beta is {beta}")
    if not at.tensors[at.input(0)].shape:
        raise at.refuse("a scalar has no last dimension")
    return Softmax(at.name, at.input(0), at.output, beta)


def _l2_normalization(at: OperatorReader) -> Operator:
    options = at.options(schema.L2NormOptionsT)
    at.computed(at.input(0))
    _float(at, at.input(0), at.output)
    if at.activation(options.fusedActivationFunction) is not Activation.NONE:
        raise at.refuse("a fused activation")
    if not 1 <= len(at.tensors[at.input(0)].shape) <= 4:
        raise at.refuse("not one to four dimensions")
    return L2Normalization(at.name, at.input(0), at.output)


def _mean(at: OperatorReader) -> Operator:
    at.computed(at.input(0))
    _float(at, at.input(0), at.output)
    return Mean(at.name, at.input(0), at.output, _axes(at))


def _reduction(kind: type[Reduction]) -> Read:
    def read(at: OperatorReader) -> Operator:
        at.computed(at.input(0))
        _float(at, at.input(0), at.output)
        return kind(at.name, at.input(0), at.output, _axes(at))

    return read


def _pool(kind: type[Pool2D]) -> Read:
    def read(at: OperatorReader) -> Operator:
        options = at.options(schema.Pool2DOptionsT)
        at.computed(at.input(0))
        _float(at, at.input(0), at.output)
        kernel = (int(options.filterHeight), int(options.filterWidth))
        if min(kernel) < 1:
            raise InputError(f"{at.path}: {at.kind} layer {at.name!r}: a window of {kernel}")
        activation = at.activation(options.fusedActivationFunction)
        return kind(at.name, at.input(0), at.output, kernel, at.window(options), activation)

    return read


def _conv_2d(at: OperatorReader) -> Operator:
    options = at.options(schema.Conv2DOptionsT)
    at.computed(at.input(0))
    _float(at, at.input(0), _constant(at, at.input(1)), at.output)
    at.image(at.input(0), at.input(1))
    channels, weights = at.tensors[at.input(0)].shape[-1], at.tensors[at.input(1)].shape
    if channels % weights[-1] or weights[0] % (channels // weights[-1]):
        raise at.refuse(f"{weights[0]} filters of {weights[-1]} for {channels} input channels")
    return Conv2D(
        at.name,
        at.input(0),
        at.input(1),
        _bias(at),
        at.output,
        at.window(options, dilated=True),
        at.activation(options.fusedActivationFunction),
    )


def _depthwise_conv_2d(at: OperatorReader) -> Operator:
    options = at.options(schema.DepthwiseConv2DOptionsT)
    at.computed(at.input(0))
    _float(at, at.input(0), _constant(at, at.input(1)), at.output)
    at.image(at.input(0), at.input(1))
    return DepthwiseConv2D(
        at.name,
        at.input(0),
        at.input(1),
        _bias(at),
        at.output,
        at.window(options, dilated=True),
        at.depth_multiplier(options),
        at.activation(options.fusedActivationFunction),
    )


def _fully_connected(at: OperatorReader) -> Operator:
    options = at.options(schema.FullyConnectedOptionsT)
    at.computed(at.input(0))
    _float(at, at.input(0), at.input(1), at.output)
    if options.weightsFormat:
        raise at.refuse("shuffled weights")
    return FullyConnected(
        at.name,
        at.input(0),
        at.input(1),
        _bias(at),
        at.output,
        at.activation(options.fusedActivationFunction),
    )


def _batch_matmul(at: OperatorReader) -> Operator:
    options = at.options(schema.BatchMatMulOptionsT)
    _float(at, at.input(0), at.input(1), at.output)
    for index in (at.input(0), at.input(1)):
        if not 2 <= len(at.tensors[index].shape) <= 5:
            raise at.refuse(f"rank {len(at.tensors[index].shape)}, expected 2 to 5")
    return BatchMatMul(
        at.name, at.input(0), at.input(1), at.output, bool(options.adjX), bool(options.adjY)
    )


def _indices(at: OperatorReader, index: int) -> int:
    tensor = at.tensors[index]
    at.computed(index)
    if tensor.dtype is not DType.INT32:
        raise at.refuse(f"the indices {tensor.name!r} are {tensor.dtype.value}, expected int32")
    return index


def _embedding(at: OperatorReader) -> Operator:
    chosen, table = _indices(at, at.input(0)), at.input(1)
    values, output = at.tensors[table], at.tensors[at.output]
    if not values.is_constant or len(values.shape) < 2 or len(at.tensors[chosen].shape) != 1:
        raise at.refuse("the table is not a constant of rows, or the indices are not a vector")
    if values.dtype is DType.FLOAT32:
        _float(at, table, at.output)
    elif values.dtype is DType.INT8 and output.dtype in (DType.FLOAT32, DType.INT8):
        at.per_tensor(table)
        if values.q.zero_point:
            raise at.refuse(f"the table {values.name!r} has a zero point other than 0")
        if output.dtype is DType.INT8:
            at.same_quantization(table, at.output)
    else:
        raise at.refuse(f"from {values.dtype.value} to {output.dtype.value}")
    return Embedding(at.name, chosen, table, at.output)


def _log_softmax(at: OperatorReader) -> Operator:
    at.computed(at.input(0))
    _float(at, at.input(0), at.output)
    if not at.tensors[at.input(0)].shape:
        raise at.refuse("a scalar has no last dimension")
    return LogSoftmax(at.name, at.input(0), at.output)


def _add_n(at: OperatorReader) -> Operator:
    sources = [at.input(position) for position in range(len(indices(at.operator.inputs)))]
    if len(sources) < 2:
        raise at.refuse(f"{len(sources)} inputs, at least 2")
    _float(at, *sources, at.output)
    return AddN(at.name, tuple(sources), at.output)


def _cumsum(at: OperatorReader) -> Operator:
    at.computed(at.input(0))
    _float(at, at.input(0), at.output)
    return cumsum(at)


def _equality(dtype: DType) -> dict[str, Read]:
    return {"EQUAL": _comparison(Equal, dtype), "NOT_EQUAL": _comparison(NotEqual, dtype)}


def _order(dtype: DType) -> dict[str, Read]:
    return {
        **_equality(dtype),
        "GREATER": _comparison(Greater, dtype),
        "GREATER_EQUAL": _comparison(GreaterEqual, dtype),
        "LESS": _comparison(Less, dtype),
        "LESS_EQUAL": _comparison(LessEqual, dtype),
        "MAXIMUM": _binary(Maximum, dtype),
        "MINIMUM": _binary(Minimum, dtype),
    }


def _arg_extreme(kind: type[ArgExtreme]) -> Read:
    def read(at: OperatorReader) -> Operator:
        at.computed(at.input(0))
        _float(at, at.input(0))
        return arg_extreme(kind)(at)

    return read


def _resize_bilinear(at: OperatorReader) -> Operator:
    at.computed(at.input(0))
    _float(at, at.input(0), at.output)
    return resize_bilinear(at)


def _of_both(dtype: DType) -> dict[str, Read]:
    return {
        **_order(dtype),
        "ADD": _arithmetic(Add, schema.AddOptionsT, dtype),
        "DIV": _arithmetic(Div, schema.DivOptionsT, dtype),
        "MUL": _arithmetic(Mul, schema.MulOptionsT, dtype),
        "SELECT": _select(SelectV1, dtype),
        "SELECT_V2": _select(Select, dtype),
        "SQUARED_DIFFERENCE": _binary(SquaredDifference, dtype),
        "SUB": _arithmetic(Sub, schema.SubOptionsT, dtype),
    }


#: Supported operators on integers without a scale and on booleans.
_OF_INTEGERS: dict[DType | None, dict[str, Read]] = {
    DType.INT32: {**_of_both(DType.INT32), "DIV": _div_int32},
    DType.INT64: _order(DType.INT64),
    DType.BOOL: _equality(DType.BOOL),
}
_OF_FLOAT: dict[str, Read] = {
    **_of_both(DType.FLOAT32),
    "ABS": _function(Abs),
    "ADD_N": _add_n,
    "ARG_MAX": _arg_extreme(ArgMax),
    "ARG_MIN": _arg_extreme(ArgMin),
    "AVERAGE_POOL_2D": _pool(AveragePool2D),
    "BATCH_MATMUL": _batch_matmul,
    "CEIL": _function(Ceil),
    "CONV_2D": _conv_2d,
    "COS": _function(Cos),
    "CUMSUM": _cumsum,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "ELU": _function(Elu),
    "EXP": _function(Exp),
    "FLOOR": _function(Floor),
    "FLOOR_DIV": _floor(FloorDiv),
    "FLOOR_MOD": _floor(FloorMod),
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": _function(HardSwish),
    "L2_NORMALIZATION": _l2_normalization,
    "L2_POOL_2D": _pool(L2Pool2D),
    "LEAKY_RELU": _leaky_relu,
    "LOG": _function(Log),
    "LOGISTIC": _function(Logistic),
    "LOG_SOFTMAX": _log_softmax,
    "MAX_POOL_2D": _pool(MaxPool2D),
    "MEAN": _mean,
    "NEG": _function(Neg),
    "PRELU": _binary(Prelu, DType.FLOAT32),
    "REDUCE_MAX": _reduction(ReduceMax),
    "REDUCE_MIN": _reduction(ReduceMin),
    "RELU": _function(Relu),
    "RELU6": _function(Relu6),
    "RESIZE_BILINEAR": _resize_bilinear,
    "ROUND": _function(Round),
    "RSQRT": _function(Rsqrt),
    "SIN": _function(Sin),
    "SOFTMAX": _softmax,
    "SQRT": _function(Sqrt),
    "SQUARE": _function(Square),
    "SUM": _reduction(Sum),
    "TANH": _function(Tanh),
}
_ALWAYS: dict[str, Read] = {"CAST": _cast, "EMBEDDING_LOOKUP": _embedding}

#: The operators that are read here, on unquantised numbers.
UNQUANTISED_KINDS = frozenset({*_OF_FLOAT, *_OF_INTEGERS[DType.INT32], *_ALWAYS})
