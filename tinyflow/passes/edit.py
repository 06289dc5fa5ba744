# SPDX-License-Identifier: Apache-2.0
"""Helpers of the passes to look up graphs and to replace operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Operator, TensorId
from tinyflow.ir.state import AssignVariable


def writers(graph: Graph) -> dict[TensorId, Operator]:
    """The operator that writes each tensor; of a variable, the last that assigns it."""
    return {index: op for op in graph.operators for index in op.outputs()}


def readers(graph: Graph) -> dict[TensorId, list[Operator]]:
    """The operators that read each tensor, in order and each once; none for one without."""
    found: dict[TensorId, list[Operator]] = {}
    for op in graph.operators:
        for index in dict.fromkeys(op.inputs()):
            found.setdefault(index, []).append(op)
    return found


def sole_reader(
    graph: Graph, found: Mapping[TensorId, list[Operator]], index: TensorId
) -> Operator | None:
    """The one operator that reads a tensor; None if several do, or the model gives it out."""
    reading = found.get(index, [])
    return reading[0] if len(reading) == 1 and index not in graph.outputs else None


def touches_state(graph: Graph, op: Operator) -> bool:
    """Whether an operator reads or changes what is kept between inferences."""
    return isinstance(op, AssignVariable) or any(
        graph.tensors[index].is_state for index in (*op.inputs(), *op.outputs())
    )


def alike(left: Tensor, right: Tensor) -> bool:
    """Whether the same bytes mean the same numbers in both tensors."""
    return left.dtype is right.dtype and left.quantization == right.quantization


def with_inputs(op: Operator, instead: Mapping[TensorId, TensorId]) -> Operator:
    """The operator reading other tensors instead of those given."""
    changed: dict[str, Any] = {}
    for field in op.input_fields:
        value = getattr(op, field)
        if isinstance(value, tuple):
            changed[field] = tuple(instead.get(index, index) for index in value)
        elif value is not None:
            changed[field] = instead.get(value, value)
    return replace(op, **changed)


def with_output(op: Operator, index: TensorId) -> Operator:
    """An operator of one output writing another tensor."""
    changed: dict[str, Any] = {op.output_field: index}
    return replace(op, **changed)
