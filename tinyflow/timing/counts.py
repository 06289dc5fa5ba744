# SPDX-License-Identifier: Apache-2.0
"""Events of the pipeline and the memories in one inference, counted from its trace.

Everything here is an exact integer and the same on every machine. Caches and predictor start
empty: it is the first inference after reset that is counted, unless a warm-up goes before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from tinyflow.boards import Board, CacheGeometry, MemoryTiming
from tinyflow.emulate.trace import Trace, Watched
from tinyflow.timing.caches import Bools, Ints, mispredictions, misses, run_misses
from tinyflow.timing.cores import pipeline_of
from tinyflow.timing.instructions import Instruction, InstructionKind, decode


@dataclass
class Counts:
    """Events in one layer, or outside all of them. Blocks are named by their address.

    Attributes:
        edges: by (block before, block), how often one followed the other. The first edge comes
            from a block of another section, or from 0 where nothing was before.
        mispredicted: by block, how often the branch at its end was mispredicted.
        fetch_misses: by block, lines of code that had to be read from flash.
        flash_reads: by block, reads of flash data that missed every cache.
        ram_misses: by (block, position of the bank in the board's list), lines of cached RAM.
        ram_bursts: by (block, bank), bursts of loads that read the slow bank: in each execution
            of the block as many as it has, but no more than it reads of the bank.
    """

    edges: Counter[tuple[int, int]] = field(default_factory=Counter)
    mispredicted: Counter[int] = field(default_factory=Counter)
    fetch_misses: Counter[int] = field(default_factory=Counter)
    flash_reads: Counter[int] = field(default_factory=Counter)
    ram_misses: Counter[tuple[int, int]] = field(default_factory=Counter)
    ram_bursts: Counter[tuple[int, int]] = field(default_factory=Counter)

    @property
    def executions(self) -> Counter[int]:
        """Return the number of executions of each block."""
        found: Counter[int] = Counter()
        for (_, block), count in self.edges.items():
            found[block] += count
        return found

    @staticmethod
    def merged(parts: Iterable[Counts]) -> Counts:
        """Add up the events of several parts of one trace."""
        total = Counts()
        for part in parts:
            for counter in fields(Counts):
                getattr(total, counter.name).update(getattr(part, counter.name))
        return total


@dataclass(frozen=True)
class InferenceCounts:
    """The counts of every section, and the code they speak of.

    Attributes:
        overhead: before the first layer.
        layers: from each layer's entry to the next one's.
        blocks: by address, the instructions of every block that ran.
    """

    overhead: Counts
    layers: tuple[Counts, ...]
    blocks: dict[int, tuple[Instruction, ...]]

    @property
    def sections(self) -> tuple[Counts, ...]:
        """Overhead, then the layers."""
        return (self.overhead, *self.layers)

    def instructions(self, section: Counts) -> int:
        """Executed instructions, predicated-off ones included."""
        return sum(count * len(self.blocks[block]) for block, count in section.executions.items())


def watched(board: Board) -> list[Watched]:
    """The memory whose accesses `count` needs to see."""
    timing = board.timing
    if timing is None:
        return []
    spans = []
    if timing.flash_data.cache is not None or timing.cycles(timing.flash_data):
        flash = board.flash
        spans.append(Watched(flash.origin, flash.origin + flash.size - 1))
    spans += [
        Watched(bank.origin, bank.origin + bank.size - 1, writes=bank.cached)
        for bank in timing.ram
        if bank.cached or bank.burst_cycles
    ]
    return spans


#: The section of a block that is not counted.
_NOT_COUNTED = -1


def count(
    trace: Trace, board: Board, layers: Sequence[int], *, warm_up: int = 0
) -> InferenceCounts:
    """Count what a trace holds.

    Args:
        trace: made while `watched(board)` was watched.
        board: whose core and memories are meant.
        layers: addresses of the layers' functions, each the beginning of a section.
        warm_up: how many blocks at the beginning of the trace are not counted, and only leave
            caches and predictor as they do.
    """
    sections = _section_of_each_block(trace, layers)
    sections[:warm_up] = _NOT_COUNTED
    return count_sections(Blocks(trace), board, sections, len(layers))


class Blocks:
    """The blocks of a trace, numbered from 0 by address, and decoded.

    Attributes:
        trace: the trace.
        addresses: int64 (blocks,), ascending.
        ids: int64 (executions,), the number of each block that ran, in order.
        code: by number, the block's instructions.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        addresses, self.ids = np.unique(trace.blocks, return_inverse=True)
        self.addresses: Ints = addresses.astype(np.int64)
        self.code = [decode(trace.codes[int(a)], int(a)) for a in self.addresses]


def fetch_misses(blocks: Blocks, board: Board, in_flash: Sequence[bool] | None = None) -> Ints:
    """Count the lines of code that each block that ran had to read from flash.

    Code outside flash is fetched without waiting and leaves the cache alone: the board file names
    RAM for code only where that is so.

    Args:
        blocks: of a trace.
        board: whose cache and flash are meant.
        in_flash: for each block, that it counts as code in flash at all.

    Returns:
        int64 (executions,).
    """
    timing, flash = board.timing, board.flash
    if timing is None or timing.fetch.cache is None or not timing.cycles(timing.fetch):
        return np.zeros(len(blocks.ids), np.int64)
    size = timing.fetch.cache.line_bytes
    lines = [
        range(address // size, (code[-1].end - 1) // size + 1)
        if counts and flash.origin <= address < flash.origin + flash.size
        else range(0)
        for address, code, counts in zip(
            blocks.addresses.tolist(),
            blocks.code,
            in_flash or [True] * len(blocks.code),
            strict=True,
        )
    ]
    return run_misses(blocks.ids, lines, timing.fetch.cache)


def count_sections(blocks: Blocks, board: Board, sections: Ints, number: int) -> InferenceCounts:
    """Count what a trace holds, by the given sections.

    Args:
        blocks: of a trace made while `watched(board)` was watched.
        board: whose core and memories are meant.
        sections: int64 (executions,), to which section each block that ran belongs: 0 for the
            overhead, 1 to `number` for those that become the `layers`, and -1 for what is not
            counted and only leaves caches and predictor as it does.
        number: of sections, without the overhead.
    """
    return _Counter(blocks, board, sections, number).counts()


def _section_of_each_block(trace: Trace, layers: Sequence[int]) -> Ints:
    """0 for overhead, 1 and more for the layers, in force until the next one is entered."""
    blocks = trace.blocks
    entered = np.zeros(len(blocks), np.int64)
    for index, address in enumerate(layers, start=1):
        entered[blocks == address] = index
    last = np.maximum.accumulate(np.where(entered > 0, np.arange(len(entered)), -1))
    sections: Ints = np.where(last >= 0, entered[last], 0)
    return sections


class _Counter:
    """Counts one trace in given sections."""

    def __init__(self, blocks: Blocks, board: Board, sections: Ints, number: int) -> None:
        self._board = board
        self._blocks = blocks
        self._trace = blocks.trace
        self._addresses, self._ids, self._code = blocks.addresses, blocks.ids, blocks.code
        self._sections = sections
        self._result = InferenceCounts(
            Counts(),
            tuple(Counts() for _ in range(number)),
            {int(a): code for a, code in zip(self._addresses, self._code, strict=True)},
        )

    def counts(self) -> InferenceCounts:
        self._count_edges()
        if pipeline_of(self._board).mispredict:
            self._count_mispredictions()
        if self._board.timing is not None:
            self._count_fetches()
            self._count_accesses(self._board.timing)
        return self._result

    def _tally(self, positions: Ints) -> list[tuple[Counts, int, int]]:
        """(section, address, count) of the blocks at those positions of the trace."""
        size = len(self._addresses)
        positions = positions[self._sections[positions] != _NOT_COUNTED]
        keys, counts = np.unique(
            self._sections[positions] * size + self._ids[positions], return_counts=True
        )
        return [
            (self._result.sections[key // size], int(self._addresses[key % size]), number)
            for key, number in zip(keys.tolist(), counts.tolist(), strict=True)
        ]

    # ---- the pipeline ----

    def _count_edges(self) -> None:
        size = len(self._addresses) + 1  # 0: nothing before
        before = np.concatenate(([0], self._ids[:-1] + 1))
        counted = self._sections != _NOT_COUNTED
        before[np.flatnonzero(counted)[:1]] = 0
        edges = (self._sections * size + before) * size + self._ids
        keys, counts = np.unique(edges[counted], return_counts=True)
        names = np.concatenate(([0], self._addresses)).tolist()
        for key, number in zip(keys.tolist(), counts.tolist(), strict=True):
            pair, block = divmod(key, size)
            section, previous = divmod(pair, size)
            edge = (names[previous], names[block + 1])
            self._result.sections[section].edges[edge] = number

    def _count_mispredictions(self) -> None:
        ends = np.array([code[-1].end for code in self._code], np.int64)
        following = np.append(self._addresses[self._ids[1:]], 0)
        taken = following != ends[self._ids]
        wrong = np.zeros(len(self._ids), np.bool_)
        # Several blocks may end in one branch: it is entered from different places.
        branches: dict[int, Instruction] = {code[-1].address: code[-1] for code in self._code}
        number_of = {address: index for index, address in enumerate(branches)}
        numbers = np.array([number_of[code[-1].address] for code in self._code])[self._ids]
        order = np.argsort(numbers, kind="stable")
        bounds = np.searchsorted(numbers[order], np.arange(len(branches) + 1))
        for index, branch in enumerate(branches.values()):
            runs = order[bounds[index] : bounds[index + 1]]
            if branch.kind is InstructionKind.TABLE_BRANCH:
                wrong[runs] = True
            elif branch.kind is InstructionKind.BRANCH and branch.conditional:
                wrong[runs] = mispredictions(taken[runs])
        for section, block, number in self._tally(np.flatnonzero(wrong)):
            section.mispredicted[block] = number

    # ---- the memories ----

    def _count_fetches(self) -> None:
        missed = fetch_misses(self._blocks, self._board)
        for section, block, number in self._tally(np.repeat(np.arange(len(missed)), missed)):
            section.fetch_misses[block] = number

    def _count_accesses(self, timing: MemoryTiming) -> None:
        waits = access_waits(self._blocks, self._board, self._trace.accesses.astype(np.int64))
        positions = self._trace.access_blocks
        for section, block, number in self._tally(positions[waits.flash]):
            section.flash_reads[block] = number
        for index, bank in enumerate(timing.ram):
            if bank.cached:
                for section, block, number in self._tally(positions[waits.ram_misses[index]]):
                    section.ram_misses[block, index] = number
            if bank.burst_cycles:
                for section, block, number in self._tally(waits.bursts[index]):
                    section.ram_bursts[block, index] = number


@dataclass(frozen=True)
class AccessWaits:
    """Waits of the accesses of a trace, by memory.

    Attributes:
        flash: Bool (accesses,), reads of flash data that miss every cache.
        ram_misses: for each bank of RAM, Bool (accesses,), those that the data cache misses.
        bursts: for each bank of RAM, the position of a block once for each of its bursts.
    """

    flash: Bools
    ram_misses: tuple[Bools, ...]
    bursts: tuple[Ints, ...]


def access_waits(blocks: Blocks, board: Board, accesses: Ints) -> AccessWaits:
    """Return which accesses wait, and for what.

    Args:
        blocks: of a trace made while `watched(board)` was watched.
        board: whose memories are meant; it describes them.
        accesses: int64 (accesses,), the addresses, in the order of the trace's accesses.
    """
    timing, flash = board.timing, board.flash
    assert timing is not None
    positions = blocks.trace.access_blocks
    in_banks = [
        (accesses >= bank.origin) & (accesses < bank.origin + bank.size) for bank in timing.ram
    ]
    in_flash = (accesses >= flash.origin) & (accesses < flash.origin + flash.size)
    cached = in_flash.copy()
    for bank, inside in zip(timing.ram, in_banks, strict=True):
        if bank.cached:
            cached |= inside
    costly = _missed(accesses, cached, timing.flash_data.cache)
    return AccessWaits(
        flash=in_flash & costly,
        ram_misses=tuple(inside & costly for inside in in_banks),
        bursts=tuple(read_bursts(blocks, positions[inside]) for inside in in_banks),
    )


def read_bursts(blocks: Blocks, positions: Ints) -> Ints:
    """The position of each block once for each burst, given that of each of its reads."""
    bursts = np.array([load_bursts(code) for code in blocks.code])
    executions, reads = np.unique(positions, return_counts=True)
    return np.repeat(executions, np.minimum(reads, bursts[blocks.ids[executions]]))


def load_bursts(block: Sequence[Instruction]) -> int:
    """Runs of single loads, and multiple loads, in a block: each waits for the bus once."""
    bursts = 0
    in_run = False
    for instruction in block:
        if instruction.kind is InstructionKind.LOAD_MULTIPLE:
            bursts += 1
        if instruction.kind is InstructionKind.LOAD and not in_run:
            bursts += 1
        in_run = instruction.kind is InstructionKind.LOAD
    return bursts


def _missed(accesses: Ints, cached: Bools, cache: CacheGeometry | None) -> Bools:
    """Return which of the cached accesses miss; all of them without a cache."""
    if cache is None:
        return cached
    found = np.zeros(len(accesses), np.bool_)
    found[cached] = misses(accesses[cached] // cache.line_bytes, cache)
    return found
