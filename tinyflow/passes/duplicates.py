# SPDX-License-Identifier: Apache-2.0
"""Operators that compute the same twice run once (common subexpressions)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import TensorId
from tinyflow.passes.edit import touches_state, with_inputs, with_output


def share_duplicates(graph: Graph) -> Graph:
    """The graph with readers of a repeated result reading the first; the rest is left unread."""
    same = _equal_constants(graph)
    results: dict[TensorId, TensorId] = {}
    first: dict[Any, TensorId] = {}
    operators = []
    for original in graph.operators:
        op = with_inputs(original, results) if results.keys() & set(original.inputs()) else original
        operators.append(op)
        if touches_state(graph, op) or not isinstance(getattr(op, op.output_field), int):
            continue
        (output,) = op.outputs()
        meaning = with_output(replace(with_inputs(op, same), name=""), -1)
        key = (meaning, *_type_of(graph.tensors[output]))
        if first.setdefault(key, output) != output and _has_readers(graph, output):
            results[output] = first[key]
    if not results:
        return graph
    return replace(graph, operators=tuple(operators))


def _has_readers(graph: Graph, index: TensorId) -> bool:
    return any(index in op.inputs() for op in graph.operators)


def _equal_constants(graph: Graph) -> dict[TensorId, TensorId]:
    """Map each constant to the first of the same type and content."""
    first: dict[Any, TensorId] = {}
    return {
        index: first.setdefault((*_type_of(tensor), tensor.values.tobytes()), index)
        for index, tensor in enumerate(graph.tensors)
        if tensor.is_constant
    }


def _type_of(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tensor.shape, tensor.quantization
