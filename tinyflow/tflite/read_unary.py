# SPDX-License-Identifier: Apache-2.0
"""Functions of one int8 tensor, as tables: how a .tflite has them, and what of them is accepted."""

from __future__ import annotations

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.ir.operators import Operator
from tinyflow.ir.quantization import Quantization
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
    ReluN1To1,
    Rsqrt,
    Tanh,
)
from tinyflow.ir.types import Activation, DType
from tinyflow.ir.unquantised import Exp, Gelu, Log, Neg
from tinyflow.tflite.operator_reader import OperatorReader, Read

#: Beyond this the reference's shifts and casts are not defined.
_LARGEST_RATIO = 2.0**30
#: Input scales of int16 LOGISTIC and TANH whose multiplier to 1 / (3 * 4096) fits the reference's
#: 15 bits: below the least it is 0.
_SIGMOID_SCALES = (2.0**-31 / (3 * 4096), 2.0**15 / (3 * 4096))
#: Elements of a row up to which the reference's sum of exponentials cannot overflow.
_LONGEST_LOG_SOFTMAX = 4095


def _quantizations(at: OperatorReader, *more: DType) -> tuple[Quantization, Quantization]:
    """Check that input and output are both int8, or of one further type."""
    if at.tensors[at.input(0)].dtype in more:
        at.int8_or_int16(at.input(0), at.output)
    else:
        at.int8(at.input(0), at.output)
    source, output = at.tensors[at.input(0)], at.tensors[at.output]
    limits = np.iinfo(source.dtype.value)
    for quantization in (source.q, output.q):
        if not limits.min <= quantization.zero_point <= limits.max:
            raise at.refuse(
                f"the zero point {quantization.zero_point} is not of {source.dtype.value}"
            )
    return source.q, output.q


def _fixed_output(at: OperatorReader, scale: float, zero_point: int, name: str) -> None:
    """Check that the output has the one quantisation that the reference computes for."""
    _, output = _quantizations(at)
    if (output.scale, output.zero_point) != (scale, zero_point):
        raise at.refuse(f"the output's scale is not {name} or its zero point not {zero_point}")


def _near_scales(at: OperatorReader, *more: DType) -> None:
    """Check that the input's scale is not absurdly greater than the output's."""
    source, output = _quantizations(at, *more)
    if source.scale / output.scale > _LARGEST_RATIO:
        raise at.refuse("the input's scale is more than 2^30 times the output's")


def _sigmoid(at: OperatorReader, scale: float, zero_point: int, name: str) -> None:
    """Check what both sigmoid functions have for int8, `name` being the scale's, or for int16."""
    if at.tensors[at.output].dtype is not DType.INT16:
        return _fixed_output(at, scale, zero_point, name)
    at.int8_or_int16(at.input(0), at.output)
    at.unit_range(at.output)
    least, limit = _SIGMOID_SCALES
    if not least <= at.tensors[at.input(0)].q.scale < limit:
        raise at.refuse("the input's scale is 8/3 or more, or below 4e-14")


def _logistic(at: OperatorReader) -> Operator:
    _sigmoid(at, 1 / 256, -128, "1/256")
    return Logistic(at.name, at.input(0), at.output)


def _tanh(at: OperatorReader) -> Operator:
    _sigmoid(at, 1 / 128, 0, "1/128")
    return Tanh(at.name, at.input(0), at.output)


def _hard_swish(at: OperatorReader) -> Operator:
    source, output = _quantizations(at)
    if source.scale >= 128 * output.scale:
        raise at.refuse("the input's scale is 128 times the output's, or more")
    if source.scale > 2.0**24:
        raise at.refuse("the input's scale is above 2^24")
    return HardSwish(at.name, at.input(0), at.output)


def _scaled(kind: type[ElementFunction], *more: DType) -> Read:
    def read(at: OperatorReader) -> Operator:
        _near_scales(at, *more)
        return kind(at.name, at.input(0), at.output)

    return read


