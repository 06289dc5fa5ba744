# SPDX-License-Identifier: Apache-2.0
"""The order of the layers, where branches leave a choice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.first_kernels import select_kernels
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.ir.graph import Graph
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.plan.memory import plan_memory
from tinyflow.plan.order import order_for_memory
from tinyflow.tflite.importer import import_model

CMSIS = CmsisNN("7.0.0", "lib_deps", None, None, {})
POOL: dict[str, Any] = {"filterHeight": 1, "filterWidth": 1, "strideH": 1, "strideW": 1}


def _kernels(content: bytes) -> tuple[Graph, tuple[Kernel, ...]]:
    graph = import_model(content, Path("net.tflite"), name="net")
    return graph, select_kernels(graph, load_board("stm32l4r5"), CMSIS, kernels="cmsis-nn")


def _two_branches() -> bytes:
    """Both branches begin with a large tensor; the model names these two layers first."""
    b = TfliteBuilder()
    x = b.tensor((1, 4, 4, 8), scale=0.1)
    wide = [b.tensor((1, 4, 4, 64), scale=0.1) for _ in range(2)]
    small = [b.tensor((1, 1, 1, 64), scale=0.1) for _ in range(2)]
    repeats = b.tensor((4,), "int32", data=(1, 1, 1, 8))
    y = b.tensor((1, 1, 1, 64), scale=0.1)
    for tensor in wide:
        b.operator("TILE", [x, repeats], [tensor])
    for before, after in zip(wide, small, strict=True):
        window: dict[str, Any] = {
            "filterHeight": 4,
            "filterWidth": 4,
            "strideH": 4,
            "strideW": 4,
            "padding": 1,
        }
        b.operator("MAX_POOL_2D", [before], [after], **window)
    b.operator("ADD", small, [y])
    return b.build([x], [y])


def test_a_branch_is_finished_before_the_next_one_begins() -> None:
    graph, kernels = _kernels(_two_branches())
    plan = plan_memory(graph, kernels)
    assert [kernels.index(kernel) for kernel in plan.kernels] == [0, 2, 1, 3, 4]
    assert plan.arena_size == plan.lower_bound < 2 * 1024


@st.composite
def branching(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    """A random graph, and a random order in which its operators may run."""
    b = TfliteBuilder()
    sizes = [draw(st.sampled_from([8, 16, 64])) for _ in range(3)]
    tensors = [(b.tensor((1, 1, 1, size), scale=0.1), size) for size in sizes]
    inputs = [tensor for tensor, _ in tensors]
    writer: dict[int, int] = {}
    needs: list[set[int]] = []
    used: set[int] = set()
    for index in range(draw(st.integers(2, 8))):
        first, size = draw(st.sampled_from(tensors))
        others = [tensor for tensor, n in tensors if n == size]
        kind = draw(st.sampled_from(["ADD", "MAX_POOL_2D", "TILE"]))
        sources, options, grown = [first], POOL if kind == "MAX_POOL_2D" else {}, size
        if kind == "ADD":
            sources.append(draw(st.sampled_from(others)))
        if kind == "TILE":
            grown = min(4 * size, 256)
            repeats = (1, 1, 1, grown // size)
            sources.append(b.tensor((4,), "int32", data=repeats))
        result = b.tensor((1, 1, 1, grown), scale=0.1)
        b.operator(kind, sources, [result], **options)
        needs.append({writer[tensor] for tensor in sources if tensor in writer})
        writer[result] = index
        tensors.append((result, grown))
        used |= set(sources)
    outputs = [tensor for tensor in writer if tensor not in used]
    order: list[int] = []
    while len(order) < len(needs):
        ready = [i for i, before in enumerate(needs) if i not in order and before <= {*order}]
        order.append(draw(st.sampled_from(ready)))
    return b.build([tensor for tensor in inputs if tensor in used], outputs), order


@settings(max_examples=80, deadline=None)
@given(branching())
def test_no_order_of_the_model_file_gives_a_smaller_peak(network: tuple[bytes, list[int]]) -> None:
    content, order = network
    graph, kernels = _kernels(content)
    one = plan_memory(graph, kernels)
    other = plan_memory(graph, [kernels[index] for index in order])
    if one.is_optimal and other.is_optimal:
        assert one.arena_size == other.arena_size
    ran: set[int] = set(graph.inputs)
    for kernel in other.kernels:
        sources = {i for i in kernel.operator.inputs() if not graph.tensors[i].is_constant}
        assert sources <= ran
        ran |= set(kernel.operator.outputs())


def test_many_layers_are_ordered_within_a_second() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 1, 1, 64), scale=0.1)
    ends = [x]
    for _ in range(100):
        branches = []
        for _ in range(2):
            tensor = b.tensor((1, 1, 1, 64), scale=0.1)
            b.operator("MAX_POOL_2D", [ends[-1]], [tensor], **POOL)
            branches.append(tensor)
        ends.append(b.tensor((1, 1, 1, 64), scale=0.1))
        b.operator("ADD", branches, [ends[-1]])
    graph, kernels = _kernels(b.build([x], [ends[-1]]))
    start = time.process_time()
    assert len(order_for_memory(graph, kernels)) == 300
    assert time.process_time() - start < 2.0  # a slow machine is given twice the time
