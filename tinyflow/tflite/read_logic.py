# SPDX-License-Identifier: Apache-2.0
"""Operators on truth values: how a .tflite has them, and what of them is accepted."""

from __future__ import annotations

from tinyflow.ir.logic import LogicalAnd, LogicalNot, LogicalOr, ReduceAll
from tinyflow.ir.operators import Operator
from tinyflow.ir.types import DType
from tinyflow.tflite.operator_reader import OperatorReader, Read


def _booleans(at: OperatorReader, *found: int) -> None:
    """Check operands and results, not all of the operands constant."""
    for index in found:
        at.typed(index, DType.BOOL)
    at.computed(found[-1])
    at.some_computed(*found[:-1])


def _binary(kind: type[LogicalAnd] | type[LogicalOr]) -> Read:
    def read(at: OperatorReader) -> Operator:
        _booleans(at, at.input(0), at.input(1), at.output)
        at.broadcast_rank(4)
        return kind(at.name, at.input(0), at.input(1), at.output)

    return read


def _not(at: OperatorReader) -> Operator:
    _booleans(at, at.input(0), at.output)
    return LogicalNot(at.name, at.input(0), at.output)


def _reduce_all(at: OperatorReader) -> Operator:
    _booleans(at, at.input(0), at.output)
    rank = len(at.tensors[at.input(0)].shape)
    axes = tuple(sorted({axis + rank if axis < 0 else axis for axis in at.integers(1)}))
    return ReduceAll(at.name, at.input(0), at.output, axes)


READERS: dict[str, Read] = {
    "LOGICAL_AND": _binary(LogicalAnd),
    "LOGICAL_NOT": _not,
    "LOGICAL_OR": _binary(LogicalOr),
    "REDUCE_ALL": _reduce_all,
}
