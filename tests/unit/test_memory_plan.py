"""The plan of a graph: aliases, scratch, and inputs that outlive their first reader."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.frontend.tflite_import import import_model
from tinyflow.ir.graph import Graph
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.select import select_kernels
from tinyflow.plan.memory import MemoryPlan, plan_memory

CMSIS = CmsisNN("7.0.0", "lib_deps", None, None, {})


def _plan(content: bytes) -> tuple[Graph, MemoryPlan]:
    graph = import_model(content, Path("net.tflite"), name="net")
    return graph, plan_memory(graph, select_kernels(graph, load_board("stm32l4r5"), CMSIS))


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
    assert plan.arena_size == 128


def test_a_residual_keeps_its_branch_alive() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 8, 8, 4), scale=0.1)
    p = b.tensor((1, 8, 8, 4), scale=0.1)
    q = b.tensor((1, 8, 8, 4), scale=0.1)
    y = b.tensor((1, 8, 8, 4), scale=0.1)
    window = {"filterHeight": 3, "filterWidth": 3, "strideH": 1, "strideW": 1}
    b.operator("MAX_POOL_2D", [x], [p], **window)
    b.operator("MAX_POOL_2D", [p], [q], **window)
    b.operator("ADD", [x, q], [y])
    _, plan = _plan(b.build([x], [y]))
    assert len({plan.tensors[x], plan.tensors[p], plan.tensors[q]}) == 3
    assert plan.arena_size == plan.lower_bound == 3 * 256


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
