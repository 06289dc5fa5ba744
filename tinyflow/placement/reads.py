# SPDX-License-Identifier: Apache-2.0
"""Reads of constants in a traced inference, array by array: the input of their placement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

import numpy as np

from tinyflow.boards import Board
from tinyflow.plan.constants_in_ram import ArrayUse, ReadProfile
from tinyflow.timing.caches import Ints
from tinyflow.timing.counts import Blocks, access_waits, read_bursts
from tinyflow.toolchain.elf import Image, Symbol

#: An address that no memory is at, for reads that wait for none.
_NOWHERE = -1


class TracedReads(ReadProfile):
    """The reads of one inference, traced with all code and constants in flash.

    Args:
        blocks: of the inference's trace, made while `watched(board)` was watched.
        image: what ran.
        board: whose memories are meant; it describes them.
        cycles: of the inference.
        moved_code: functions that will run from RAM; their literals go with them.
    """

    def __init__(
        self, blocks: Blocks, image: Image, board: Board, cycles: int, moved_code: Collection[str]
    ) -> None:
        assert board.timing is not None
        self._blocks, self._board, self._timing = blocks, board, board.timing
        self.cycles = cycles
        self.miss_cycles = board.timing.cycles(board.timing.flash_data)
        accesses = blocks.trace.accesses.astype(np.int64)
        functions = [s for s in image.symbols if s.kind == "function" and s.name in moved_code]
        self._accesses = np.where(_holders(accesses, functions) >= 0, _NOWHERE, accesses)
        self._arrays = image.weights
        self._holder = _holders(self._accesses, self._arrays)
        self.arrays = self._uses()

    def waits_with(self, moved: Mapping[str, int]) -> int:
        """Cycles of waiting for data when some arrays lie in RAM, each at its address."""
        shifts = [moved.get(array.name, array.address) - array.address for array in self._arrays]
        # the last one is for reads of something else
        accesses = self._accesses + np.array([*shifts, 0], np.int64)[self._holder]
        waits = access_waits(self._blocks, self._board, accesses)
        cycles = int(waits.flash.sum()) * self.miss_cycles
        for bank, misses, bursts in zip(
            self._timing.ram, waits.ram_misses, waits.bursts, strict=True
        ):
            cycles += int(misses.sum()) * bank.miss_cycles if bank.cached else Decimal(0)
            cycles += len(bursts) * bank.burst_cycles
        return round(cycles)

    def _uses(self) -> dict[str, ArrayUse]:
        misses = access_waits(self._blocks, self._board, self._accesses).flash
        positions = self._blocks.trace.access_blocks
        found = {}
        for index, array in enumerate(self._arrays):
            reads = self._holder == index
            if reads.any():
                found[array.name] = ArrayUse(
                    size=array.size,
                    misses=int(misses[reads].sum()),
                    bursts=len(read_bursts(self._blocks, positions[reads])),
                )
        return found


def _holders(accesses: Ints, symbols: list[Symbol] | tuple[Symbol, ...]) -> Ints:
    """Return, for each access, the position of the symbol that holds it, -1 if none does.

    The symbols are in ascending order, and apart.
    """
    if not symbols:
        return np.full(len(accesses), -1)
    starts = np.array([symbol.address for symbol in symbols])
    ends = starts + np.array([symbol.size for symbol in symbols])
    found = np.searchsorted(starts, accesses, "right") - 1
    inside: Ints = np.where((found >= 0) & (accesses < ends[found]), found, -1)
    return inside
