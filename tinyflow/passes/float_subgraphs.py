# SPDX-License-Identifier: Apache-2.0
"""Float subgraphs as tables.

A converter leaves a float operator it has no int8 form of between DEQUANTIZE and QUANTIZE. Where
what lies between is a function of each element of one int8 tensor, that function has 256 values:
the oracle computes them here, and one table replaces the subgraph.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.arrays import Array
from tinyflow.ir.elementwise import Binary, Prelu, Select
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Add, Dequantize, Operator, Quantize, TensorId
from tinyflow.ir.tables import ElementFunction
from tinyflow.ir.types import DType
from tinyflow.ir.unquantised import Tabulated
from tinyflow.tflite.file import parse_tflite
from tinyflow.tflite.operator_reader import indices

#: Operators of which each element of the output depends on that element of the operands.
_ELEMENTWISE = (Add, Binary, Dequantize, ElementFunction, Prelu, Select)
_BYTES = 256


#: Runs a model, given as the bytes of a .tflite file, once on one input; returns its first output.
Evaluate = Callable[[bytes, Array], Array]


def tabulate_float_subgraphs(graph: Graph, content: bytes, path: Path, evaluate: Evaluate) -> Graph:
    """Put a table in place of every QUANTIZE that ends a subgraph on one int8 tensor.

    Operators of subgraphs that nothing reads any more are left out.

    Args:
        graph: as imported.
        content: the `.tflite` file's bytes.
        path: where they came from, for messages only.
        evaluate: computes the tables, by the kernels whose results are to be matched.
    """
    writers = {
        index: position
        for position, operator in enumerate(graph.operators)
        for index in operator.outputs()
    }
    operators = list(graph.operators)
    replaced: set[int] = set()
    for position in range(len(operators)):
        subgraph = _subgraph(graph, writers, position)
        if _is_function(graph, subgraph):
            operators[position] = _table(graph, subgraph, content, path, evaluate)
            replaced.update(subgraph)
    if not replaced:
        return graph
    return replace(graph, operators=_needed(operators, replaced, graph.outputs))


def _subgraph(graph: Graph, writers: dict[TensorId, int], end: int) -> list[int]:
    """The positions of all operators between DEQUANTIZEs and a QUANTIZE, both included.

    Empty if there is another operator, or if something else is read.
    """
    last = graph.operators[end]
    if not isinstance(last, Quantize) or graph.tensors[last.input].dtype is not DType.FLOAT32:
        return []
    found, pending = {end}, [last.input]
    while pending:
        position = writers.get(pending.pop())
        operator = None if position is None else graph.operators[position]
        if position is None or not isinstance(operator, _ELEMENTWISE):
            return []
        found.add(position)
        if not isinstance(operator, Dequantize):
            pending += [i for i in operator.inputs() if not graph.tensors[i].is_constant]
    return sorted(found)


def _is_function(graph: Graph, subgraph: list[int]) -> bool:
    """Whether the subgraph is a function of each element of one int8 tensor, to int8."""
    if not subgraph:
        return False
    inside = [graph.operators[position] for position in subgraph]
    sources = {op.input for op in inside if isinstance(op, Dequantize)}
    (output,) = inside[-1].outputs()
    if len(sources) != 1:
        return False
    edges = [graph.tensors[index] for index in (*sources, output)]
    between = {
        index
        for op in inside
        for index in (*op.inputs(), *op.outputs())
        if index not in (*sources, output)
    }
    if any(graph.tensors[index].is_state for index in (*sources, *between)):
        return False
    return all(tensor.dtype is DType.INT8 for tensor in edges) and all(
        _is_uniform(graph.tensors[index], edges[1].shape) for index in (*sources, *between)
    )


def _is_uniform(tensor: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether a constant is the same for each element, or a computed tensor has one for each."""
    if tensor.data is not None:
        return bool((tensor.data == tensor.data.flat[0]).all())
    return tensor.shape == shape and tensor.dtype is not DType.INT32


def _table(
    graph: Graph, subgraph: list[int], content: bytes, path: Path, evaluate: Evaluate
) -> Tabulated:
    inside = [graph.operators[position] for position in subgraph]
    source = next(op.input for op in inside if isinstance(op, Dequantize))
    last = inside[-1]
    (output,) = last.outputs()
    computing = [op for op in inside if not isinstance(op, Dequantize | Quantize)]
    model = _model_of(content, path, [next(op.outputs()) for op in inside], source)
    every_byte = np.arange(_BYTES, dtype=np.uint8).view(np.int8)
    values = evaluate(model, every_byte)
    return Tabulated(
        computing[-1].name if computing else last.name,
        source,
        output,
        tuple(op.kind for op in computing) or (last.kind,),
        tuple(values.tolist()),
    )


def _model_of(content: bytes, path: Path, written: Sequence[TensorId], source: TensorId) -> bytes:
    """A model of the operators that write these tensors, on vectors of 256.

    Its input is `source`, its output the last tensor written.
    """
    whole = parse_tflite(content, path)
    model = copy.copy(whole)
    subgraph = copy.copy(whole.subgraphs[0])
    writers = {tuple(indices(op.outputs)): op for op in subgraph.operators}
    subgraph.operators = [writers[(index,)] for index in written]
    # The first buffer is the empty one by convention of the format.
    buffers = [schema.BufferT()]
    used = [i for op in subgraph.operators for i in (*indices(op.inputs), *indices(op.outputs))]
    places = {index: place for place, index in enumerate(dict.fromkeys(used))}
    subgraph.tensors = [_resized(whole, index, buffers) for index in places]
    for raw in subgraph.operators:
        raw.inputs = np.array([places[i] for i in indices(raw.inputs)], np.int32)
        raw.outputs = np.array([places[i] for i in indices(raw.outputs)], np.int32)
    subgraph.inputs = np.array([places[source]], np.int32)
    subgraph.outputs = np.array([places[written[-1]]], np.int32)
    model.subgraphs, model.buffers = [subgraph], buffers
    model.metadata = model.metadataBuffer = model.signatureDefs = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _resized(whole: Any, index: TensorId, buffers: list[Any]) -> Any:
    """A tensor of the file as a vector of 256, or a constant as its one value."""
    tensor = copy.copy(whole.subgraphs[0].tensors[index])
    tensor.shapeSignature = None
    data = whole.buffers[tensor.buffer].data
    tensor.buffer = 0
    if data is None or not len(data):
        tensor.shape = np.array([_BYTES], np.int32)
        return tensor
    size = len(data) // max(1, int(np.prod(indices(tensor.shape), dtype=object)))
    buffer = schema.BufferT()
    buffer.data = np.asarray(data[:size], np.uint8)
    tensor.shape, tensor.buffer = np.array([1], np.int32), len(buffers)
    buffers.append(buffer)
    return tensor


def _needed(
    operators: Sequence[Operator], replaced: set[int], outputs: Sequence[TensorId]
) -> tuple[Operator, ...]:
    """The operators without those of replaced subgraphs that nothing reads, in order."""
    wanted = set(outputs)
    kept = []
    for position, operator in reversed(list(enumerate(operators))):
        if position not in replaced or wanted.intersection(operator.outputs()):
            kept.append(operator)
            wanted.update(operator.inputs())
    return tuple(reversed(kept))
