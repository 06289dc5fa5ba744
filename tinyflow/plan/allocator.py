# SPDX-License-Identifier: Apache-2.0
"""Allocator: offsets for blocks of known size and lifetime; those that live together never overlap.

Two blocks that meet in one step may share memory under a `InPlaceOverlap`: an operator that works
in place writes its output over an input that is not read again.

Three searches follow one another until one reaches the lower bound:

1. Greedy by several orders (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
   Inference", arXiv:2001.03288): each block goes into the lowest gap that holds it.
2. Hill climbing over those orders: what ends highest, and what holds it up, is placed earlier.
3. Branch and bound over placements from the bottom up (as MiniMalloc does: Moffitt, "MiniMalloc:
   A Lightweight Memory Allocator for Hardware-Accelerated Machine Learning", ASPLOS 2023). Where
   it ends within its budget, its result is the optimum.

Budgets count steps of work, not time, so that the result is the same everywhere.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

#: Every block starts at a multiple of this many bytes, enough for any word access.
ALIGNMENT = 8


@dataclass(frozen=True)
class Effort:
    """Limits on the pairs of blocks that local search and branch and bound look at."""

    climbing: int
    branching: int


#: Efforts: the first allocation found, a short search, and one for the plan that is built.
GREEDY, BRIEF, THOROUGH = Effort(0, 0), Effort(15_000, 30_000), Effort(150_000, 300_000)


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
class InPlaceOverlap:
    """Two blocks, by index, that meet in one step and may overlap in memory.

    Attributes:
        before: the block whose last step it is.
        after: the block whose first step it is.
        lead: the fewest bytes that `after` must begin before `before`, if they overlap.
        exact: only the same offset is allowed, and `lead` is 0.
    """

    before: int
    after: int
    lead: int = 0
    exact: bool = False


@dataclass(frozen=True)
class Allocation:
    """Offsets in bytes, one per block in the order given, and the arena's size.

    No allocation is smaller than `lower_bound`: where it is the size, that is the optimum.
    """

    offsets: tuple[int, ...]
    size: int
    lower_bound: int


#: Impossible differences of two blocks' offsets: those strictly between the two bounds.
_Gap = tuple[int, int]

_ORDERS: tuple[Callable[[Block], tuple[int, ...]], ...] = (
    lambda block: (-block.size, block.first, block.last),
    lambda block: (-block.size, -block.last, -block.first),
    lambda block: (-block.size * (block.last - block.first + 1), block.first),
    lambda block: (block.first, -block.size),
    lambda block: (-block.last, -block.size),
    lambda block: (-(block.last - block.first), -block.size, block.first),
)


def allocate(
    blocks: Sequence[Block], overlaps: Sequence[InPlaceOverlap] = (), *, effort: Effort = THOROUGH
) -> Allocation:
    """Place all blocks; deterministic."""
    return _allocated(tuple(blocks), tuple(overlaps), effort)


@lru_cache(maxsize=256)  # choices of kernels often differ in nothing that is placed
def _allocated(
    blocks: tuple[Block, ...], overlaps: tuple[InPlaceOverlap, ...], effort: Effort
) -> Allocation:
    problem = _Problem(blocks, overlaps)
    bound = problem.bound()
    best = min(map(problem.place, problem.orders()), key=problem.height)
    if effort.climbing and problem.height(best) > bound:
        best = _climb(problem, best, bound, effort.climbing)
    if effort.branching and problem.height(best) > bound:
        search = _Branching(problem, best, bound, effort.branching)
        best = search.best
        if search.exhausted and problem.is_rigid:
            bound = problem.height(best)
    return Allocation(tuple(best), problem.height(best), bound)


def lower_bound(blocks: Sequence[Block], overlaps: Sequence[InPlaceOverlap] = ()) -> int:
    """The least memory that can hold what is in use at any one step: no arena can be smaller."""
    return _Problem(blocks, overlaps).bound()


def aligned(size: int) -> int:
    """A size rounded up to where the next block may start."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def most_in_common(before: int, after: int, lead: int) -> int:
    """The most bytes, aligned, that blocks of two sizes can share under a `InPlaceOverlap`."""
    least = max(aligned(before) + max(0, aligned(lead)), aligned(after))
    return max(0, aligned(before) + aligned(after) - least)


