# SPDX-License-Identifier: Apache-2.0
"""A graph: one line for each operator, and one for each tensor."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator
from enum import Enum
from typing import Any, Literal

import numpy as np

from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Operator
from tinyflow.ir.quantization import Quantization
from tinyflow.report.dump.section import DumpedSection
from tinyflow.report.dump.text import printable, quoted, titled

#: Scales of up to this many channels are written out.
_FEW = 4


class DumpedQuantization(DumpedSection):
    """real = scale * (quantised - zero point), per tensor or along `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None


class DumpedTensor(DumpedSection):
    """A tensor by its index in the graph, which is the one in the `.tflite` if there is one.

    `channels` are the indices of the last dimension that are left of the file's tensor, `values`
    the least and the greatest of a constant.
    """

    index: int
    name: str
    kind: Literal["input", "output", "constant", "state", "activation"]
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    quantization: DumpedQuantization | None
    channels: tuple[int, ...] | None = None
    values: tuple[float, float] | None = None


class DumpedOperator(DumpedSection):
    """An operator: the tensors it reads, by field, those it writes, and its attributes."""

    operator: str
    name: str
    reads: dict[str, tuple[int, ...]]
    writes: tuple[int, ...]
    attributes: dict[str, Any]


class DumpedGraph(DumpedSection):
    """A graph: its inputs and outputs in memory, operators in execution order, tensors in use.

    `float_inputs` and `float_outputs` are, by position, tensors that the caller gives or is given
    in place of those in memory.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    float_inputs: dict[int, int]
    float_outputs: dict[int, int]
    operators: tuple[DumpedOperator, ...]
    tensors: tuple[DumpedTensor, ...]


# ------------------------------------------------------------------------------- as data


def dumped_graph(graph: Graph) -> DumpedGraph:
    """The graph as data."""
    used = graph.used() | {*graph.float_inputs.values(), *graph.float_outputs.values()}
    return DumpedGraph(
        inputs=graph.inputs,
        outputs=graph.outputs,
        float_inputs=dict(graph.float_inputs),
        float_outputs=dict(graph.float_outputs),
        operators=tuple(map(_operator, graph.operators)),
        tensors=tuple(_tensor(graph, index) for index in sorted(used)),
    )


def _operator(operator: Operator) -> DumpedOperator:
    tensors = {*operator.input_fields, operator.output_field}
    return DumpedOperator(
        operator=operator.title,
        name=printable(operator.name),
        reads={
            field: tensors_of
            for field in operator.input_fields
            if (tensors_of := operator.tensors(field))
        },
        writes=tuple(operator.outputs()),
        attributes={
            field.name: _value(getattr(operator, field.name))
            for field in dataclasses.fields(operator)
            if field.name not in tensors and field.name != "name"
        },
    )


def _value(value: Any) -> Any:
    """An attribute as JSON has it; numbers that JSON lacks, and arrays, as text."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {
            field.name: _value(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, tuple | list):
        return [_value(each) for each in value]
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    plain = value is None or (isinstance(value, int | float) and math.isfinite(value))
    return value if plain else printable(str(value))


def _tensor(graph: Graph, index: int) -> DumpedTensor:
    tensor, q = graph.tensors[index], graph.tensors[index].quantization
    return DumpedTensor(
        index=index,
        name=printable(tensor.name),
        kind=_kind(graph, index),
        dtype=tensor.dtype.value,
        shape=tensor.shape,
        bytes=tensor.size,
        quantization=None if q is None else _quantization(q),
        channels=tensor.channels,
        values=_values(tensor),
    )


def _kind(
    graph: Graph, index: int
) -> Literal["input", "output", "constant", "state", "activation"]:
    tensor = graph.tensors[index]
    if tensor.is_constant:
        return "constant"
    if tensor.is_state:
        return "state"
    if index in (*graph.inputs, *graph.float_inputs.values()):
        return "input"
    return "output" if index in (*graph.outputs, *graph.float_outputs.values()) else "activation"


def _quantization(q: Quantization) -> DumpedQuantization:
    return DumpedQuantization(scales=q.scales, zero_points=q.zero_points, axis=q.axis)


def _values(tensor: Tensor) -> tuple[float, float] | None:
    data = tensor.data
    if data is None or not data.size or data.dtype.kind not in "iufb":
        return None
    least, greatest = data.min().item(), data.max().item()
    return (least, greatest) if math.isfinite(least) and math.isfinite(greatest) else None


# ------------------------------------------------------------------------------- as text


def graph_text(graph: DumpedGraph, before: DumpedGraph | None = None) -> str:
    """The graph for people.

    Args:
        graph: the graph.
        before: an earlier one: lines that it lacks are marked `+`, and its operators that are gone
            follow, marked `-`.
    """
    lines, tensors = _operator_lines(graph), _tensor_lines(graph)
    known: Collection[str] = lines if before is None else set(_operator_lines(before))
    known_tensors: Collection[str] = tensors if before is None else set(_tensor_lines(before))
    gone = [] if before is None else [line for line in _operator_lines(before) if line not in lines]
    parts = [
        f"inputs   {_ends(graph.inputs, graph.float_inputs)}",
        f"outputs  {_ends(graph.outputs, graph.float_outputs)}",
        "",
        f"operators: {len(lines)}",
        *(
            f"{' ' if line in known else '+'} {position:>4}  {line}"
            for position, line in enumerate(lines)
        ),
    ]
    if gone:
        parts += ["", f"gone: {len(gone)}", *(f"-       {line}" for line in gone)]
    parts += [
        "",
        f"tensors in use: {len(tensors)}",
        *(f"{' ' if line in known_tensors else '+'} {line}" for line in tensors),
    ]
    return "\n".join(parts) + "\n"


def _ends(indices: tuple[int, ...], real: dict[int, int]) -> str:
    """Inputs or outputs: where the caller has floats instead, these too."""
    return ", ".join(
        f"%{index}" + (f" (float: %{real[position]})" if position in real else "")
        for position, index in enumerate(indices)
    )


def _operator_lines(graph: DumpedGraph) -> list[str]:
    tensors = {tensor.index: tensor for tensor in graph.tensors}
    return [
        " ".join(
            (
                operator.operator,
                titled(operator.name),
                ", ".join(_reads(operator, tensors)),
                "->",
                ", ".join(_short(tensors[index]) for index in operator.writes),
                *_attributes(operator.attributes),
            )
        )
        for operator in graph.operators
    ]


def _reads(operator: DumpedOperator, tensors: dict[int, DumpedTensor]) -> Iterator[str]:
    for field, indices in operator.reads.items():
        shown = [_short(tensors[index]) for index in indices]
        yield f"{field}=" + (shown[0] if len(shown) == 1 else f"({', '.join(shown)})")


def _attributes(attributes: dict[str, Any]) -> Iterator[str]:
    if attributes:
        yield "|"
    for name, value in attributes.items():
        yield f"{name}={_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"({', '.join(f'{name}={_shown(each)}' for name, each in value.items())})"
    if isinstance(value, list):
        return f"[{','.join(map(_shown, value))}]"
    return "-" if value is None else str(value)


def _short(tensor: DumpedTensor, kind: str | None = None) -> str:
    """A tensor's index, name, type, shape and quantisation.

    With its `kind` the name is whole; without, as in an operator's line, it is a title.
    """
    name = quoted(tensor.name) if kind else titled(tensor.name)
    if kind is None:
        kind = {"constant": "const", "state": "state"}.get(tensor.kind)
    sign = "" if kind is None else f" {kind}"
    shape = ",".join(map(str, tensor.shape))
    q = "" if tensor.quantization is None else f" {_scale(tensor.quantization)}"
    return f"%{tensor.index} {name}{sign} {tensor.dtype}[{shape}]{q}"


def _scale(q: DumpedQuantization) -> str:
    """`{scale, zero point}`; of many scales the least and the greatest."""
    zeros = sorted(set(q.zero_points))
    zero = str(zeros[0]) if len(zeros) == 1 else f"{zeros[0]}..{zeros[-1]}"
    if len(q.scales) <= 1:
        scale = "".join(_float32(each) for each in q.scales)
    elif len(q.scales) <= _FEW:
        scale = f"axis {q.axis}: {' '.join(map(_float32, q.scales))}"
    else:
        ends = f"{_float32(min(q.scales))}..{_float32(max(q.scales))}"
        scale = f"axis {q.axis}: {len(q.scales)} of {ends}"
    return f"{{{scale}, {zero}}}"


def _float32(value: float) -> str:
    """In as few digits as tell it from other float32 values."""
    return str(np.float32(value))


def _tensor_lines(graph: DumpedGraph) -> list[str]:
    return [_tensor_line(tensor) for tensor in graph.tensors]


def _tensor_line(tensor: DumpedTensor) -> str:
    notes = ""
    if tensor.values is not None:
        notes += f"  values {tensor.values[0]:g}..{tensor.values[1]:g}"
    if tensor.channels is not None:
        notes += f"  channels {_ranges(tensor.channels)}"
    return f"{_short(tensor, kind=tensor.kind)}  {tensor.bytes:,} bytes{notes}"


def _ranges(numbers: tuple[int, ...]) -> str:
    """Rising numbers with runs shortened: `0-3,7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ",".join("-".join(map(str, run)) for run in runs)
