# SPDX-License-Identifier: Apache-2.0
"""Operators that keep a state between invocations: their dataclasses and rules.

A state is a tensor with an `initial` value. Resource variables are such tensors, too: reading one
copies it into an activation, assigning one copies an activation or a constant into it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.ir.checks import OperatorRule, expect, fail, rank_of
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, TensorId, Unary


@dataclass(frozen=True)
class ReadVariable(Unary):
    """A snapshot of a variable: a later assignment does not change it."""

    kind = "READ_VARIABLE"


@dataclass(frozen=True)
class AssignVariable(Unary):
    """A new value for a variable, which is the output."""

    kind = "ASSIGN_VARIABLE"


@dataclass(frozen=True)
class Svdf(Operator):
    """A fully connected layer of rank-`rank` filters over the last `memory` inputs.

    Input (batch, inputs), `feature` (filters, inputs), `time` (filters, memory), `bias` (units,)
    or None, `state` (batch, filters * memory), output (batch, units); filters = units * rank.
    """

    kind = "SVDF"
    input_fields = ("input", "feature", "time", "bias", "state")
    state_fields = ("state",)

    input: TensorId
    feature: TensorId
    time: TensorId
    bias: TensorId | None
    state: TensorId
    output: TensorId
    rank: int


@dataclass(frozen=True)
class SequenceLstm(Operator):
    """A long short-term memory over a sequence.

    Input (batch, steps, inputs) or with `time_major` (steps, batch, inputs), output as the input
    with `units` last; for each gate, in the order input, forget, cell, output: `from_input`
    (units, inputs), `from_hidden` (units, units) and `biases` (units,); `hidden` (batch, units),
    `cell` of as many elements.
    """

    kind = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    input_fields = ("input", "from_input", "from_hidden", "biases", "hidden", "cell")
    state_fields = ("hidden", "cell")

    input: TensorId
    from_input: tuple[TensorId, ...]
    from_hidden: tuple[TensorId, ...]
    biases: tuple[TensorId, ...]
    hidden: TensorId
    cell: TensorId
    output: TensorId
    time_major: bool
    cell_clip: float


@dataclass(frozen=True)
class CircularBuffer(Operator):
    """The last inputs, the oldest first: input (1, 1, ...), output (1, slots, ...).

    `slots` holds what the output was in the inference before.
    """

    kind = "CIRCULAR_BUFFER"
    input_fields = ("input", "slots")
    state_fields = ("slots",)

    input: TensorId
    slots: TensorId
    output: TensorId


def _copy(graph: Graph, op: ReadVariable | AssignVariable) -> None:
    variable, other = op.output, op.input
    if isinstance(op, ReadVariable):
        variable, other = other, variable
    if not graph.tensors[variable].is_state:
        raise fail(op, f"{graph.tensors[variable].name!r} is no variable")
    if graph.tensors[variable].dtype is not graph.tensors[other].dtype:
        raise fail(op, "the variable has another type")
    expect(op, "the variable", graph.tensors[variable].shape, graph.tensors[other].shape)


def _svdf(graph: Graph, op: Svdf) -> None:
    batch, inputs = rank_of(graph, op, op.input, 2)
    filters, depth = rank_of(graph, op, op.feature, 2)
    rows, memory = rank_of(graph, op, op.time, 2)
    if depth != inputs or rows != filters:
        raise fail(op, f"weights {[filters, depth]} and {[rows, memory]} for {inputs} inputs")
    if filters % op.rank:
        raise fail(op, f"{filters} filters of rank {op.rank}")
    units = filters // op.rank
    expect(op, "the state", graph.tensors[op.state].shape, (batch, filters * memory))
    expect(op, "the output", graph.tensors[op.output].shape, (batch, units))
    if op.bias is not None:
        expect(op, "the bias", graph.tensors[op.bias].shape, (units,))


def _lstm(graph: Graph, op: SequenceLstm) -> None:
    first, second, inputs = rank_of(graph, op, op.input, 3)
    units = rank_of(graph, op, op.output, 3)[2]
    expect(op, "the output", graph.tensors[op.output].shape, (first, second, units))
    for operands, shape in (
        (op.from_input, (units, inputs)),
        (op.from_hidden, (units, units)),
        (op.biases, (units,)),
    ):
        for index in operands:
            tensor = graph.tensors[index]
            expect(op, f"{tensor.name!r}", tensor.shape, shape)
    batch = second if op.time_major else first
    expect(op, "the hidden state", graph.tensors[op.hidden].shape, (batch, units))
    if graph.tensors[op.cell].elements != batch * units:
        raise fail(op, f"the cell has {graph.tensors[op.cell].elements} elements")


def _circular_buffer(graph: Graph, op: CircularBuffer) -> None:
    batch, one, *inner = rank_of(graph, op, op.input, 4)
    output = rank_of(graph, op, op.output, 4)
    if (batch, one) != (1, 1):
        raise fail(op, f"an input of {[batch, one, *inner]}, not of one slot")
    expect(op, "the output", output, (1, output[1], *inner))
    expect(op, "the state", graph.tensors[op.slots].shape, output)


#: Rules by operator, see `verify`.
RULES: dict[type[Operator], OperatorRule] = {
    ReadVariable: _copy,
    AssignVariable: _copy,
    Svdf: _svdf,
    SequenceLstm: _lstm,
    CircularBuffer: _circular_buffer,
}
