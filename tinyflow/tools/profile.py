# SPDX-License-Identifier: Apache-2.0
"""Runs one inference in the simulator, and says where the modelled cycles go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from tinyflow.boards import Board
from tinyflow.distribution import VERSION
from tinyflow.errors import InputError
from tinyflow.report.plan import read_plan
from tinyflow.report.profile_data import (
    BlockUse,
    Profile,
    ProfiledBlock,
    ProfiledFrame,
    ProfiledFunction,
    ProfiledInstruction,
    ProfiledLayer,
    ProfiledModel,
)
from tinyflow.report.report_data import LayerSection, Report
from tinyflow.report.sections import latency_section, split_section
from tinyflow.timing.counts import Blocks, Counts, InferenceCounts
from tinyflow.timing.cycle_model import (
    BlockCost,
    CycleSplit,
    SectionTiming,
    Timing,
    apportioned,
    block_costs,
    predict,
)
from tinyflow.timing.latency_correction import LatencyCorrection, correction_of
from tinyflow.timing.stacks import Functions, Stack, StackCounts, count_stacks
from tinyflow.timing.traced_run import trace_inference
from tinyflow.toolchain.elf import Image, read_image
from tinyflow.tools.build_folder import Built

_BEFORE = "before the first layer"


def profile_build(
    built: Built,
    board: Board,
    sample: Sequence[npt.NDArray[Any]],
    *,
    before: Sequence[Sequence[npt.NDArray[Any]]] = (),
    source: str,
    top: int,
) -> Profile:
    """Profile one inference.

    Args:
        built: the build.
        board: the board it was built for.
        sample: one array for each input, of the model's exact shape and type.
        before: samples that run first, for the state of a model that keeps one.
        source: what the sample is, for people.
        top: how many of the hottest blocks to list.

    Raises:
        InputError: the build's plan is missing, or is not of its image.
        DeviceError: the firmware faulted, or gave other outputs under the trace.
    """
    report = built.report
    image = read_image(built.elf)
    functions = [layer.function for layer in read_plan(built.folder).layers]
    entry = f"{report.model.name}_invoke"
    known = {symbol.name for symbol in image.symbols}
    if len(functions) != len(report.layers) or not known.issuperset([entry, *functions]):
        raise InputError(
            f"{built.folder}: plan, report and image do not belong together", hint="Build it again."
        )
    trace, _ = trace_inference(image, board, entry=entry, sample=sample, before=before)
    layers = [image.symbol(name).address for name in functions]
    stacks = count_stacks(Blocks(trace), image, board, layers)
    inference = _Inference(stacks, functions, board)
    timing = inference.timing
    total = max(1, timing.cycles)
    return Profile(
        tinyflow=VERSION,
        model=ProfiledModel(
            name=report.model.name,
            source=report.model.source,
            sha256=report.model.sha256,
            macs=report.model.macs,
            input=source,
        ),
        board=report.board,
        latency=latency_section(timing, board),
        layers=tuple(
            _layer(layer, timed, timing, total)
            for layer, timed in zip(report.layers, timing.layers, strict=True)
        ),
        functions=tuple(_functions(inference.stacks, total)),
        blocks=tuple(_blocks(inference, image, top, total)),
        frames=tuple(_frames(inference, report, functions)),
        in_ram=tuple(placed for placed in report.placement if placed.gain_cycles is not None),
    )


@dataclass(frozen=True)
class _TimedStack:
    stack: Stack
    timing: SectionTiming
    calls: int


class _Inference:
    """Counts of an inference, priced by section and by stack so that both add up to the same."""

    def __init__(self, counted: StackCounts, layers: Sequence[str], board: Board) -> None:
        self.board = board
        self.correction: LatencyCorrection | None = correction_of(board)
        by_section: list[list[int]] = [[] for _ in range(len(layers) + 1)]
        for index, stack in enumerate(counted.stacks):
            by_section[stack.section].append(index)
        overhead, *rest = (
            Counts.merged(counted.counts.layers[index] for index in section)
            for section in by_section
        )
        self.counts = InferenceCounts(overhead, tuple(rest), counted.counts.blocks)
        self.timing: Timing = predict(self.counts, board).corrected(self.correction)
        alone = predict(counted.counts, board).layers
        sections = [self.timing.overhead, *self.timing.layers]
        timed: dict[int, _TimedStack] = {}
        for section, indices in zip(sections, by_section, strict=True):
            splits = apportioned(section.split, [alone[index].split for index in indices])
            for index, split in zip(indices, splits, strict=True):
                stack = counted.stacks[index]
                timed[index] = _TimedStack(
                    stack,
                    SectionTiming(alone[index].instructions, split),
                    counted.calls[stack],
                )
        self.stacks = [timed[index] for index in range(len(counted.stacks))]


def _layer(layer: LayerSection, timed: SectionTiming, timing: Timing, total: int) -> ProfiledLayer:
    return ProfiledLayer(
        name=layer.name,
        operator=layer.operator,
        kernel=layer.kernel,
        macs=layer.macs,
        instructions=timed.instructions,
        cycles=timed.cycles,
        ms=timing.milliseconds(timed.cycles),
        share=timed.cycles / total,
        cycles_per_mac=timed.cycles / layer.macs if layer.macs else None,
        split=split_section(timed.split),
    )


# ---- functions ----


@dataclass
class _FunctionCycles:
    calls: int = 0
    instructions: int = 0
    own: CycleSplit = field(default_factory=CycleSplit)
    total: int = 0


def _functions(stacks: Sequence[_TimedStack], total: int) -> Iterator[ProfiledFunction]:
    """Every function that ran, the one with the most cycles in itself first."""
    found: dict[str, _FunctionCycles] = {}
    for timed in stacks:
        for name in dict.fromkeys(timed.stack.frames):
            found.setdefault(name, _FunctionCycles()).total += timed.timing.cycles
        last = found[timed.stack.frames[-1]]
        last.calls += timed.calls
        last.instructions += timed.timing.instructions
        last.own += timed.timing.split
    for name, each in sorted(found.items(), key=lambda item: (-item[1].own.cycles, item[0])):
        yield ProfiledFunction(
            name=name,
            calls=each.calls,
            instructions=each.instructions,
            self_cycles=each.own.cycles,
            total_cycles=each.total,
            self_share=each.own.cycles / total,
            total_share=each.total / total,
            split=split_section(each.own),
        )


# ---- blocks ----


def _blocks(inference: _Inference, image: Image, top: int, total: int) -> Iterator[ProfiledBlock]:
    """The blocks that take the most cycles, over all layers."""
    counts = inference.counts
    costs = block_costs(counts, Counts.merged(counts.sections), inference.board)
    hottest = sorted(costs.values(), key=lambda cost: (-cost.split.cycles, cost.address))[:top]
    executions = [section.executions for section in counts.sections]
    names = Functions(image)
    factor = 1.0 if inference.correction is None else inference.correction.factor
    for cost in hottest:
        split = cost.split.scaled(factor)
        function = names.name(cost.address)
        yield ProfiledBlock(
            address=cost.address,
            function=function,
            offset=cost.address - names.start(cost.address),
            executions=cost.executions,
            cycles=split.cycles,
            share=split.cycles / total,
            split=split_section(split),
            instructions=tuple(_instructions(cost, factor)),
            uses=tuple(
                BlockUse(layer=section - 1, executions=ran[cost.address])
                for section, ran in enumerate(executions)
                if ran[cost.address]
            ),
        )


def _instructions(cost: BlockCost, factor: float) -> Iterator[ProfiledInstruction]:
    for instruction, split in cost.instructions:
        scaled = split.scaled(factor)
        yield ProfiledInstruction(
            address=instruction.address,
            text=instruction.text,
            core=scaled.core,
            branch=scaled.branch,
        )


# ---- the call tree ----


@dataclass
class _TreeNode:
    parent: int
    name: str
    calls: int = 0
    own: int = 0
    cycles: int = 0


def _frames(
    inference: _Inference, report: Report, functions: Sequence[str]
) -> Iterator[ProfiledFrame]:
    """Model, layers, functions. The model's own function and the layers' are the first two."""
    frames = [_TreeNode(-1, report.model.name, calls=1)]
    titles = [_BEFORE, *(layer.name for layer in report.layers)]
    places: dict[tuple[int | str, ...], int] = {}

    def place(parent: int, key: tuple[int | str, ...], name: str) -> int:
        if key not in places:
            places[key] = len(frames)
            frames.append(_TreeNode(parent, name))
        return places[key]

    for timed in inference.stacks:
        section = timed.stack.section
        inner = timed.stack.frames[1:]
        if section and inner[:1] == (functions[section - 1],):
            inner = inner[1:]
        position = place(0, (section,), titles[section])
        frames[position].calls = 1
        for depth, name in enumerate(inner, start=1):
            position = place(position, (section, *inner[:depth]), name)
        frames[position].own += timed.timing.cycles
        if inner:
            frames[position].calls += timed.calls
    for frame in reversed(frames):  # a parent comes before its children
        frame.cycles += frame.own
        if frame.parent >= 0:
            frames[frame.parent].cycles += frame.cycles
    for frame in frames:
        yield ProfiledFrame(
            parent=frame.parent,
            name=frame.name,
            calls=frame.calls,
            cycles=frame.cycles,
            self_cycles=frame.own,
        )
