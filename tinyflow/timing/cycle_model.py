# SPDX-License-Identifier: Apache-2.0
"""Cycles, time and energy of an inference, from what was counted and the board's data.

`predict` prices counts; `block_costs` says where in the code the cycles go. Cycles of each cause
are rounded to whole ones section by section, half upwards, so layers and overhead add up exactly.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate, pairwise
from pathlib import Path

from pydantic import TypeAdapter

from tinyflow.boards import Board
from tinyflow.timing.core_pipeline import EdgeCost
from tinyflow.timing.cores import pipeline_of
from tinyflow.timing.counts import Counts, InferenceCounts
from tinyflow.timing.instructions import Instruction
from tinyflow.timing.latency_correction import LatencyCorrection
from tinyflow.timing.validation import ErrorBar, error_bar


@dataclass(frozen=True)
class CycleSplit:
    """Cycles by cause.

    Attributes:
        core: the pipeline, memory without wait states.
        branch: taken branches' refills, or mispredictions.
        flash_data: reads of weights, constants and literals from flash.
        fetch: code from flash.
        ram: RAM that is slower than the core.
    """

    core: int = 0
    branch: int = 0
    flash_data: int = 0
    fetch: int = 0
    ram: int = 0

    @property
    def cycles(self) -> int:
        """All of them."""
        return self.core + self.branch + self.flash_data + self.fetch + self.ram

    def scaled(self, factor: float) -> CycleSplit:
        """Each cause times a factor, in whole cycles."""
        exact = Decimal(factor)
        return CycleSplit(
            *(_whole(getattr(self, part.name) * exact) for part in fields(CycleSplit))
        )

    def __add__(self, other: CycleSplit) -> CycleSplit:
        return CycleSplit(
            *(getattr(self, part.name) + getattr(other, part.name) for part in fields(CycleSplit))
        )


@dataclass(frozen=True)
class SectionTiming:
    """One layer, or what is outside all of them."""

    instructions: int
    split: CycleSplit

    @property
    def cycles(self) -> int:
        """All its cycles."""
        return self.split.cycles


_SECTIONS = TypeAdapter(list[SectionTiming])


@dataclass(frozen=True)
class Timing:
    """One inference on a board, or one call of a function.

    Attributes:
        clock_hz: the board's.
        overhead: before the first layer.
        layers: in order.
        error: how far `cycles` may be off.
        power_mw: of the part while it runs, typical, from the data sheet; None if the board
            file has none.
        correction: the factor that the modelled cycles were multiplied by, or None.
    """

    clock_hz: int
    overhead: SectionTiming
    layers: tuple[SectionTiming, ...]
    error: ErrorBar
    power_mw: Decimal | None
    correction: LatencyCorrection | None = None

    @property
    def split(self) -> CycleSplit:
        """Cycles of the whole by cause."""
        return sum((layer.split for layer in self.layers), self.overhead.split)

    @property
    def cycles(self) -> int:
        """Cycles of the whole."""
        return self.split.cycles

    @property
    def instructions(self) -> int:
        """Executed instructions of the whole."""
        return self.overhead.instructions + sum(layer.instructions for layer in self.layers)

    @property
    def cycles_per_instruction(self) -> float:
        """Cycles divided by instructions."""
        return self.cycles / max(1, self.instructions)

    def save(self, path: Path) -> None:
        """Write to a file what `load` reads."""
        path.write_bytes(_SECTIONS.dump_json([self.overhead, *self.layers]))

    @staticmethod
    def load(path: Path, board: Board) -> Timing:
        """Read what `save` wrote, for the same board."""
        return timing_of(_SECTIONS.validate_json(path.read_bytes()), board)

    def corrected(self, correction: LatencyCorrection | None) -> Timing:
        """The same inference as a board it was measured on would run it; None changes nothing."""
        if correction is None:
            return self
        overhead, *layers = (
            replace(section, split=section.split.scaled(correction.factor))
            for section in (self.overhead, *self.layers)
        )
        return replace(
            self,
            overhead=overhead,
            layers=tuple(layers),
            error=correction.error_bar(self.error),
            correction=correction,
        )

    def milliseconds(self, cycles: int) -> float:
        """The time of `cycles` at the board's clock."""
        return 1e3 * cycles / self.clock_hz

    def microjoules(self, cycles: int) -> float | None:
        """The energy of `cycles`."""
        if self.power_mw is None:
            return None
        return float(self.power_mw) * self.milliseconds(cycles)


def predict(counts: InferenceCounts, board: Board) -> Timing:
    """The modelled timing of what was counted.

    Args:
        counts: of the board's own core and memories (`counts.count`).
        board: the board.
    """
    prices = _Prices(counts, board)
    return timing_of([prices.section(section) for section in counts.sections], board)


def timing_of(sections: Sequence[SectionTiming], board: Board) -> Timing:
    """The timing made of an overhead and layers."""
    current = board.run_current
    return Timing(
        clock_hz=board.clock_hz,
        overhead=sections[0],
        layers=tuple(sections[1:]),
        error=error_bar(board),
        power_mw=None if current is None else current.ma * current.volts,
    )