class _Problem:
    """Blocks to place.

    Attributes:
        sizes: of the blocks, aligned.
        neighbours: for each block the blocks that it meets, and the gaps of its offset to theirs.
        savings: for each block that may share memory in its first step: its index, those of the
            blocks it shares with, and how many bytes it can have in common with them at most.
    """

    def __init__(self, blocks: Sequence[Block], overlaps: Sequence[InPlaceOverlap]) -> None:
        self.blocks = blocks
        self.sizes = [aligned(block.size) for block in blocks]
        self.is_rigid = all(overlap.lead >= 0 and not overlap.exact for overlap in overlaps)
        self.neighbours: list[list[tuple[int, tuple[_Gap, ...]]]] = [[] for _ in blocks]
        rules = {(overlap.before, overlap.after): overlap for overlap in overlaps}
        for one, other in _meeting(blocks):
            gaps = self._gaps(one, other, rules)
            self.neighbours[other].append((one, gaps))
            mirrored = tuple((-high, -low) for low, high in reversed(gaps))
            self.neighbours[one].append((other, mirrored))
        self.savings = list(self._savings(overlaps))

    def _gaps(
        self, one: int, other: int, rules: dict[tuple[int, int], InPlaceOverlap]
    ) -> tuple[_Gap, ...]:
        """Return the offsets of `other` less that of `one` that are not possible."""
        below, above = -self.sizes[other], self.sizes[one]
        if overlap := rules.get((one, other)):
            start = max(below, -aligned(overlap.lead))
            gaps = ((below, 0), (0, above)) if overlap.exact else ((start, above),)
        elif overlap := rules.get((other, one)):
            end = min(above, aligned(overlap.lead))
            gaps = ((below, 0), (0, above)) if overlap.exact else ((below, end),)
        else:
            gaps = ((below, above),)
        return tuple((low, high) for low, high in gaps if low < high)

    def _savings(
        self, overlaps: Sequence[InPlaceOverlap]
    ) -> Iterator[tuple[int, frozenset[int], int]]:
        for after in dict.fromkeys(overlap.after for overlap in overlaps):
            own = [overlap for overlap in overlaps if overlap.after == after]
            common = (
                most_in_common(self.sizes[overlap.before], self.sizes[after], overlap.lead)
                for overlap in own
            )
            most = min(self.sizes[after], sum(common))
            yield after, frozenset(overlap.before for overlap in own), most

    def bound(self) -> int:
        """See `lower_bound`."""
        saved: Counter[int] = Counter()
        for after, _, most in self.savings:
            saved[self.blocks[after].first] += most
        changes: Counter[int] = Counter()
        for size, block in zip(self.sizes, self.blocks, strict=True):
            changes[block.first] += size
            changes[block.last + 1] -= size
        steps = sorted(changes)
        used = accumulate(changes[step] for step in steps)
        return max(
            (total - saved[step] for step, total in zip(steps, used, strict=True)), default=0
        )

    def bound_at(self, step: int) -> int:
        """The least memory for what is in use at one step."""
        total = sum(
            size
            for size, block in zip(self.sizes, self.blocks, strict=True)
            if block.first <= step <= block.last
        )
        saved = (most for after, _, most in self.savings if self.blocks[after].first == step)
        return total - sum(saved)

    def orders(self) -> Iterator[list[int]]:
        """Yield orders in which to place the blocks, each of them at least once."""
        for key in _ORDERS:
            yield sorted(
                range(len(self.blocks)), key=lambda index: (key(self.blocks[index]), index)
            )

    def place(self, order: Sequence[int]) -> list[int]:
        """Put each block at the lowest free offset, in order."""
        offsets = [-1] * len(self.blocks)
        for index in order:
            offsets[index] = self.lowest(index, offsets, 0)
        return offsets

    def lowest(self, index: int, offsets: Sequence[int], offset: int) -> int:
        """The lowest offset, no less than `offset`, that the blocks placed leave for a block."""
        taken = sorted(
            (offsets[other] + low, offsets[other] + high)
            for other, gaps in self.neighbours[index]
            if offsets[other] >= 0
            for low, high in gaps
        )
        for low, high in taken:
            if low >= offset:
                break
            offset = max(offset, high)
        return offset

    def height(self, offsets: Sequence[int]) -> int:
        """The arena's size."""
        return max(map(int.__add__, offsets, self.sizes), default=0)


def _meeting(blocks: Sequence[Block]) -> list[tuple[int, int]]:
    """The pairs of blocks that are in use at some step together, in the order of their indices."""
    by_first = sorted(range(len(blocks)), key=lambda index: blocks[index].first)
    found = []
    for place, one in enumerate(by_first):
        for other in by_first[place + 1 :]:
            if not blocks[one].overlaps(blocks[other]):
                break
            found.append((min(one, other), max(one, other)))
    return sorted(found)


