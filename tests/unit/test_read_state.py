# SPDX-License-Identifier: Apache-2.0
"""Import of models with a state, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.conformance.driver import model_of
from tests.conformance.state import CASES
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.datasets.accuracy import int8_predictions
from tinyflow.errors import InputError, TinyflowError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.ir.state import (
    AssignVariable,
    CircularBuffer,
    ReadVariable,
    SequenceLstm,
    Svdf,
)
from tinyflow.tflite.importer import import_model

FRAME = (1, 2, 3)


def read(content: bytes) -> Graph:
    return import_model(content, Path("net.tflite"), name="net")


def case(name: str, change: Callable[[Any], None] = lambda subgraph: None) -> bytes:
    """A model of one conformance case, of which something has been changed."""
    builder = TfliteBuilder()
    inputs, outputs = CASES[name](builder, np.random.default_rng(0))
    change(builder.subgraph)
    return builder.build(inputs, outputs)


# ------------------------------------------------------------------------ variable tensors


def test_a_variable_tensor_is_a_state_that_begins_at_its_zero_point() -> None:
    graph = read(case("svdf s8 state zero point"))
    (operator,) = graph.operators
    assert isinstance(operator, Svdf)
    assert graph.states() == [operator.state]
    initial = graph.tensors[operator.state].initial
    assert initial is not None and initial.dtype == np.int8
    assert set(initial.ravel().tolist()) == {11}


def test_a_variable_tensor_of_int16_begins_at_zero_whatever_its_zero_point() -> None:
    graph = read(case("svdf s16 state zero point"))
    (index,) = graph.states()
    assert graph.tensors[index].q.zero_point == 300
    assert not np.any(graph.tensors[index].initial)


def test_an_lstm_keeps_two_states_and_its_intermediates_are_ignored() -> None:
    graph = read(case("lstm"))
    (operator,) = graph.operators
    assert isinstance(operator, SequenceLstm)
    assert graph.states() == [operator.hidden, operator.cell]
    assert [graph.tensors[index].shape for index in operator.from_input] == [(6, 5)] * 4


def test_a_variable_is_the_state_of_one_layer_alone() -> None:
    def share(subgraph: Any) -> None:
        again = schema.OperatorT()
        vars(again).update(vars(subgraph.operators[0]))
        again.outputs = np.array([len(subgraph.tensors)], np.int32)
        subgraph.operators.append(again)
        output = schema.TensorT()
        vars(output).update(vars(subgraph.tensors[-1]))
        subgraph.tensors.append(output)

    with pytest.raises(UnsupportedError, match="'tensor_4' is not the state of this layer alone"):
        read(case("svdf", share))


def _operand(position: int, value: int) -> Callable[[Any], None]:
    def change(subgraph: Any) -> None:
        operator = subgraph.operators[0]
        operator.inputs = operator.inputs.copy()
        operator.inputs[position] = value

    return change


def _option(name: str, value: Any) -> Callable[[Any], None]:
    def change(subgraph: Any) -> None:
        setattr(subgraph.operators[0].builtinOptions, name, value)

    return change


def _tensor(position: int, name: str, value: Any) -> Callable[[Any], None]:
    """Change a field of the operator's input at that position, or of its quantisation."""

    def change(subgraph: Any) -> None:
        tensor = subgraph.tensors[subgraph.operators[0].inputs[position]]
        setattr(tensor if hasattr(tensor, name) else tensor.quantization, name, value)

    return change


def _fewer_operands(subgraph: Any) -> None:
    subgraph.operators[0].inputs = subgraph.operators[0].inputs[:-4]


