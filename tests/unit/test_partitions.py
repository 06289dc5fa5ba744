# SPDX-License-Identifier: Apache-2.0
"""Layers that run row by row: nothing that is needed is written over, and results are exact."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cores import board_with
from tests.support.row_networks import residual_block, row_kernels, row_network
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import Core, load_board
from tinyflow.costs.trial import Trial
from tinyflow.ir.graph import Graph
from tinyflow.kernels.base import Kernel, nhwc
from tinyflow.kernels.cmsis_nn.source import CmsisNN, find_cmsis_nn
from tinyflow.oracle.oracle import Oracle
from tinyflow.plan.fused_blocks import RowLayer, row_bytes, row_layer
from tinyflow.plan.memory import MemoryPlan, Planner, plan_memory
from tinyflow.plan.schedule import Schedule
from tinyflow.tflite.importer import import_model

pytestmark = pytest.mark.slow

CMSIS = CmsisNN("7.0.0", "lib_deps", None, None, {})
BOARD = load_board("stm32l4r5")
POOL: dict[str, Any] = {"filterHeight": 3, "filterWidth": 3, "strideH": 1, "strideW": 1}


def _planned(content: bytes, room: int | None = 0) -> tuple[Graph, MemoryPlan]:
    graph = import_model(content, Path("net.tflite"), name="net")
    return graph, plan_memory(graph, row_kernels(graph, BOARD, CMSIS), room=room)


class _Replay:
    """An inference on memory that holds, for each byte, which byte of which tensor it is."""

    def __init__(self, graph: Graph, plan: MemoryPlan) -> None:
        self._graph, self._plan = graph, plan
        self._memory = np.full(plan.arena_size, -1)

    def run(self) -> None:
        for index in self._graph.inputs:
            self._write(index, 0, self._graph.tensors[index].size)
        streamed = {
            index for each in self._plan.fused_blocks for index in range(each.first, each.end)
        }
        steps = {fused_block.first: fused_block.steps for fused_block in self._plan.fused_blocks}
        for index, kernel in enumerate(self._plan.kernels):
            if index in steps:
                self._run_fused_block(steps[index])
            elif index not in streamed:
                self._run_whole(index, kernel)
        for index in self._graph.outputs:
            self._check(index, 0, self._graph.tensors[index].size)

    def _run_whole(self, index: int, kernel: Kernel) -> None:
        self._spoil_scratch(index)
        for tensor in kernel.operator.inputs():
            if not self._graph.tensors[tensor].is_constant:
                self._check(tensor, 0, self._graph.tensors[tensor].size)
        for tensor in kernel.operator.outputs():
            self._write(tensor, 0, self._graph.tensors[tensor].size)

    def _run_fused_block(self, steps: tuple[int, ...]) -> None:
        done = dict.fromkeys(steps, 0)
        for index in steps:
            layer = row_layer(self._graph, self._plan.kernels[index])
            assert layer is not None
            self._spoil_scratch(index)
            self._run_row(layer, done[index])
            done[index] += 1
        for index, rows in done.items():
            layer = row_layer(self._graph, self._plan.kernels[index])
            assert layer is not None
            assert rows == layer.rows or layer.output in self._plan.rings

    def _run_row(self, layer: RowLayer, row: int) -> None:
        form, size = layer.form, row_bytes(self._graph, layer.output)
        target = self._address(layer.output, row * size)
        for tensor in layer.inputs:
            height, read = nhwc(self._graph.tensors[tensor])[1], row_bytes(self._graph, tensor)
            for number in range(form.height):
                wanted = row * form.stride - form.pad + number * form.dilation
                if 0 <= wanted < height:
                    self._check(tensor, wanted * read, read)
                    start = self._address(tensor, wanted * read)
                    apart = target + size <= start or start + read <= target
                    assert apart or (form.overlaps and form.height == 1 and target <= start)
        self._write(layer.output, row * size, size)

    def _address(self, tensor: int, byte: int) -> int:
        ring = self._plan.rings.get(tensor)
        if ring is None:
            return self._plan.tensors[tensor] + byte
        size = row_bytes(self._graph, tensor)
        return ring.offset + byte // size % ring.rows * size + byte % size

    def _write(self, tensor: int, start: int, size: int) -> None:
        """Bytes of a tensor, no more than a row where rows are all there is of it."""
        address = self._address(tensor, start)
        assert 0 <= address <= self._memory.size - size
        self._memory[address : address + size] = self._names(tensor, start, size)

    def _check(self, tensor: int, start: int, size: int) -> None:
        address = self._address(tensor, start)
        found = self._memory[address : address + size]
        assert np.array_equal(found, self._names(tensor, start, size))

    def _names(self, tensor: int, start: int, size: int) -> np.ndarray:
        return (tensor << 32) + np.arange(start, start + size)

    def _spoil_scratch(self, index: int) -> None:
        offset = self._plan.scratch[index]
        if offset is not None:
            size = self._plan.kernels[index].scratch
            assert offset + size <= self._memory.size
            self._memory[offset : offset + size] = -1


def test_what_is_still_needed_is_never_written_over() -> None:
    streamed = 0
    for seed in range(60):
        graph, plan = _planned(row_network(seed))
        _Replay(graph, plan).run()
        whole = _planned(row_network(seed), None)[1]
        assert not whole.fused_blocks
        assert plan.arena_size <= whole.arena_size
        streamed += plan.arena_size < whole.arena_size
    assert streamed >= 20


def test_a_residual_block_needs_its_input_and_a_few_rows() -> None:
    graph, plan = _planned(residual_block())
    (fused_block,) = plan.fused_blocks
    (x,), (y,) = graph.inputs, graph.outputs
    assert list(fused_block.rings.values()) == [3, 1]
    # The sum is written over the rows that it is made of: they are not needed any more.
    assert fused_block.leads == {(x, y): 0}
    assert plan.arena_size == (64 + 3 + 1) * 64
    assert plan.is_optimal


def test_a_layer_alone_writes_behind_the_rows_that_it_reads() -> None:
    b = TfliteBuilder()
    x, y = (b.tensor((1, 64, 16, 4), scale=0.1) for _ in range(2))
    b.operator("MAX_POOL_2D", [x], [y], **POOL)
    _, plan = _planned(b.build([x], [y]))
    assert [fused_block.leads for fused_block in plan.fused_blocks] == [{(x, y): 2 * 64}]
    assert plan.arena_size == (64 + 2) * 64


def _turns(plan: MemoryPlan) -> int:
    return sum(len(fused_block.steps) for fused_block in plan.fused_blocks)


def test_no_more_layers_run_row_by_row_than_the_room_asks_for() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 32, 16, 4), scale=0.1)
    ends = [x]
    for _ in range(4):
        ends.append(b.tensor((1, 32, 16, 4), scale=0.1))
        b.operator("MAX_POOL_2D", [ends[-2]], [ends[-1]], **POOL)
    content = b.build([x], [ends[-1]])
    whole = _planned(content, None)[1]
    assert not whole.fused_blocks
    assert not _planned(content, whole.arena_size)[1].fused_blocks
    tight = _planned(content, whole.arena_size - 1)[1]
    assert tight.fused_blocks
    assert tight.arena_size < whole.arena_size
    assert _turns(tight) <= _turns(_planned(content, 0)[1])


def _schedules(
    planner: Planner, kernels: Sequence[Kernel], costs: Sequence[int]
) -> Iterator[Schedule]:
    """The cheapest way, and cheaper and cheaper arenas."""
    schedule: Schedule | None = planner.whole(kernels)
    while schedule is not None:
        yield schedule
        schedule = planner.schedule(kernels, costs, schedule.peak - 1)


def test_less_memory_costs_more_and_nothing_is_written_over() -> None:
    for seed in range(20):
        graph = import_model(row_network(seed), Path("net.tflite"), name="net")
        kernels = row_kernels(graph, BOARD, CMSIS)
        planner, costs = Planner(graph), [100 + index for index in range(len(kernels))]
        schedules = list(_schedules(planner, kernels, costs))
        spent = [sum(costs[index] for index in schedule.by_rows) for schedule in schedules]
        assert spent == sorted(spent)
        assert planner.least(kernels) == schedules[-1].peak
        for schedule in schedules:
            plan = planner.plan(kernels, schedule)
            assert plan.arena_size >= max(1, schedule.peak)
            _Replay(graph, plan).run()
        # With some room the cheapest way that has it.
        for schedule in schedules:
            assert planner.schedule(kernels, costs, schedule.peak) == schedule


def test_what_a_planner_remembers_of_other_kernels_does_no_harm() -> None:
    for seed in range(20):
        graph = import_model(row_network(seed), Path("net.tflite"), name="net")
        able = row_kernels(graph, BOARD, CMSIS)
        rng, planner = np.random.default_rng(seed), Planner(graph)
        costs = [100] * len(able)
        for _ in range(6):
            kernels = [
                replace(kernel, scratch=int(rng.integers(0, 99)))
                if rng.integers(3)
                else replace(kernel, row_form=None)
                for kernel in able
            ]
            assert list(_schedules(planner, kernels, costs)) == list(
                _schedules(Planner(graph), kernels, costs)
            )


def test_long_networks_are_cut_within_a_second() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 24, 8, 4), scale=0.1)
    ends = [x]
    for _ in range(100):
        ends.append(b.tensor((1, 24, 8, 4), scale=0.1))
        b.operator("MAX_POOL_2D", [ends[-2]], [ends[-1]], **POOL)
    content = b.build([x], [ends[-1]])
    graph = import_model(content, Path("net.tflite"), name="net")
    kernels = row_kernels(graph, BOARD, CMSIS)
    start = time.process_time()
    plan_memory(graph, kernels, room=0)
    assert time.process_time() - start < 2.0  # a slow machine is given twice the time


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no cross-compiler")
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
@pytest.mark.parametrize("seed", range(4))
def test_results_are_exact(core: Core, seed: int, tmp_path: Path) -> None:
    content = row_network(seed)
    graph = import_model(content, Path("net.tflite"), name="net")
    target, cmsis = board_with(core, tmp_path), find_cmsis_nn()
    trial = Trial(graph, row_kernels(graph, target, cmsis), target, cmsis, room=0)
    assert trial.plan.fused_blocks
    oracle, rng = Oracle(content), np.random.default_rng(seed)
    for _ in range(3):
        sample = rng.integers(-128, 128, next(graph.input_tensors()).shape).astype(np.int8)
        for found, due in zip(trial.run(sample), oracle.run(sample), strict=True):
            assert np.array_equal(found, due)
    timing = trial.time(sample)
    assert all(layer.instructions > 0 for layer in timing.layers)
