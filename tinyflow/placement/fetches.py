# SPDX-License-Identifier: Apache-2.0
"""Code fetches of a traced inference, function by function: the input of code placement."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from tinyflow.boards import Board
from tinyflow.plan.code_in_ram import CodeUse, FetchProfile
from tinyflow.timing.counts import Blocks, fetch_misses
from tinyflow.timing.stacks import Functions
from tinyflow.toolchain.elf import Image


class TracedFetches(FetchProfile):
    """The fetches of one inference, traced with all code in flash.

    Args:
        blocks: of the inference's trace, made while `watched(board)` was watched.
        image: what ran.
        board: whose core and memories are meant; it describes its memories.
        cycles: of the inference.
    """

    def __init__(self, blocks: Blocks, image: Image, board: Board, cycles: int) -> None:
        assert board.timing is not None
        self._board = board
        self._line_cycles = board.timing.cycles(board.timing.fetch)
        self._blocks = blocks
        functions = Functions(image)
        addresses = self._blocks.addresses.tolist()
        self._names = [functions.name(address) for address in addresses]
        self.cycles = cycles
        self.functions = self._uses(image, self._misses(()))
        self.calls = self._calls([functions.start(address) for address in addresses])

    def waits_without(self, moved: Collection[str]) -> int:
        """Cycles of waiting for code that are left when some functions are not in flash."""
        return int(self._misses(moved).sum() * self._line_cycles)

    def _misses(self, moved: Collection[str]) -> npt.NDArray[np.int64]:
        """Count, for each block that ran, the lines it missed."""
        in_flash = [name not in moved for name in self._names]
        return fetch_misses(self._blocks, self._board, in_flash)

    def _uses(self, image: Image, missed: npt.NDArray[np.int64]) -> dict[str, CodeUse]:
        by_block = np.bincount(self._blocks.ids, missed, len(self._names))
        waits: dict[str, float] = defaultdict(float)
        for name, count in zip(self._names, by_block.tolist(), strict=True):
            waits[name] += count * float(self._line_cycles)
        sizes: Counter[str] = Counter()  # file-local functions may share a name, and move together
        for symbol in image.symbols:
            if symbol.kind == "function":
                sizes[symbol.name] += symbol.size
        return {name: CodeUse(sizes[name], round(cycles)) for name, cycles in waits.items()}

    def _calls(self, starts: Sequence[int]) -> Counter[tuple[str, str]]:
        """Count how often each function entered another one at its beginning."""
        size = len(self._names)
        pairs, counts = np.unique(
            self._blocks.ids[:-1] * size + self._blocks.ids[1:], return_counts=True
        )
        found: Counter[tuple[str, str]] = Counter()
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            before, after = divmod(pair, size)
            entered = starts[after] == int(self._blocks.addresses[after])
            if entered and self._names[before] != self._names[after]:
                found[self._names[before], self._names[after]] += count
        return found
