# SPDX-License-Identifier: Apache-2.0
"""Call stacks: the stack of functions at every block of a trace.

A trace has no stack pointer, but it has what moves one: calls (BL, BLX), returns (BX, POP and LDR
into the PC, to an address that a call left), and jumps from one symbol of the ELF into another.
A tail call is kept on the stack as if its caller had waited for it, so no function disappears.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyflow.boards import Board
from tinyflow.timing.caches import Ints
from tinyflow.timing.counts import Blocks, InferenceCounts, count_sections
from tinyflow.timing.instructions import PC, Instruction, InstructionKind
from tinyflow.toolchain.elf import Image, Symbol


@dataclass(frozen=True)
class Stack:
    """A place in the course of an inference.

    Attributes:
        section: 0 before the first layer, then the layer's position, counted from 1.
        frames: the functions, the outermost first.
    """

    section: int
    frames: tuple[str, ...]


@dataclass(frozen=True)
class StackCounts:
    """Counts on each stack.

    Attributes:
        stacks: every stack that something ran on, in the order of their first time.
        counts: one section for each: `layers[i]` is that of `stacks[i]`; `overhead` is empty.
        calls: how often each stack was made by a call.
    """

    stacks: tuple[Stack, ...]
    counts: InferenceCounts
    calls: Counter[Stack]


class Functions:
    """The functions of an image, by address; code that no function spans goes to the one before."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._starts = [symbol for symbol in image.symbols if symbol.kind != "object"]

    def name(self, address: int) -> str:
        """The name of the function that holds the address; its address in hex where none does."""
        symbol = self._symbol(address)
        return f"{address:#010x}" if symbol is None else symbol.name

    def start(self, address: int) -> int:
        """Return the start of the function; the address itself if none holds it."""
        symbol = self._symbol(address)
        return address if symbol is None else symbol.address

    def _symbol(self, address: int) -> Symbol | None:
        found = self._image.symbol_at(address)
        if found is not None and found.kind != "object":
            return found
        index = bisect_right(self._starts, address, key=lambda start: start.address) - 1
        return self._starts[index] if index >= 0 else None


def count_stacks(blocks: Blocks, image: Image, board: Board, layers: Sequence[int]) -> StackCounts:
    """Count what ran on each stack.

    Args:
        blocks: of a trace made while `watched(board)` was watched.
        image: what ran.
        board: whose core and memories are meant.
        layers: addresses of the layers' functions, each the beginning of a section.
    """
    walk = _Walk(blocks, Functions(image), layers)
    numbers = walk.numbers()
    counts = count_sections(blocks, board, numbers + 1, len(walk.stacks))
    return StackCounts(tuple(walk.stacks), counts, walk.calls)


@dataclass(frozen=True)
class _StackFrame:
    """A function, where its call came from, and whether it was a jump: then its caller's."""

    function: str
    return_to: int
    tail: bool = False


class _Walk:
    """Follows a trace from one change of function to the next."""

    def __init__(self, blocks: Blocks, functions: Functions, layers: Sequence[int]) -> None:
        self.stacks: dict[Stack, int] = {}
        self.calls: Counter[Stack] = Counter()
        self._blocks = blocks
        self._names = [functions.name(address) for address in blocks.addresses.tolist()]
        self._layer_at = {address: index for index, address in enumerate(layers, start=1)}
        self._section = 0
        self._frames: list[_StackFrame] = []

    def numbers(self) -> Ints:
        """Number of the stack in `stacks`, for each block that ran."""
        ids = self._blocks.ids
        changes = np.concatenate(([0], self._changes() + 1))
        numbers = [self._enter(None, int(ids[0]))]
        for position in changes[1:].tolist():
            numbers.append(self._enter(int(ids[position - 1]), int(ids[position])))
        return np.repeat(numbers, np.diff(changes, append=len(ids)))

    def _changes(self) -> Ints:
        """Positions of the blocks that end in a call, in a return, or at another function."""
        blocks = self._blocks
        _, functions = np.unique(self._names, return_inverse=True)
        calls = np.array([code[-1].links for code in blocks.code])
        leaves = np.array([_may_return(code[-1]) for code in blocks.code])
        before, after = blocks.ids[:-1], blocks.ids[1:]
        ends = np.array([code[-1].end for code in blocks.code])
        taken = blocks.addresses[after] != ends[before]
        moves = (calls | leaves)[before] & taken
        return np.flatnonzero(moves | (functions[before] != functions[after]))

    def _enter(self, before: int | None, block: int) -> int:
        """A block begins behind another; returns the number of the stack it runs on."""
        address = int(self._blocks.addresses[block])
        last = None if before is None else self._blocks.code[before][-1]
        called = self._move(last, address, self._names[block])
        self._section = self._layer_at.get(address, self._section)
        stack = Stack(self._section, tuple(frame.function for frame in self._frames))
        if called:
            self.calls[stack] += 1
        return self.stacks.setdefault(stack, len(self.stacks))

    def _move(self, last: Instruction | None, address: int, function: str) -> bool:
        """Change the frames; returns whether a function was called."""
        if last is None:
            self._frames.append(_StackFrame(function, 0))
            return True
        if last.links:
            self._frames.append(_StackFrame(function, last.end))
            return True
        returns = _may_return(last)
        if returns and any(frame.return_to == address for frame in self._frames):
            self._return(address)
            return False
        # Library code for switches on Armv6-M is called, and jumps back to another place.
        if self._leave_for(function, tails_only=not returns):
            return False
        self._frames.append(_StackFrame(function, self._frames[-1].return_to, tail=True))
        return True

    def _return(self, address: int) -> None:
        """A return, together with those who jumped to the function that returns."""
        frame = self._frames.pop()
        while frame.return_to != address or frame.tail:
            frame = self._frames.pop()

    def _leave_for(self, function: str, *, tails_only: bool) -> bool:
        """Go back to a function on the stack; of those that wait, or only along tail calls."""
        for depth in reversed(range(len(self._frames))):
            frame = self._frames[depth]
            if frame.function == function:
                del self._frames[depth + 1 :]
                return True
            if tails_only and not frame.tail:
                return False
        return False


def _may_return(last: Instruction) -> bool:
    """The instruction may go back to where a call left off."""
    if last.links or last.kind in (InstructionKind.BRANCH, InstructionKind.TABLE_BRANCH):
        return False
    return last.kind is InstructionKind.BRANCH_REGISTER or PC in last.writes