REFUSED: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "svdf without a bias": ("svdf", _operand(3, -1), "no bias, which the reference wants"),
    "svdf bias of another scale": (
        *("svdf", _tensor(3, "scale", np.array([1.0], np.float32))),
        "the bias's scale is 1.0, expected",
    ),
    "svdf of rank 0": ("svdf", _option("rank", 0), "rank 0"),
    "svdf of a rank that does not divide": ("svdf", _option("rank", 3), "8 filters of rank 3"),
    "svdf with relu6": ("svdf", _option("fusedActivationFunction", 3), "other than RELU"),
    "svdf with a state of another type": (
        *("svdf", _tensor(4, "type", schema.TensorType.INT8)),
        "the state 'tensor_4' is int8, expected int16",
    ),
    "svdf without a variable": (
        *("svdf", _tensor(4, "isVariable", False)),
        "the state 'tensor_4' is not a variable tensor",
    ),
    "svdf with another state": (
        *("svdf", _tensor(4, "shape", np.array([1, 40], np.int32))),
        r"the state has the shape \[1, 40\], not \[1, 48\]",
    ),
    "svdf with time weights around 1": (
        *("svdf", _tensor(2, "zeroPoint", np.array([1], np.int64))),
        "the time weights 'tensor_2' are not int8 or int16 constants around 0",
    ),
    "a variable with data": (
        *("svdf", _tensor(4, "buffer", 2)),  # that of the time weights, which has the same size
        "the variable tensor 'tensor_4' has data",
    ),
    "lstm of 20 operands": ("lstm", _fewer_operands, "20 inputs, expected 24"),
    "lstm with peepholes": ("lstm", _operand(10, 9), "peephole weights"),
    "lstm with a projection": ("lstm", _operand(16, 9), "a projection"),
    "lstm with layer normalisation": ("lstm", _operand(21, 9), "layer normalisation"),
    "lstm without a bias": ("lstm", _operand(13, -1), "lacks input 13"),
    "lstm without a state": ("lstm", _operand(18, -1), "lacks input 18"),
    "lstm of another activation": ("lstm", _option("fusedActivationFunction", 1), "expected TANH"),
    "lstm with diagonal weights": ("lstm", _option("diagonalRecurrentTensors", True), "diagonal"),
    "lstm clipped at nan": ("lstm", _option("cellClip", float("nan")), "clipped at nan"),
    "lstm with a cell of an odd scale": (
        *("lstm", _tensor(19, "scale", np.array([0.001], np.float32))),
        "expected a power of two from 2\\^-30 to 2\\^2",
    ),
    "lstm with a cell of a great scale": (
        *("lstm", _tensor(19, "scale", np.array([8.0], np.float32))),
        "the cell's scale is 8.0",
    ),
    "lstm with a tiny hidden scale": (
        *("lstm", _tensor(18, "scale", np.array([2.0**-31], np.float32))),
        "the hidden state's scale is below",
    ),
    "lstm with a hidden state of one dimension": (
        *("lstm", _tensor(18, "shape", np.array([6], np.int32))),
        r"the hidden state has the shape \[6\], not \[1, 6\]",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_reference_has_no_kernel_for_is_refused(name: str) -> None:
    base, change, says = REFUSED[name]
    with pytest.raises(TinyflowError, match=says):
        read(case(base, change))


def test_coupled_gates_are_named() -> None:
    def couple(subgraph: Any) -> None:
        _operand(1, -1)(subgraph)
        _operand(5, -1)(subgraph)

    with pytest.raises(UnsupportedError, match="coupled input and forget gates"):
        read(case("lstm", couple))


def test_a_variable_is_no_input_of_other_operators() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 4), scale=0.1)
    v = b.tensor((1, 4), scale=0.1, variable=True)
    y = b.tensor((1, 4), scale=0.1)
    b.operator("ADD", [x, v], [y])
    with pytest.raises(UnsupportedError, match=r"'tensor_1' is a variable \(model state\)"):
        read(b.build([x], [y]))


# ---------------------------------------------------------------------- resource variables


class Variables:
    """A model that reads and assigns variables; the names default to one."""

    def __init__(self) -> None:
        self.b = TfliteBuilder()
        self.x = self.b.tensor(FRAME, scale=0.1)
        self.outputs: list[int] = []

    def handle(self, name: str | None = "kept", container: str | None = "") -> int:
        handle = self.b.tensor((), "resource")
        self.b.operator("VAR_HANDLE", [], [handle], sharedName=name, container=container)
        return handle

    def assign(self, handle: int, value: int | None = None) -> None:
        self.b.operator("ASSIGN_VARIABLE", [handle, self.x if value is None else value], [])

    def read(self, handle: int, shape: tuple[int, ...] = FRAME) -> None:
        self.outputs.append(self.b.tensor(shape, scale=0.1))
        self.b.operator("READ_VARIABLE", [handle], [self.outputs[-1]])

    def initialise(self, value: int = 9, name: str = "kept") -> int:
        with self.b.further_subgraph() as index:
            constant = self.b.tensor(FRAME, scale=0.1, data=np.full(FRAME, value))
            self.assign(self.handle(name), constant)
        return index

    def call(self, index: int) -> None:
        self.b.operator("CALL_ONCE", [], [], initSubgraphIndex=index)

    def graph(self) -> Graph:
        return read(self.b.build([self.x], self.outputs))


