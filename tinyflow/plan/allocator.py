"""Offsets for blocks of known size and lifetime, so that none that live together overlap.

Greedy by size (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference",
arXiv:2001.03288): blocks are placed in order, each in the lowest gap that holds it. A few orders
are tried and the smallest arena is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Every block starts at a multiple of this many bytes, enough for any word access.
ALIGNMENT = 8


@dataclass(frozen=True)
class Block:
    """`size` bytes, in use from step `first` to step `last`, both included."""

    name: str
    size: int
    first: int
    last: int

    def overlaps(self, other: Block) -> bool:
        """Whether both are in use at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Allocation:
    """Offsets in bytes, one per block in the order given, and the arena's size."""

    offsets: tuple[int, ...]
    size: int
    lower_bound: int


_ORDERS: tuple[Callable[[Block], tuple[int, ...]], ...] = (
    lambda block: (-block.size, block.first, block.last),
    lambda block: (-block.size * (block.last - block.first + 1), block.first),
    lambda block: (block.first, -block.size),
    lambda block: (-(block.last - block.first), -block.size, block.first),
)


def allocate(blocks: Sequence[Block]) -> Allocation:
    """Place all blocks; deterministic."""
    best: Allocation | None = None
    bound = lower_bound(blocks)
    for key in _ORDERS:
        order = sorted(range(len(blocks)), key=lambda index: (key(blocks[index]), index))
        offsets = _place(blocks, order)
        size = max(
            (offset + aligned(block.size) for offset, block in zip(offsets, blocks, strict=True)),
            default=0,
        )
        if best is None or size < best.size:
            best = Allocation(tuple(offsets), size, bound)
    assert best is not None
    return best


def lower_bound(blocks: Sequence[Block]) -> int:
    """The most bytes in use at any step: no arena can be smaller."""
    steps = {block.first for block in blocks}
    return max(
        (
            sum(aligned(block.size) for block in blocks if block.first <= step <= block.last)
            for step in steps
        ),
        default=0,
    )


def _place(blocks: Sequence[Block], order: Sequence[int]) -> list[int]:
    offsets = [0] * len(blocks)
    placed: list[int] = []
    for index in order:
        block = blocks[index]
        neighbours = sorted(
            (offsets[other], offsets[other] + aligned(blocks[other].size))
            for other in placed
            if blocks[other].overlaps(block)
        )
        offset = 0
        for start, end in neighbours:
            if start - offset >= aligned(block.size):
                break
            offset = max(offset, end)
        offsets[index] = offset
        placed.append(index)
    return offsets


def aligned(size: int) -> int:
    """A size rounded up to where the next block may start."""
    return -(-size // ALIGNMENT) * ALIGNMENT