def _climb(problem: _Problem, best: list[int], bound: int, budget: int) -> list[int]:
    """Climb: change orders a little, and keep changes that do not make the arena larger."""
    draw = random.Random(0)
    cost = sum(map(len, problem.neighbours)) + len(problem.blocks)
    order = sorted(range(len(best)), key=lambda index: (best[index], index))
    offsets = problem.place(order)
    for _ in range(budget // max(1, cost)):
        tried = _promoted(problem, order, offsets, draw)
        found = problem.place(tried)
        if problem.height(found) <= problem.height(offsets):
            order, offsets = tried, found
        if problem.height(offsets) < problem.height(best):
            best = offsets
            if problem.height(best) <= bound:
                break
    return best


def _promoted(
    problem: _Problem, order: Sequence[int], offsets: Sequence[int], draw: random.Random
) -> list[int]:
    """An order in which a block at the top, or a neighbour of one, is placed earlier."""
    height = problem.height(offsets)
    top = [i for i in order if offsets[i] + problem.sizes[i] == height]
    chosen = draw.choice(top)
    if draw.random() < 0.5 and problem.neighbours[chosen]:
        chosen = draw.choice(problem.neighbours[chosen])[0]
    place = order.index(chosen)
    rest = [index for index in order if index != chosen]
    rest.insert(draw.randrange(place + 1), chosen)
    return rest


class _Branching:
    """Branch and bound: blocks are placed in the order of their offsets, each as low as it goes.

    Some optimum has this form, since a block with room below it can be moved down. An overlap that
    bounds a block's offset from above may hold another one up, though: so the search, even if
    exhausted, proves nothing unless the problem `is_rigid`.

    Attributes:
        best: offsets of the best allocation that is known.
        exhausted: whether there is none better among those searched.
    """

    def __init__(self, problem: _Problem, best: list[int], bound: int, budget: int) -> None:
        self.best = best
        self._problem, self._bound = problem, bound
        self._height = problem.height(best)
        self._budget = budget
        self._offsets = [-1] * len(best)
        steps = sorted({block.first for block in problem.blocks})
        self._alive = [
            [n for n, step in enumerate(steps) if block.first <= step <= block.last]
            for block in problem.blocks
        ]
        #: State by step: the end of the placed blocks, and the fewest bytes that the others need.
        self._tops = [0] * len(steps)
        self._needs = [problem.bound_at(step) for step in steps]
        self._place_next(0, [0] * len(best))
        self.exhausted = self._budget > 0

    def _place_next(self, floor: int, lowest: Sequence[int]) -> None:
        """Place the remaining blocks at `floor` or above, where `lowest` allows."""
        left = [index for index, offset in enumerate(self._offsets) if offset < 0]
        if not left:
            self.best = list(self._offsets)
            self._height = self._problem.height(self.best)
            return
        sizes, blocks = self._problem.sizes, self._problem.blocks
        starts = {index: max(floor, lowest[index]) for index in left}
        # Where another block fits below a start, it would be left hanging above a hole.
        ends = sorted(starts[index] + sizes[index] for index in left)
        tried = set()
        for index in sorted(left, key=lambda i: (starts[i], -sizes[i], blocks[i].first, i)):
            if self._budget <= 0 or self._height <= self._bound:
                return
            if starts[index] >= ends[0]:
                return
            alike = (starts[index], sizes[index], blocks[index].first, blocks[index].last)
            if self._problem.savings or alike not in tried:
                tried.add(alike)
                self._try(index, starts[index], lowest, left)

    def _try(self, index: int, start: int, lowest: Sequence[int], left: Sequence[int]) -> None:
        self._budget -= len(left) + len(self._tops) + len(self._problem.neighbours[index])
        tops, needs = self._tops, self._needs
        self._tops, self._needs = self._after(index, start)
        self._offsets[index] = start
        following = list(lowest)
        for other, _ in self._problem.neighbours[index]:
            if self._offsets[other] < 0:
                following[other] = self._problem.lowest(other, self._offsets, start)
        if self._may_improve(start, following):
            self._place_next(start, following)
        self._offsets[index] = -1
        self._tops, self._needs = tops, needs

    def _after(self, index: int, start: int) -> tuple[list[int], list[int]]:
        """The tops and needs once a block is placed."""
        size = self._problem.sizes[index]
        tops, needs = list(self._tops), list(self._needs)
        for step in self._alive[index]:
            tops[step] = max(tops[step], start + size)
            needs[step] -= size
        for after, befores, most in self._problem.savings:
            group = {after, *befores}
            if index in group and all(self._offsets[other] >= 0 for other in group - {index}):
                needs[self._alive[after][0]] += most
        return tops, needs

    def _may_improve(self, floor: int, lowest: Sequence[int]) -> bool:
        """Whether the blocks that are left may end below the best height."""
        sizes = self._problem.sizes
        return all(
            top + need < self._height for top, need in zip(self._tops, self._needs, strict=True)
        ) and all(
            max(floor, lowest[index]) + sizes[index] < self._height
            for index, offset in enumerate(self._offsets)
            if offset < 0
        )
