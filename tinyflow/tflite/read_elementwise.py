# SPDX-License-Identifier: Apache-2.0
"""Element-wise operators of two operands: how a .tflite has them, and what of them is accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from tinyflow.ir.elementwise import (
    AddN,
    Comparison,
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
from tinyflow.ir.operators import Add, Operator
from tinyflow.ir.types import DType
from tinyflow.ir.unquantised import Div
from tinyflow.tflite.operator_reader import OperatorReader, Read, indices


def operands(at: OperatorReader, *positions: int) -> None:
    """Check int8 operands quantised per tensor, of which one at least is computed."""
    _operands(at, DType.INT8, *positions)


def _operands(at: OperatorReader, dtype: DType, *positions: int) -> None:
    for index in (at.input(position) for position in positions):
        at.quantised(index, dtype)
        if not at.tensors[index].is_constant:
            at.computed(index)
    if all(at.tensors[index].is_constant for index in indices(at.operator.inputs)):
        raise at.refuse("every operand is a constant")


def arithmetic(kind: type[Add] | type[Mul] | type[Sub], options: type[Any]) -> Read:
    """Reads an operator with a fused activation."""

    def read(at: OperatorReader) -> Operator:
        activation = at.options(options).fusedActivationFunction
        _operands(at, at.int8_or_int16(at.output), 0, 1)
        return kind(at.name, at.input(0), at.input(1), at.output, at.activation(activation))

    return read


def _extremum(kind: type[Maximum] | type[Minimum]) -> Read:
    def read(at: OperatorReader) -> Operator:
        _operands(at, at.int8_or_int16(at.output), 0, 1)
        _one_quantization(at, at.input(0), at.input(1))
        return kind(at.name, at.input(0), at.input(1), at.output)

    return read


def _one_quantization(at: OperatorReader, *values: int) -> None:
    """Check that values have the output's scale and zero point: they are not rescaled."""
    due = at.tensors[at.output].q
    for quantization in (at.tensors[index].q for index in values):
        if (quantization.scale, quantization.zero_point) != (due.scale, due.zero_point):
            raise at.refuse("operands and output differ in scale or zero point")


def _plain(kind: Callable[[str, int, int, int], Operator]) -> Read:
    def read(at: OperatorReader) -> Operator:
        operands(at, 0, 1)
        at.int8(at.output)
        return kind(at.name, at.input(0), at.input(1), at.output)

    return read


def _squared_difference(at: OperatorReader) -> Operator:
    _operands(at, at.int8_or_int16(at.output), 0, 1)
    return SquaredDifference(at.name, at.input(0), at.input(1), at.output)


def _comparison(kind: type[Comparison]) -> Read:
    def read(at: OperatorReader) -> Operator:
        operands(at, 0, 1)
        _boolean(at, at.output)
        return kind(at.name, at.input(0), at.input(1), at.output)

    return read


def _select(kind: type[Select]) -> Read:
    def read(at: OperatorReader) -> Operator:
        _boolean(at, at.input(0))
        if kind is Select:
            _operands(at, at.int8_or_int16(at.output), 1, 2)
        else:
            operands(at, 1, 2)
            at.int8(at.output)
        _one_quantization(at, at.input(1), at.input(2))
        return kind(at.name, at.input(0), at.input(1), at.input(2), at.output)

    return read


def _boolean(at: OperatorReader, index: int) -> None:
    tensor = at.tensors[index]
    if tensor.dtype is not DType.BOOL:
        raise at.refuse(f"tensor {tensor.name!r} is {tensor.dtype.value}, expected bool")


def _div(at: OperatorReader) -> Operator:
    activation = at.options(schema.DivOptionsT).fusedActivationFunction
    operands(at, 0, 1)
    at.int8(at.output)
    return Div(at.name, at.input(0), at.input(1), at.output, at.activation(activation))


def _add_n(at: OperatorReader) -> Operator:
    sources = [at.input(position) for position in range(len(indices(at.operator.inputs)))]
    if len(sources) < 2:
        raise at.refuse(f"{len(sources)} inputs, at least 2")
    at.int8(at.output)
    for index in sources:
        at.quantised(index, DType.INT8)
        at.same_quantization(sources[0], index)
    at.some_computed(*sources)
    return AddN(at.name, tuple(sources), at.output)


READERS: dict[str, Read] = {
    "ADD_N": _add_n,
    "DIV": _div,
    "EQUAL": _comparison(Equal),
    "GREATER": _comparison(Greater),
    "GREATER_EQUAL": _comparison(GreaterEqual),
    "LESS": _comparison(Less),
    "LESS_EQUAL": _comparison(LessEqual),
    "MAXIMUM": _extremum(Maximum),
    "MINIMUM": _extremum(Minimum),
    "MUL": arithmetic(Mul, schema.MulOptionsT),
    "NOT_EQUAL": _comparison(NotEqual),
    "PRELU": _plain(Prelu),
    "SELECT": _select(SelectV1),
    "SELECT_V2": _select(Select),
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUB": arithmetic(Sub, schema.SubOptionsT),
}
