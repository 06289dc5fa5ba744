# SPDX-License-Identifier: Apache-2.0
"""No kernel writes outside of its output and its scratch.

The arena is laid out with guard bytes around every tensor and every scratch buffer, and the memory
of the state with guard bytes behind every state; after an inference they must be as they were.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import tinyflow
from tests.conformance.driver import library_of, model_of
from tests.conformance.test_conformance import GENERATED, GROUPS, STATEFUL, family_of
from tests.support.full_run import only_in_full_runs
from tinyflow.boards import load_board
from tinyflow.costs.trial import ARENA_FILL
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.pipeline.quantize import Quantised, device_inputs
from tinyflow.plan.allocator import (
    ALIGNMENT,
    THOROUGH,
    Allocation,
    Block,
    Effort,
    InPlaceOverlap,
    aligned,
)
from tinyflow.plan.memory import _states
from tinyflow.report.plan import PlanFile
from tinyflow.settings.project_file import KernelSet
from tinyflow.toolchain.elf import read_image
from tinyflow.tools.build_folder import read_build

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

BOARD = "stm32l4r5"
GUARD = 64
PATTERN = 0x5A


#: Spans of the arena that belong to a tensor or a scratch buffer.
Spans = list[tuple[int, int]]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Lays out arenas with guards from now on, and lists what lies between them."""
    found: Spans = []

    def spread(
        blocks: Sequence[Block], _: Sequence[InPlaceOverlap], *, effort: Effort
    ) -> Allocation:
        offset, offsets = GUARD, list[int]()
        for block in blocks:
            offsets.append(offset)
            offset += -(-block.size // ALIGNMENT) * ALIGNMENT + GUARD
        if effort is THOROUGH:  # of those the last one is used
            found[:] = [(start, block.size) for start, block in zip(offsets, blocks, strict=True)]
        return Allocation(tuple(offsets), offset, offset)

    monkeypatch.setattr("tinyflow.plan.memory.allocate", spread)
    monkeypatch.setattr(
        "tinyflow.plan.memory.order_for_memory", lambda _, kernels: tuple(range(len(kernels)))
    )
    monkeypatch.setattr("tinyflow.plan.memory.aligned", lambda size: aligned(size) + GUARD)
    return found


@pytest.fixture
def kept_spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Lists where the tensors of the state lie, those inside of operators included."""
    found: Spans = []

    def recorded(graph: Graph) -> tuple[dict[TensorId, int], int]:
        states, size = _states(graph)
        found[:] = [(start, graph.tensors[index].size) for index, start in states.items()]
        return states, size

    monkeypatch.setattr("tinyflow.plan.memory._states", recorded)
    return found


@pytest.mark.parametrize("group", [name for name in GROUPS if family_of(name) not in STATEFUL])
def test_guards_around_every_buffer_stay(
    group: str, spans: Spans, request: pytest.FixtureRequest
) -> None:
    """Run every third group by default."""
    if list(GROUPS).index(group) % 3:
        only_in_full_runs(request)
    kernel_sets: list[KernelSet] = ["cmsis-nn"]
    if family_of(group) in GENERATED:
        kernel_sets.append("generated")
    content = model_of(GROUPS[group])
    for kernels in kernel_sets:
        spans.clear()
        graph, trial = library_of(content, load_board(BOARD), kernels)
        samples, _ = device_inputs(graph, Quantised(content), 1)
        (memory,) = trial.arenas(samples)
        _check_arena(spans, np.frombuffer(memory, np.uint8), ARENA_FILL[0])


@pytest.mark.parametrize("group", [name for name in GROUPS if family_of(name) in STATEFUL])
def test_guards_around_the_state_stay(
    group: str, spans: Spans, kept_spans: Spans, tmp_path: Path
) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(model_of(GROUPS[group]))
    tinyflow.build(model, board=BOARD, output=tmp_path / "build", vectors=2)
    image = read_image(read_build(tmp_path / "build").elf)
    arena = image.symbol("net_arena")
    plan = PlanFile.read(tmp_path / "build" / "plan.json")
    assert plan.state is not None
    state = image.symbol(plan.state)
    with Simulator(image, load_board(BOARD)) as simulator:
        client = HarnessClient(simulator)
        vectors = tmp_path / "build" / "vectors"
        inputs = [
            np.load(vectors / f"input_{index}.npy")[0].reshape(tensor.shape)
            for index, tensor in enumerate(client.info().inputs)
        ]
        simulator.write_memory(arena.address, bytes([PATTERN]) * arena.size)
        # Operators count on what they keep, so that only the guards are filled.
        initial = np.frombuffer(simulator.read_memory(state.address, state.size), np.uint8).copy()
        initial[_guards(initial.size, kept_spans)] = PATTERN
        simulator.write_memory(state.address, initial.tobytes())
        client.run(*inputs)
        memory, kept = (
            np.frombuffer(simulator.read_memory(symbol.address, symbol.size), np.uint8)
            for symbol in (arena, state)
        )
    _check_arena(spans, memory, PATTERN)
    assert kept_spans
    guards = _guards(kept.size, kept_spans)
    assert guards.sum() >= GUARD * len(kept_spans)
    touched = np.flatnonzero(guards & (kept != PATTERN))
    assert touched.size == 0, f"bytes {touched[:8]} of the state, tensors at {kept_spans}"


def _guards(size: int, spans: Spans) -> npt.NDArray[np.bool_]:
    """Return which of `size` bytes are outside all spans."""
    guards = np.ones(size, bool)
    for start, length in spans:
        guards[start : start + length] = False
    return guards


def _check_arena(spans: Spans, memory: np.ndarray, fill: int) -> None:
    guards = _guards(memory.size, spans)
    assert guards.sum() >= GUARD * (len(spans) + 1)
    touched = np.flatnonzero(guards & (memory != fill))
    assert touched.size == 0, f"bytes {touched[:8]} of the arena, buffers at {spans}"