def test_handles_of_one_name_are_one_variable() -> None:
    model = Variables()
    model.call(model.initialise(9))
    first, second, other = model.handle(), model.handle(), model.handle("other")
    model.read(first)
    model.assign(second)
    model.read(other)
    model.assign(other)
    graph = model.graph()
    assert graph.states() == [first, other]
    reads = [operator for operator in graph.operators if isinstance(operator, ReadVariable)]
    assigns = [operator for operator in graph.operators if isinstance(operator, AssignVariable)]
    assert [operator.input for operator in reads] == [first, other]
    assert [operator.output for operator in assigns] == [first, other]
    assert np.all(graph.tensors[first].initial == 9)
    assert not np.any(graph.tensors[other].initial)


def test_the_last_of_several_initial_values_counts() -> None:
    model = Variables()
    for value in (4, 5):
        model.call(model.initialise(value))
    model.read(model.handle())
    (state,) = model.graph().states()
    assert np.all(model.graph().tensors[state].initial == 5)


def test_variables_may_have_no_container() -> None:
    model = Variables()
    for name in ("one", "two"):
        handle = model.handle(name, None)
        model.read(handle)
        model.assign(handle)
    assert len(model.graph().states()) == 2


def _never_assigned(model: Variables) -> None:
    model.read(model.handle())


def _not_called(model: Variables) -> None:
    model.initialise()
    model.read(model.handle())


def _called_too_late(model: Variables) -> None:
    model.read(model.handle())
    model.call(model.initialise())


def _calls_itself(model: Variables) -> None:
    model.call(0)
    model.read(model.handle())


def _calls_nothing(model: Variables) -> None:
    model.call(3)
    model.read(model.handle())


def _computes_once(model: Variables) -> None:
    with model.b.further_subgraph() as index:
        x, y = (model.b.tensor(FRAME, scale=0.1) for _ in range(2))
        model.b.operator("RELU", [x], [y])
    model.call(index)
    model.read(model.handle())


def _assigns_computed(model: Variables) -> None:
    with model.b.further_subgraph() as index:
        model.assign(model.handle(), model.b.tensor(FRAME, scale=0.1))
    model.call(index)
    model.read(model.handle())


def _two_shapes(model: Variables) -> None:
    handle = model.handle()
    model.read(handle, (3, 2, 1))
    model.assign(handle)


def _two_containers(model: Variables) -> None:
    model.assign(model.handle("one", None))
    handle = model.handle("two", "room")
    model.assign(handle)
    model.read(handle)


def _one_name_in_two_containers(model: Variables) -> None:
    for container in ("one", "two"):
        handle = model.handle("kept", container)
        model.assign(handle)
        model.read(handle)


def _elements_inside(model: Variables) -> None:
    handle = model.handle()
    model.assign(handle)
    model.read(handle)
    model.b.subgraph.operators[-1].intermediates = np.array([model.x], np.int32)


def _no_name(model: Variables) -> None:
    handle = model.handle(None)
    model.assign(handle)
    model.read(handle)


def _no_handle(model: Variables) -> None:
    model.read(model.b.tensor((), "resource"))


def _handle_as_operand(model: Variables) -> None:
    handle = model.handle()
    model.assign(handle)
    model.outputs.append(model.b.tensor(FRAME, scale=0.1))
    model.b.operator("ADD", [model.x, handle], [model.outputs[-1]])


def _handle_as_output(model: Variables) -> None:
    handle = model.handle()
    model.assign(handle)
    model.outputs.append(handle)


