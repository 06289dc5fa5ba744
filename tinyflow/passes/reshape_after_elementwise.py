# SPDX-License-Identifier: Apache-2.0
"""RESHAPE before what works on each element goes behind it.

So layers become neighbours, and two reshaped operands need one RESHAPE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tinyflow.ir.elementwise import Maximum, Minimum, Mul, SquaredDifference, Sub
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Add, Operator, Quantize, Reshape, TensorId
from tinyflow.ir.tables import ElementFunction
from tinyflow.passes.edit import alike, with_inputs, writers

_ELEMENTWISE = (Add, ElementFunction, Maximum, Minimum, Mul, Quantize, SquaredDifference, Sub)
#: Ranks that all kernels take.
_LARGEST_RANK = 4


def reshape_after_elementwise(graph: Graph) -> Graph:
    """The graph with one operator before a RESHAPE; the same object if there is none."""
    written = writers(graph)
    for op in graph.operators:
        if isinstance(op, _ELEMENTWISE) and op.output not in graph.outputs:
            sources = _sources(graph, op, written)
            if sources:
                return _swapped(graph, op, op.output, sources)
    return graph


def _sources(
    graph: Graph, op: Operator, written: Mapping[TensorId, Operator]
) -> dict[TensorId, TensorId]:
    """Return the reshaped source of each computed operand, all of one shape; empty if that is not
    so.
    """
    (output,) = op.outputs()
    shape = graph.tensors[output].shape
    found: dict[TensorId, TensorId] = {}
    for index in op.inputs():
        tensor, writer = graph.tensors[index], written.get(index)
        if tensor.is_constant and _is_by_channel(tensor):
            continue
        if not isinstance(writer, Reshape) or tensor.shape != shape:
            return {}
        found[index] = writer.input
    before = [graph.tensors[index] for index in found.values()]
    fits = all(
        source.shape == before[0].shape
        and source.shape[-1:] == shape[-1:]
        and len(source.shape) <= _LARGEST_RANK
        and alike(source, graph.tensors[index])
        and not source.is_state
        and not source.is_constant
        for index, source in zip(found, before, strict=True)
    )
    return found if fits else {}


def _is_by_channel(tensor: Tensor) -> bool:
    """Whether a constant has one value for each channel, or one for all."""
    return tensor.elements == (tensor.shape[-1] if tensor.shape else 1)


def _swapped(
    graph: Graph, op: Operator, output: TensorId, sources: Mapping[TensorId, TensorId]
) -> Graph:
    """The operator on what was reshaped, and its result reshaped for its readers."""
    shape = graph.tensors[next(iter(sources.values()))].shape
    reshaped = len(graph.tensors)
    tensors = list(graph.tensors)
    tensors[output] = replace(tensors[output], shape=shape)
    tensors.append(replace(graph.tensors[output], channels=None))
    operators: list[Operator] = []
    for each in graph.operators:
        if each is op:
            operators += [with_inputs(op, sources), Reshape(op.name, output, reshaped)]
        elif output in each.inputs():
            operators.append(with_inputs(each, {output: reshaped}))
        else:
            operators.append(each)
    return replace(graph, tensors=tuple(tensors), operators=tuple(operators))