@dataclass(frozen=True)
class BlockCost:
    """A straight run of code and its cycles, summed over a section.

    Attributes:
        address: of its first instruction.
        executions: how often it ran.
        instructions: each with the core's and the branch's cycles, over all executions.
        split: cycles of the block by cause; what the memories add is not split further.
    """

    address: int
    executions: int
    instructions: tuple[tuple[Instruction, CycleSplit], ...]
    split: CycleSplit


def block_costs(counts: InferenceCounts, section: Counts, board: Board) -> dict[int, BlockCost]:
    """Return the cycles of a section, by address of the block.

    A branch's cost is counted at the branch, though it is paid on the way to the next block: blocks
    of a section may differ from its `SectionTiming` by the branches into and out of it.
    """
    return _Prices(counts, board).blocks(section)


def apportioned(total: CycleSplit, parts: Sequence[CycleSplit]) -> list[CycleSplit]:
    """Share out the cycles of each cause in proportion to some parts, in whole cycles.

    The shares add up to `total` exactly.
    """
    columns = [
        _shared(getattr(total, cause.name), [getattr(part, cause.name) for part in parts])
        for cause in fields(CycleSplit)
    ]
    return [CycleSplit(*shares) for shares in zip(*columns, strict=True)]


def _shared(total: int, weights: Sequence[int]) -> list[int]:
    """Shares whose running sums are the exact ones, rounded; where no part weighs, all is last."""
    sums = list(accumulate(weights))
    whole = sums[-1] if sums else 0
    ends = [total * each // whole for each in sums] if whole else [0] * (len(sums) - 1) + [total]
    return [end - begin for begin, end in pairwise([0, *ends])]


def _whole(cycles: Decimal) -> int:
    return int(cycles.quantize(Decimal(1), rounding=ROUND_HALF_UP))


class _Prices:
    """Cost of each counted event on the board."""

    def __init__(self, counts: InferenceCounts, board: Board) -> None:
        self._counts = counts
        self._timing = board.timing
        self._pipeline = pipeline_of(board)
        self._edges: dict[tuple[int, int], EdgeCost] = {}

    def section(self, counts: Counts) -> SectionTiming:
        core = branch = 0
        for edge, count in counts.edges.items():
            cost = self._edge(edge)
            core += count * sum(cost.core)
            branch += count * cost.branch
        branch += self._pipeline.mispredict * counts.mispredicted.total()
        data, fetch, ram = self._memory(
            counts.flash_reads.total(),
            counts.fetch_misses.total(),
            counts.ram_misses,
            counts.ram_bursts,
        )
        return SectionTiming(
            self._counts.instructions(counts),
            CycleSplit(core, branch, _whole(data), _whole(fetch), _whole(ram)),
        )

    def blocks(self, counts: Counts) -> dict[int, BlockCost]:
        core: dict[int, list[int]] = {}
        branch: Counter[int] = Counter()
        for (before, block), count in counts.edges.items():
            cost = self._edge((before, block))
            sums = core.setdefault(block, [0] * len(cost.core))
            for index, cycles in enumerate(cost.core):
                sums[index] += count * cycles
            branch[before] += count * cost.branch
        for block, count in counts.mispredicted.items():
            branch[block] += count * self._pipeline.mispredict
        executions = counts.executions
        misses: dict[int, Counter[tuple[int, int]]] = defaultdict(Counter)
        bursts: dict[int, Counter[tuple[int, int]]] = defaultdict(Counter)
        for grouped, found in ((misses, counts.ram_misses), (bursts, counts.ram_bursts)):
            for key, count in found.items():
                grouped[key[0]][key] = count
        costs = {}
        for block, cycles_of in core.items():
            data, fetch, ram = self._memory(
                counts.flash_reads[block], counts.fetch_misses[block], misses[block], bursts[block]
            )
            last = len(cycles_of) - 1
            lines = tuple(
                (instruction, CycleSplit(cycles, branch[block] if index == last else 0))
                for index, (instruction, cycles) in enumerate(
                    zip(self._counts.blocks[block], cycles_of, strict=True)
                )
            )
            costs[block] = BlockCost(
                block,
                executions[block],
                lines,
                CycleSplit(sum(cycles_of), branch[block], _whole(data), _whole(fetch), _whole(ram)),
            )
        return costs

    def _edge(self, edge: tuple[int, int]) -> EdgeCost:
        if edge not in self._edges:
            blocks = self._counts.blocks
            self._edges[edge] = self._pipeline.edge(blocks.get(edge[0], ()), blocks[edge[1]])
        return self._edges[edge]

    def _memory(
        self,
        flash_reads: int,
        fetch_misses: int,
        ram_misses: Counter[tuple[int, int]],
        ram_bursts: Counter[tuple[int, int]],
    ) -> tuple[Decimal, Decimal, Decimal]:
        """Cycles for flash data, code, and RAM."""
        timing = self._timing
        if timing is None:
            return Decimal(0), Decimal(0), Decimal(0)
        ram = Decimal(0)
        for (_, bank), count in ram_misses.items():
            ram += count * timing.ram[bank].miss_cycles
        for (_, bank), count in ram_bursts.items():
            ram += count * timing.ram[bank].burst_cycles
        return (
            flash_reads * timing.cycles(timing.flash_data),
            fetch_misses * timing.cycles(timing.fetch),
            ram,
        )