def _while(model: Variables) -> None:
    index = model.initialise()
    model.outputs.append(model.b.tensor(FRAME, scale=0.1))
    model.b.operator(
        "WHILE", [model.x], model.outputs, condSubgraphIndex=index, bodySubgraphIndex=index
    )


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (_never_assigned, "the variable 'kept' is never assigned"),
        (_not_called, r"subgraph 1 of 2 is not run by CALL_ONCE \(control flow"),
        (_called_too_late, "assigns the variable 'kept' after it has been read"),
        (_calls_itself, "CALL_ONCE runs the main subgraph"),
        (_calls_nothing, "expected another one that the file has"),
        (_computes_once, "the operator RELU in a subgraph that CALL_ONCE runs"),
        (_assigns_computed, "CALL_ONCE assigns the computed 'tensor_1'"),
        (_two_shapes, r"the variable 'kept' is int8 \[1, 2, 3\] and int8 \[3"),
        (_two_containers, "some variables have a container and some have none"),
        (_one_name_in_two_containers, "the variable 'kept' is in several containers"),
        (_elements_inside, "the intermediate tensor 'tensor_0' has elements"),
        (_no_name, "VAR_HANDLE without the name of a variable"),
        (_no_handle, "READ_VARIABLE without a VAR_HANDLE"),
        (_handle_as_operand, r"is a variable \(model state\)"),
        (_handle_as_output, "the model's output 'kept' is a variable"),
        (_while, "the operator WHILE of layer 'tensor_1' is not supported"),
    ],
)
def test_other_uses_of_variables_are_refused(build: Callable[[Variables], None], says: str) -> None:
    model = Variables()
    build(model)
    with pytest.raises((InputError, UnsupportedError), match=says):
        model.graph()


def test_every_case_of_the_conformance_tests_is_read() -> None:
    graph = read(model_of({name: CASES[name] for name in ("variable", "svdf", "lstm")}))
    assert len(graph.states()) == 4


def test_litert_may_refuse_what_the_oracle_runs() -> None:
    def without_intermediates(subgraph: Any) -> None:
        subgraph.operators[0].intermediates = None

    with pytest.raises(UnsupportedError, match="LiteRT cannot run this model"):
        int8_predictions(case("lstm", without_intermediates), [np.zeros((1, 7, 5), np.int8)])


def circular(slots: int = 4, *, variable: bool = True, **options: int) -> bytes:
    b = TfliteBuilder()
    x = b.tensor((1, 1, 1, 3), scale=0.1, name="x")
    y = b.tensor((1, slots, 1, 3), scale=0.1, zero_point=7, name="slots", variable=variable)
    b.custom("CIRCULAR_BUFFER", [x], [y], **options)
    if not options:
        b.subgraph.operators[0].customOptions = None
    return b.build([x], [y])


def test_a_circular_buffer_begins_with_its_zero_point() -> None:
    graph = import_model(circular(cycles_max=1), Path("c.tflite"), name="c")
    (operator,) = graph.operators
    assert isinstance(operator, CircularBuffer)
    slots = graph.tensors[operator.slots]
    assert slots.internal and slots.initial is not None and (slots.initial == 7).all()
    assert not graph.tensors[operator.output].is_state


@pytest.mark.parametrize(
    ("content", "says", "hint"),
    [
        (circular(cycles_max=2), "ends all but every 2nd inference here", "Cut the model"),
        (circular(cycles_max=13), "ends all but every 13th inference here", "Cut the model"),
        (circular(), "no cycles_max", "cycles_max = 1"),
        (circular(cycles_max=0), "no cycles_max", "cycles_max = 1"),
        (circular(variable=False, cycles_max=1), "is no variable tensor", None),
        (circular(cycles=1), "its options are cycles", None),
    ],
)
def test_a_circular_buffer_without_a_static_meaning_is_refused(
    content: bytes, says: str, hint: str | None
) -> None:
    with pytest.raises(UnsupportedError, match=says) as caught:
        import_model(content, Path("c.tflite"), name="c")
    assert "CIRCULAR_BUFFER layer 'slots'" in caught.value.message
    assert (hint or "") in (caught.value.hint or "")
