# SPDX-License-Identifier: Apache-2.0
"""IF and WHILE of a .tflite: made operators of the main subgraph, or refused with the cure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.control_flow import (
    SHAPE,
    added,
    branches,
    counter,
    loop,
    subgraph,
    unary,
    values,
)
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.oracle.constants import fold_constants
from tinyflow.oracle.oracle import Oracle
from tinyflow.tflite.control_flow import MAX_ITERATIONS, has_control_flow, without_control_flow
from tinyflow.tflite.importer import import_model

PATH = Path("flow.tflite")


def straight(content: bytes) -> bytes:
    return without_control_flow(content, PATH)


def kinds(content: bytes) -> list[str]:
    return [op.kind for op in import_model(content, PATH, name="flow").operators]


def check_same(content: bytes, *, flags: bool = False, shape: tuple[int, ...] = ()) -> None:
    """The rewritten file gives what TFLM's own IF and WHILE give."""
    rewritten = straight(content)
    assert not has_control_flow(rewritten, PATH)
    assert len(schema.ModelT.InitFromObj(schema.Model.GetRootAs(rewritten)).subgraphs) == 1
    oracles = Oracle(content), Oracle(rewritten)
    rng = np.random.default_rng(0)
    for flag in (True, False, True):
        x = rng.integers(-128, 128, SHAPE, np.int8)
        inputs = [x]
        if flags:
            inputs.append(np.full(shape, flag))
        due, found = (oracle.run(*inputs) for oracle in oracles)
        for one, other in zip(due, found, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("known", [True, False])
def test_a_branch_that_is_known_replaces_its_if(known: bool) -> None:
    content = branches(known=known)
    check_same(content)
    assert kinds(straight(content)) == ["RELU" if known else "ADD", "RELU"]


def test_a_condition_that_is_computed_from_constants_is_known() -> None:
    b = TfliteBuilder()
    x, y, condition = values(b), values(b), b.tensor((), "bool")
    operands = [b.tensor((), "int32", data=value) for value in (3, 4)]
    b.operator("LESS", operands, [condition])
    arguments = [lambda: values(b)]
    then, otherwise = (subgraph(b, arguments, each) for each in (unary("RELU"), added))
    b.operator("IF", [condition, x], [y], thenSubgraphIndex=then, elseSubgraphIndex=otherwise)
    assert kinds(fold_constants(b.build([x], [y]), PATH)) == ["RELU"]


@pytest.mark.parametrize("shape", [(), (1,)])
def test_of_branches_that_are_not_known_both_are_computed(shape: tuple[int, ...]) -> None:
    content = branches(shape=shape)
    check_same(content, flags=True, shape=shape)
    assert kinds(straight(content)) == ["RELU", "ADD", "SELECT_V2", "RELU"]


def test_a_branch_may_give_what_it_is_given() -> None:
    same = branches(then=lambda b, inputs: inputs)
    check_same(same, flags=True)
    assert kinds(straight(same)) == ["ADD", "SELECT_V2", "RELU"]


@pytest.mark.parametrize("steps", [1, 2, 7, MAX_ITERATIONS])
def test_a_loop_of_known_length_is_unrolled(steps: int) -> None:
    content = loop(steps)
    check_same(content)
    folded = fold_constants(content, PATH)
    assert kinds(folded) == ["ADD"] * steps + ["RELU"]


def test_a_loop_that_never_runs_gives_its_inputs() -> None:
    content = loop(0)
    assert kinds(straight(content)) == ["RELU"]
    check_same(content)


def test_a_branch_in_a_loop() -> None:
    def body(b: TfliteBuilder, inputs: list[int]) -> list[int]:
        main = b.subgraph
        is_first = b.tensor((), "bool")
        b.operator("EQUAL", [inputs[0], b.tensor((), "int32", data=0)], [is_first])
        chosen = values(b)
        arguments = [lambda: values(b)]
        then, otherwise = (subgraph(b, arguments, each) for each in (unary("RELU"), added))
        b.subgraph = main
        b.operator(
            *("IF", [is_first, inputs[1]], [chosen]),
            thenSubgraphIndex=then,
            elseSubgraphIndex=otherwise,
        )
        more = counter(b)
        b.operator("ADD", [inputs[0], b.tensor((), "int32", data=1)], [more])
        return [more, chosen]

    check_same(loop(3, body=body))


def test_a_loop_whose_length_is_an_input_is_refused() -> None:
    with pytest.raises(
        UnsupportedError, match="WHILE layer 'tensor_2': the number of its"
    ) as caught:
        fold_constants(loop(3, start=None), PATH)
    assert "unroll=True" in (caught.value.hint or "")


@pytest.mark.parametrize("steps", [MAX_ITERATIONS + 1, 2**31 - 1])
def test_a_long_loop_is_refused(steps: int) -> None:
    with pytest.raises(UnsupportedError, match="more than 64 iterations"):
        straight(loop(steps))


def test_a_loop_without_an_end_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="more than 64 iterations"):
        straight(loop(3, body=unary("RELU")))


def test_states_in_loops_and_in_branches_that_are_not_known_are_refused() -> None:
    def delayed(b: TfliteBuilder, inputs: list[int]) -> list[int]:
        x, y = inputs[-1], values(b)
        b.custom("SignalDelay", [x], [y], delay_length=1)
        return [*inputs[:-1], y]

    with pytest.raises(UnsupportedError, match="in it may keep a state, but its condition is comp"):
        straight(branches(then=delayed))
    with pytest.raises(UnsupportedError, match="in it may keep a state, but it is a loop"):
        straight(loop(3, body=lambda b, inputs: [added(b, inputs)[0], delayed(b, inputs)[1]]))
    assert not has_control_flow(straight(branches(known=True, then=delayed)), PATH)


def _changed(content: bytes, **options: int) -> bytes:
    b = TfliteBuilder()
    b.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    b.subgraph = b.model.subgraphs[0]
    for operator in b.subgraph.operators:
        for name, value in options.items():
            if hasattr(operator.builtinOptions, name):
                setattr(operator.builtinOptions, name, value)
    return b.build(b.subgraph.inputs, b.subgraph.outputs)


@pytest.mark.parametrize("index", [-1, 9])
def test_subgraphs_that_are_not_there_are_damage(index: int) -> None:
    for content in (
        _changed(branches(known=True), thenSubgraphIndex=index),
        _changed(loop(2), bodySubgraphIndex=index),
        _changed(loop(2), condSubgraphIndex=index),
    ):
        with pytest.raises(InputError, match="is the model itself or does not exist"):
            straight(content)


def test_a_main_subgraph_that_runs_itself_is_damage() -> None:
    with pytest.raises(InputError, match="is the model itself or does not exist") as caught:
        straight(_changed(branches(known=True), thenSubgraphIndex=0))
    assert caught.value.hint == "The file is damaged; convert the model again."


def test_another_number_of_inputs_than_a_subgraph_takes_is_damage() -> None:
    with pytest.raises(InputError, match="for a subgraph of"):
        straight(_two_arguments())


def _two_arguments() -> bytes:
    b = TfliteBuilder()
    x, y = values(b), values(b)
    condition = b.tensor((1,), "bool", data=[True])
    index = subgraph(b, [lambda: values(b), lambda: values(b)], unary("RELU"))
    b.operator("IF", [condition, x], [y], thenSubgraphIndex=index, elseSubgraphIndex=index)
    return b.build([x], [y])
