# SPDX-License-Identifier: Apache-2.0
"""The plan of a graph: aliases, scratch, in-place layers, inputs that outlive a reader."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.first_kernels import select_kernels
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.ir.graph import Graph
from tinyflow.kernels.base import Kernel, Overlap
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.plan.memory import MemoryPlan, plan_memory
from tinyflow.tflite.importer import import_model

CMSIS = CmsisNN("7.0.0", "lib_deps", None, None, {})


def _plan(content: bytes) -> tuple[Graph, MemoryPlan]:
    graph = import_model(content, Path("net.tflite"), name="net")
    return graph, plan_memory(
        graph, select_kernels(graph, load_board("stm32l4r5"), CMSIS, kernels="cmsis-nn")
    )


def test_a_reshape_shares_its_input_and_runs_no_code() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 4, 4, 4), scale=0.1)
    shape = b.tensor((2,), "int32", data=(1, 64))
    r = b.tensor((1, 64), scale=0.1)
    y = b.tensor((1, 64), scale=1 / 256, zero_point=-128)
    b.operator("RESHAPE", [x, shape], [r])
    b.operator("SOFTMAX", [r], [y], beta=1.0)
    _, plan = _plan(b.build([x], [y]))
    assert plan.tensors[x] == plan.tensors[r]
    assert plan.tensors[x] == plan.tensors[y]
    assert plan.arena_size == 64


def test_a_residual_keeps_its_branch_alive() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 8, 8, 4), scale=0.1)
    p = b.tensor((1, 8, 8, 4), scale=0.1)
    q = b.tensor((1, 8, 8, 4), scale=0.1)
    y = b.tensor((1, 8, 8, 4), scale=0.1)
    window: dict[str, Any] = {"filterHeight": 3, "filterWidth": 3, "strideH": 1, "strideW": 1}
    b.operator("MAX_POOL_2D", [x], [p], **window)
    b.operator("MAX_POOL_2D", [p], [q], **window)
    b.operator("ADD", [x, q], [y])
    _, plan = _plan(b.build([x], [y]))
    assert len({plan.tensors[x], plan.tensors[p], plan.tensors[q]}) == 3
    # The sum may be written over either operand.
    assert plan.arena_size == plan.lower_bound == 3 * 256
    assert plan.is_optimal


def test_scratch_lies_beside_what_its_layer_reads_and_writes() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 8, 8, 16), scale=0.1)
    y = b.tensor((1, 1, 1, 16), scale=0.1)
    b.operator(
        "AVERAGE_POOL_2D", [x], [y], filterHeight=8, filterWidth=8, strideH=8, strideW=8, padding=1
    )
    _, plan = _plan(b.build([x], [y]))
    (scratch,) = plan.scratch
    assert scratch is not None
    assert plan.kernels[0].scratch == 64
    spans = [(plan.tensors[x], 1024), (plan.tensors[y], 16), (scratch, 64)]
    ordered = sorted(spans)
    assert all(start + size <= following[0] for (start, size), following in pairwise(ordered))


@st.composite
def networks(draw: st.DrawFn) -> tuple[bytes, list[Overlap]]:
    """A random graph of tables, sums and poolings, and for each operator a rule."""
    b = TfliteBuilder()
    tensors = [b.tensor((1, 1, 4, 8), scale=0.1)]
    inputs, used = list(tensors), set[int]()
    for _ in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from(["ABS", "ADD", "MAX_POOL_2D"]))
        sources = [draw(st.sampled_from(tensors[-3:])) for _ in range(1 + (kind == "ADD"))]
        result = b.tensor((1, 1, 4, 8), scale=0.1)
        window: dict[str, Any] = {"filterHeight": 1, "filterWidth": 1, "strideH": 1, "strideW": 1}
        b.operator(kind, sources, [result], **(window if kind == "MAX_POOL_2D" else {}))
        tensors.append(result)
        used |= set(sources)
    outputs = [tensor for tensor in tensors if tensor not in used]
    rules = [Overlap("", 0), Overlap("", 16), Overlap("", -24), Overlap("", 0, exact=True)]
    chosen = [draw(st.sampled_from(rules)) for _ in tensors[1:]]
    return b.build(inputs, outputs), chosen


@settings(max_examples=60, deadline=None)
@given(networks())
def test_what_is_still_needed_is_never_written_over(network: tuple[bytes, list[Overlap]]) -> None:
    content, rules = network
    graph = import_model(content, Path("net.tflite"), name="net")
    kernels = [
        replace(
            kernel,
            overlaps=tuple(replace(rule, field=field) for field in kernel.operator.input_fields),
        )
        for kernel, rule in zip(
            select_kernels(graph, load_board("stm32l4r5"), CMSIS, kernels="cmsis-nn"),
            rules,
            strict=True,
        )
    ]
    plan = plan_memory(graph, kernels)
    memory: dict[int, tuple[int, int]] = {}
    for index in graph.inputs:
        _write(graph, plan, memory, index)
    for kernel in plan.kernels:
        _run(graph, plan, memory, kernel)
    for index in graph.outputs:
        _check(graph, plan, memory, index)
    assert max(memory) < plan.arena_size


def _write(graph: Graph, plan: MemoryPlan, memory: dict[int, tuple[int, int]], tensor: int) -> None:
    for byte in range(graph.tensors[tensor].size):
        memory[plan.tensors[tensor] + byte] = (tensor, byte)


def _check(
    graph: Graph,
    plan: MemoryPlan,
    memory: dict[int, tuple[int, int]],
    tensor: int,
    first: int = 0,
) -> None:
    """The bytes of a tensor from `first` on are all where they should be."""
    for byte in range(max(0, first), graph.tensors[tensor].size):
        assert memory[plan.tensors[tensor] + byte] == (tensor, byte)


def _run(
    graph: Graph, plan: MemoryPlan, memory: dict[int, tuple[int, int]], kernel: Kernel
) -> None:
    """Run a layer that makes full use of its overlap rule, byte by byte.

    When it writes byte i it has done with those of the input up to i - lead.
    """
    (output,) = kernel.operator.outputs()
    inputs = list(kernel.operator.inputs())
    for source in inputs:
        _check(graph, plan, memory, source)
    rule = kernel.overlaps[0]
    for byte in range(graph.tensors[output].size):
        memory[plan.tensors[output] + byte] = (output, byte)
        for source in inputs:
            apart = rule.exact and plan.tensors[source] != plan.tensors[output]
            _check(graph, plan, memory, source, 0 if apart else byte - rule.lead + 1)
