"""No kernel writes outside of its output and its scratch.

The arena is laid out with guard bytes around every tensor and every scratch buffer, and the memory
of the state with guard bytes behind every state; after an inference they must be as they were.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import tinyflow
from tests.conformance.driver import model_of
from tests.conformance.test_conformance import GROUPS
from tinyflow.boards import load_board
from tinyflow.built import read_build
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.plan.allocator import ALIGNMENT, Allocation, Block, Sharing, aligned
from tinyflow.report.plan import PlanFile
from tinyflow.toolchain.elf import read_image

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

GUARD = 64
PATTERN = 0x5A


@pytest.mark.parametrize("group", GROUPS)
def test_guards_around_every_buffer_stay(
    group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: list[tuple[int, int]] = []

    def spread(blocks: Sequence[Block], _: Sequence[Sharing], *, thorough: bool) -> Allocation:
        offset, offsets = GUARD, list[int]()
        for block in blocks:
            offsets.append(offset)
            offset += -(-block.size // ALIGNMENT) * ALIGNMENT + GUARD
        if thorough:  # the plan that is used, not one tried while kernels are chosen
            spans.extend((start, block.size) for start, block in zip(offsets, blocks, strict=True))
        return Allocation(tuple(offsets), offset, offset)

    monkeypatch.setattr("tinyflow.plan.memory.allocate", spread)
    monkeypatch.setattr(
        "tinyflow.plan.memory.order_for_memory", lambda _, kernels: tuple(range(len(kernels)))
    )
    monkeypatch.setattr("tinyflow.plan.memory.aligned", lambda size: aligned(size) + GUARD)
    model = tmp_path / "net.tflite"
    model.write_bytes(model_of(GROUPS[group]))
    tinyflow.build(model, board="stm32l4r5", output=tmp_path / "build", vectors=2)
    image = read_image(read_build(tmp_path / "build").elf)
    arena = image.symbol("net_arena")
    guards = np.ones(arena.size, bool)
    for start, size in spans:
        guards[start : start + size] = False
    assert guards.sum() >= GUARD * (len(spans) + 1)
    plan = PlanFile.read(tmp_path / "build" / "plan.json")
    state = None if plan.state is None else image.symbol(plan.state)

    with Simulator(image, load_board("stm32l4r5")) as simulator:
        client = HarnessClient(simulator)
        vectors = tmp_path / "build" / "vectors"
        inputs = [
            np.load(vectors / f"input_{index}.npy")[0].reshape(tensor.shape)
            for index, tensor in enumerate(client.info().inputs)
        ]
        simulator.write_memory(arena.address, bytes([PATTERN]) * arena.size)
        if state is not None:
            simulator.write_memory(state.address, bytes([PATTERN]) * state.size)
        client.run(*inputs)
        memory = np.frombuffer(simulator.read_memory(arena.address, arena.size), np.uint8)
        if state is not None:
            kept = np.frombuffer(simulator.read_memory(state.address, state.size), np.uint8)
            _check_state_guards(plan, kept)
    touched = np.flatnonzero(guards & (memory != PATTERN))
    assert touched.size == 0, f"bytes {touched[:8]} of the arena, buffers at {spans}"


def _check_state_guards(plan: PlanFile, memory: np.ndarray) -> None:
    guards = np.ones(memory.size, bool)
    tensors = [
        tensor
        for layer in plan.layers
        for tensor in (*layer.outputs, *layer.states)
        if tensor.memory == "state"
    ]
    for tensor in tensors:
        size = int(np.prod(tensor.shape)) * np.dtype(tensor.dtype).itemsize
        guards[tensor.offset : tensor.offset + size] = False
    assert guards.sum() >= GUARD * len({tensor.offset for tensor in tensors}) > 0
    touched = np.flatnonzero(guards & (memory != PATTERN))
    assert touched.size == 0, f"bytes {touched[:8]} of the state"
