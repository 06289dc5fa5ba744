# SPDX-License-Identifier: Apache-2.0
"""Float inputs and outputs leave the arena.

A model that is given floats has a QUANTIZE behind its input, and a DEQUANTIZE before its output.
The library does both in pieces, between the caller's memory and the int8 tensor in the arena, so
that no tensor of 4 bytes an element lies there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Dequantize, Operator, Quantize, Reshape, TensorId
from tinyflow.ir.types import DType
from tinyflow.passes.edit import readers, sole_reader, writers

_INPUTS = (DType.INT8, DType.INT16)
_OUTPUTS = (DType.INT8, DType.UINT8, DType.INT16)


def convert_at_ends(graph: Graph) -> Graph:
    """The graph with quantised inputs and outputs in place of float ones, where that can be.

    A float32 input is replaced if nothing but one QUANTIZE reads it, and a float32 output if a
    DEQUANTIZE writes it and nothing reads it; a RESHAPE may lie between. `float_inputs` and
    `float_outputs` of the graph then have the tensors that the caller gives and is given. A graph
    of nothing but such conversions stays as it is.
    """
    reading, writing = readers(graph), writers(graph)
    inputs, outputs = list(graph.inputs), list(graph.outputs)
    dropped: list[Operator] = []
    for position, index in enumerate(graph.inputs):
        if chain := _from_input(graph, reading, index):
            (inputs[position],) = chain[-1].outputs()
            dropped += chain
    for position, index in enumerate(graph.outputs):
        if chain := _to_output(graph, reading, writing, index):
            (outputs[position],) = chain[-1].inputs()
            dropped += chain
    gone = {index for op in dropped for index in op.outputs()}
    kept = tuple(op for op in graph.operators if gone.isdisjoint(op.outputs()))
    if not gone or all(isinstance(op, Reshape) for op in kept):
        return graph
    return replace(
        graph,
        operators=kept,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        float_inputs=_replaced(graph.inputs, inputs),
        float_outputs=_replaced(graph.outputs, outputs),
    )


def _replaced(before: tuple[TensorId, ...], after: list[TensorId]) -> dict[int, TensorId]:
    """Return the tensors that are no longer there, by position."""
    return {position: index for position, index in enumerate(before) if after[position] != index}


def _from_input(
    graph: Graph, reading: Mapping[TensorId, list[Operator]], index: TensorId
) -> list[Operator]:
    """The RESHAPEs and the QUANTIZE behind a float input; none if there is no such way."""
    if graph.tensors[index].dtype is not DType.FLOAT32 or graph.inputs.count(index) > 1:
        return []
    chain: list[Operator] = []
    at = index
    while isinstance(op := sole_reader(graph, reading, at), Quantize | Reshape):
        chain.append(op)
        (at,) = op.outputs()
        if isinstance(op, Quantize):
            return chain if _is_unquantised(graph, index, at, _INPUTS) else []
    return []


def _to_output(
    graph: Graph,
    reading: Mapping[TensorId, list[Operator]],
    writing: Mapping[TensorId, Operator],
    index: TensorId,
) -> list[Operator]:
    """The RESHAPEs and the DEQUANTIZE before a float output, back to front; else none."""
    chain: list[Operator] = []
    at = index
    while isinstance(op := writing.get(at), Dequantize | Reshape):
        others = [other for other in reading.get(at, []) if other not in chain]
        if others or (at != index and at in graph.outputs):
            return []
        chain.append(op)
        at = op.input
        if isinstance(op, Dequantize):
            return chain if _is_unquantised(graph, index, at, _OUTPUTS) else []
    return []


def _is_unquantised(
    graph: Graph, real: TensorId, quantised: TensorId, dtypes: tuple[DType, ...]
) -> bool:
    """Whether one tensor has the elements of the other, in a type that is converted here."""
    tensor = graph.tensors[quantised]
    return (
        tensor.dtype in dtypes
        and tensor.elements == graph.tensors[real].elements > 0
        and not tensor.is_constant
        and not tensor.is_state
        and tensor.channels is None
    )