def _relu6(at: OperatorReader) -> Operator:
    source, _ = _quantizations(at, DType.INT16)
    # The reference casts this to int32, and what the cast gives beyond it is no clamp.
    with np.errstate(over="ignore"):
        six = np.float32(6.0) / np.float32(source.scale)
    if at.tensors[at.output].dtype is DType.INT16 and six >= 2.0**31:
        raise at.refuse(f"the input's scale is {source.scale:.3g}: 6 is 2^31 steps of it, or more")
    return Relu6(at.name, at.input(0), at.output)


def _relu_n1_to_1(at: OperatorReader) -> Operator:
    _near_scales(at)
    if at.tensors[at.output].q.scale < 1 / _LARGEST_RATIO:
        raise at.refuse("the output's scale is below 2^-30")
    return ReluN1To1(at.name, at.input(0), at.output)


def _leaky_relu(at: OperatorReader) -> Operator:
    options = at.options(schema.LeakyReluOptionsT)
    source, output = _quantizations(at, DType.INT16)
    _near_scales(at, DType.INT16)
    alpha = float(np.float32(options.alpha))
    if not math.isfinite(alpha) or abs(alpha) * source.scale / output.scale > _LARGEST_RATIO:
        raise at.refuse(f"alpha is {alpha}")
    return LeakyRelu(at.name, at.input(0), at.output, alpha)


def _gelu(at: OperatorReader) -> Operator:
    options = at.options(schema.GeluOptionsT)
    _near_scales(at)
    return Gelu(at.name, at.input(0), at.output, bool(options.approximate))


def _rsqrt(at: OperatorReader) -> Operator:
    source, output = _quantizations(at)
    if source.zero_point != -128:
        raise at.refuse("the input's zero point is not -128: it can be negative")
    if math.sqrt(source.scale) * output.scale < 1 / _LARGEST_RATIO:
        raise at.refuse("the scales are too small")
    return Rsqrt(at.name, at.input(0), at.output)


def _row(at: OperatorReader) -> int:
    shape = at.tensors[at.input(0)].shape
    if not shape:
        raise at.refuse("a scalar has no last dimension")
    return shape[-1]


def _log_softmax(at: OperatorReader) -> Operator:
    _fixed_output(at, 16 / 256, 127, "1/16")
    if _row(at) > _LONGEST_LOG_SOFTMAX:
        raise at.refuse(f"{_row(at)} elements in a row, at most {_LONGEST_LOG_SOFTMAX}")
    return LogSoftmax(at.name, at.input(0), at.output)


def _l2_normalization(at: OperatorReader) -> Operator:
    options = at.options(schema.L2NormOptionsT)
    _fixed_output(at, 1 / 128, 0, "1/128")
    if at.activation(options.fusedActivationFunction) is not Activation.NONE:
        raise at.refuse("a fused activation")
    if len(at.tensors[at.input(0)].shape) > 4:
        raise at.refuse("more than four dimensions")
    zero_point = at.tensors[at.input(0)].q.zero_point
    greatest = max(127 - zero_point, zero_point + 128)
    if _row(at) * greatest**2 > (1 << 31) - 1:
        raise at.refuse(f"{_row(at)} elements in a row: the sum of squares can overflow")
    return L2Normalization(at.name, at.input(0), at.output)


def _neg(at: OperatorReader) -> Operator:
    source, output = _quantizations(at)
    if source.zero_point or output.zero_point or source.scale != output.scale:
        raise at.refuse(
            "of int8 with unlike scales or a zero point other than 0, which LiteRT's kernel ignores"
        )
    return Neg(at.name, at.input(0), at.output)


READERS: dict[str, Read] = {
    "ABS": _scaled(Abs, DType.INT16),
    "ELU": _scaled(Elu),
    "EXP": _scaled(Exp),
    "GELU": _gelu,
    "HARD_SWISH": _hard_swish,
    "L2_NORMALIZATION": _l2_normalization,
    "LEAKY_RELU": _leaky_relu,
    "LOG": _scaled(Log),
    "LOGISTIC": _logistic,
    "LOG_SOFTMAX": _log_softmax,
    "NEG": _neg,
    "RELU": _scaled(Relu, DType.INT16),
    "RELU6": _relu6,
    "RELU_N1_TO_1": _relu_n1_to_1,
    "RSQRT": _rsqrt,
    "TANH": _tanh,
}
