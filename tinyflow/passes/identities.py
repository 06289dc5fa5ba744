# SPDX-License-Identifier: Apache-2.0
"""Operators that leave their input as it is become RESHAPE, which runs no code.

Such are movements that move nothing (TRANSPOSE of extents of 1, PAD by nothing, CONCATENATION of
one tensor), and functions of each element that are the identity wherever the input can be: QUANTIZE
to the same scale, RELU behind a clamp that does as much.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

import numpy as np

from tinyflow.ir.graph import Graph
from tinyflow.ir.movement import (
    BroadcastTo,
    Join,
    Slice,
    StridedSlice,
    Tile,
    Transpose,
)
from tinyflow.ir.operators import Operator, Pad, Quantize, Reshape
from tinyflow.ir.tables import ElementFunction
from tinyflow.numerics.operator_tables import table_of
from tinyflow.passes.edit import alike, touches_state
from tinyflow.passes.ranges import Ranges, ranges_of


def reshape_identities(graph: Graph) -> Graph:
    """The graph with a RESHAPE in place of each operator that keeps every element."""
    ranges = ranges_of(graph) if any(map(_is_function, graph.operators)) else None
    changed = tuple(_rewritten(graph, op, ranges) for op in graph.operators)
    if all(new is old for new, old in zip(changed, graph.operators, strict=True)):
        return graph
    return replace(graph, operators=changed)


def _rewritten(graph: Graph, op: Operator, ranges: Ranges | None) -> Operator:
    if not _moves_nothing(graph, op) and not _is_identity(graph, op, ranges):
        return op
    (source, *_), (output,) = op.inputs(), op.outputs()
    if not alike(graph.tensors[source], graph.tensors[output]) or touches_state(graph, op):
        return op
    return Reshape(op.name, source, output)


def _moves_nothing(graph: Graph, op: Operator) -> bool:
    """Whether an operator writes the elements of its one operand in their order."""
    match op:
        case Transpose():
            shape = graph.tensors[op.input].shape
            moving = [axis for axis in op.order if shape[axis] > 1]
            return moving == sorted(moving)
        case Pad():
            return not any(any(pads) for pads in op.paddings)
        case StridedSlice() if any(step < 0 for step in op.steps):
            return False
        case Slice() | Tile() | BroadcastTo():
            return graph.tensors[op.input].elements == graph.tensors[op.output].elements
        case Join():
            return len(op.sources) == 1 and not graph.tensors[op.sources[0]].is_constant
        case _:
            return False


def _is_function(op: Operator) -> TypeGuard[ElementFunction | Quantize]:
    return isinstance(op, ElementFunction | Quantize)


def _is_identity(graph: Graph, op: Operator, ranges: Ranges | None) -> bool:
    """Whether a function gives back each value that its input can have."""
    if ranges is None or not _is_function(op) or not graph.tensors[op.input].shape:
        return False
    table = table_of(op, graph)
    if table is None:
        return False
    limits = ranges[op.input]
    values = np.arange(limits.low.min(), limits.high.max() + 1)
    return bool(np.array_equal(table[values & 0xFF], values))
