# SPDX-License-Identifier: Apache-2.0
"""Removes each RESHAPE that no reader needs.

A reader that takes the elements in any shape, or another RESHAPE, reads what was reshaped; and
where the shape stays, the operator before writes the result itself.
"""

from __future__ import annotations

from dataclasses import replace

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import FullyConnected, Operator, Reshape, TensorId
from tinyflow.passes.edit import (
    alike,
    readers,
    sole_reader,
    touches_state,
    with_inputs,
    with_output,
    writers,
)

#: Ranks that the kernels of FULLY_CONNECTED take.
_LARGEST_RANK = 4


def bypass_reshapes(graph: Graph) -> Graph:
    """The graph with fewer readers of reshaped tensors; a RESHAPE that has none is left for now."""
    reshapes = {
        op.output: op
        for op in graph.operators
        if isinstance(op, Reshape) and alike(graph.tensors[op.input], graph.tensors[op.output])
    }
    operators = [_bypassing(graph, op, reshapes) for op in graph.operators]
    changed = [new is not old for new, old in zip(operators, graph.operators, strict=True)]
    if any(changed):
        return replace(graph, operators=tuple(operators))
    return _written_directly(graph)


def _bypassing(graph: Graph, op: Operator, reshapes: dict[TensorId, Reshape]) -> Operator:
    """The operator reading the inputs of reshapes where it can."""
    instead = {}
    for index in op.inputs():
        reshape = reshapes.get(index)
        if reshape is not None and _takes(graph, op, reshape):
            instead[index] = reshape.input
    if not instead:
        return op
    if isinstance(op, Reshape):  # of whatever sort it was: the dimensions it named are others now
        return Reshape(op.name, instead[op.input], op.output)
    return with_inputs(op, instead)


def _takes(graph: Graph, op: Operator, reshape: Reshape) -> bool:
    source, shaped = graph.tensors[reshape.input], graph.tensors[reshape.output]
    if source.is_constant or source.is_state or touches_state(graph, op):
        return False
    if source.shape == shaped.shape or isinstance(op, Reshape):
        return True
    is_rows = isinstance(op, FullyConnected) and op.weights != reshape.output
    return is_rows and len(source.shape) <= _LARGEST_RANK


def _written_directly(graph: Graph) -> Graph:
    """The graph with the first RESHAPE to the same shape left out, its writer writing the output.

    The same object if there is none.
    """
    written, reading = writers(graph), readers(graph)
    for op in graph.operators:
        if not isinstance(op, Reshape) or sole_reader(graph, reading, op.input) is not op:
            continue
        source, output = graph.tensors[op.input], graph.tensors[op.output]
        writer = written.get(op.input)
        if writer is None or touches_state(graph, writer) or source.shape != output.shape:
            continue
        if alike(source, output) and isinstance(getattr(writer, writer.output_field), int):
            direct = with_output(writer, op.output)
            kept = [direct if each is writer else each for each in graph.operators]
            return replace(graph, operators=tuple(each for each in kept if each is not op))
    return graph
