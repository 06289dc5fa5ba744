# SPDX-License-Identifier: Apache-2.0
"""Float subgraphs: which become a table, and that it holds what the subgraph computes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.small_model import float_model
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.ir.graph import Graph
from tinyflow.ir.unquantised import Tabulated
from tinyflow.oracle.oracle import Oracle
from tinyflow.oracle.process import first_output
from tinyflow.passes import optimise
from tinyflow.tflite.importer import import_model

PATH = Path("net.tflite")
BYTES = np.arange(256, dtype=np.uint8).view(np.int8)


def passed(content: bytes) -> Graph:
    return optimise(import_model(content, PATH, name="net"), content, PATH, first_output)


def kinds(content: bytes) -> list[str]:
    return [operator.title for operator in passed(content).operators]


def subgraph(steps: Sequence[str], shape: tuple[int, ...] = (256,), constant: Any = None) -> bytes:
    """DEQUANTIZE, the steps, QUANTIZE; a step of two operands takes the constant."""
    b = TfliteBuilder()
    source = b.tensor(shape, scale=0.05, zero_point=3)
    value = b.tensor(shape, "float32")
    b.operator("DEQUANTIZE", [source], [value])
    for kind in steps:
        operands = [value]
        if kind in ("ADD", "MUL", "DIV"):
            operands.append(b.tensor(np.shape(constant), "float32", data=constant))
        value = b.tensor(shape, "float32", name=f"block/{kind.lower()}")
        b.operator(kind, operands, [value])
    result = b.tensor(shape, scale=0.04, zero_point=-20)
    b.operator("QUANTIZE", [value], [result])
    return b.build([source], [result])


@pytest.mark.parametrize(
    "steps",
    [
        ["ELU"],
        ["NEG"],
        ["SQRT"],
        ["LOG"],
        ["SIN"],
        ["COS", "EXP"],
        ["MUL", "TANH", "ADD", "DIV"],
        [],
    ],
)
def test_a_function_of_one_tensor_becomes_the_table_of_what_it_computes(steps: list[str]) -> None:
    content = subgraph(steps, constant=np.float32(0.7))
    (operator,) = passed(content).operators
    assert isinstance(operator, Tabulated)
    assert operator.title == ("+".join(steps) or "QUANTIZE")
    assert not steps or operator.name == f"block/{steps[-1].lower()}"
    (due,) = Oracle(content).run(BYTES)
    assert operator.values == tuple(due.tolist())


def test_a_constant_that_is_the_same_everywhere_counts_as_one_value() -> None:
    content = subgraph(["MUL"], (2, 3), np.full((1, 3), 0.3))
    assert kinds(content) == ["MUL"]


def test_a_constant_for_each_channel_stays_in_float() -> None:
    content = subgraph(["MUL", "ELU"], (2, 3), np.array([0.1, 0.2, 0.3]))
    assert kinds(content) == ["DEQUANTIZE", "MUL", "ELU", "QUANTIZE"]


def test_neighbouring_subgraphs_are_judged_one_by_one() -> None:
    assert kinds(float_model()) == ["ELU+ADD", "DEQUANTIZE", "MUL", "SOFTMAX", "QUANTIZE"]


def test_two_int8_operands_stay_in_float() -> None:
    b = TfliteBuilder()
    sources, values = [], []
    for _ in range(2):
        sources.append(b.tensor((4,), scale=0.05))
        values.append(b.tensor((4,), "float32"))
        b.operator("DEQUANTIZE", sources[-1:], values[-1:])
    quotient = b.tensor((4,), "float32")
    b.operator("DIV", values, [quotient])
    result = b.tensor((4,), scale=0.05)
    b.operator("QUANTIZE", [quotient], [result])
    content = b.build(sources, [result])
    assert kinds(content) == ["DEQUANTIZE", "DEQUANTIZE", "DIV", "QUANTIZE"]


def test_a_tensor_used_twice_is_one_operand() -> None:
    b = TfliteBuilder()
    source = b.tensor((4,), scale=0.05)
    first, second, total = (b.tensor((4,), "float32") for _ in range(3))
    b.operator("DEQUANTIZE", [source], [first])
    b.operator("DEQUANTIZE", [source], [second])
    b.operator("MUL", [first, second], [total])
    result = b.tensor((4,), scale=0.05)
    b.operator("QUANTIZE", [total], [result])
    assert kinds(b.build([source], [result])) == ["MUL"]


def test_what_something_else_reads_is_kept() -> None:
    b = TfliteBuilder()
    source = b.tensor((4,), scale=0.05)
    real, bent = b.tensor((4,), "float32"), b.tensor((4,), "float32")
    b.operator("DEQUANTIZE", [source], [real])
    b.operator("ELU", [real], [bent])
    result = b.tensor((4,), scale=0.05)
    b.operator("QUANTIZE", [bent], [result])
    assert kinds(b.build([source], [result, bent])) == ["DEQUANTIZE", "ELU", "ELU"]
    assert kinds(b.build([source], [result, real])) == ["DEQUANTIZE", "ELU"]


def test_a_model_without_subgraphs_is_left_alone() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((4,), scale=0.05), b.tensor((4,), scale=0.05)
    b.operator("RELU", [x], [y])
    content = b.build([x], [y])
    graph = import_model(content, PATH, name="net")
    assert optimise(graph, content, PATH, first_output) is graph
