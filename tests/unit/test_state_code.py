# SPDX-License-Identifier: Apache-2.0
"""Placement of a model's state, and the C that keeps and resets it."""

from __future__ import annotations

from pathlib import Path

from tests.support.first_kernels import select_kernels
from tests.support.small_model import small_model
from tests.support.stateful_model import FEATURES, FRAMES, UNITS, stateful_model
from tinyflow.boards import load_board
from tinyflow.codegen.library import ModelCode, generate_model
from tinyflow.ir.graph import Graph
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.plan.memory import MemoryPlan, plan_memory
from tinyflow.report.plan import describe_plan
from tinyflow.tflite.importer import import_model

CMSIS = CmsisNN("7.0.0", "lib_deps", None, None, {})


def _compile(content: bytes) -> tuple[Graph, MemoryPlan, ModelCode]:
    graph = import_model(content, Path("net.tflite"), name="net")
    plan = plan_memory(graph, select_kernels(graph, load_board("stm32l4r5"), CMSIS))
    return graph, plan, generate_model(graph, plan, CMSIS, content)


def test_states_lie_beside_the_arena_one_after_another() -> None:
    graph, plan, _ = _compile(stateful_model())
    assert list(plan.states) == graph.states()
    assert not set(plan.states) & set(plan.tensors)
    sizes = {graph.tensors[index].name: graph.tensors[index].size for index in plan.states}
    assert sizes == {
        "svdf/state": 2 * 5 * UNITS,
        "frames": FRAMES * UNITS,
        "lstm/hidden": UNITS,
        "lstm/cell": 2 * UNITS,
    }
    assert list(plan.states.values()) == [0, 40, 56, 64]
    assert plan.state_size == 72
    # Input, the frame and the buffers around it: no state among them.
    assert plan.arena_size < FEATURES + 100


def test_init_resets_every_state_and_invoke_does_not() -> None:
    _, _, code = _compile(stateful_model())
    source = str(code.files["net.c"])
    init = source.partition("void net_init(void)")[2].partition("\n}")[0]
    assert [line.strip() for line in init.splitlines() if "mem" in line] == [
        "memset(&net_state[0], 0, 40u);",
        "memcpy(&net_state[40], net_state_01_initial, sizeof net_state_01_initial);",
        "memset(&net_state[56], 5, 4u);",
        "memset(&net_state[64], 0, 8u);",
    ]
    assert "net_init" not in source.partition("int net_invoke(void)")[2]
    assert "const uint8_t net_state_01_initial[12]" in str(code.files["net_weights.c"])
    assert code.stateful


def test_a_model_without_a_state_has_none_in_its_code_and_plan() -> None:
    graph, plan, code = _compile(small_model())
    assert not code.stateful
    assert all("net_state" not in str(text) for text in code.files.values())
    assert "STATE" not in str(code.files["net.h"])
    assert "string.h" not in str(code.files["net.c"])
    described = describe_plan(graph, plan, code)
    assert (described.state, described.state_bytes) == (None, 0)
