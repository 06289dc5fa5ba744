# SPDX-License-Identifier: Apache-2.0
"""The arena's allocator."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from tinyflow.plan.allocator import ALIGNMENT, Block, InPlaceOverlap, allocate, lower_bound

blocks = st.lists(
    st.builds(
        lambda size, first, length: Block("b", size, first, first + length),
        st.integers(1, 5000),
        st.integers(0, 20),
        st.integers(0, 6),
    ),
    max_size=25,
)


@st.composite
def in_place(
    draw: st.DrawFn, most: int = 5, steps: int = 4
) -> tuple[list[Block], list[InPlaceOverlap]]:
    """A few small blocks, and for some that meet in one step a rule of how they may overlap."""
    found = [
        Block("b", ALIGNMENT * draw(st.integers(1, 4)), first, first + draw(st.integers(0, 2)))
        for first in draw(st.lists(st.integers(0, steps), min_size=1, max_size=most))
    ]
    overlaps = [
        InPlaceOverlap(
            i, j, *draw(st.sampled_from([(0, True), (0, False), (8, False), (-16, False)]))
        )
        for i, one in enumerate(found)
        for j, other in enumerate(found)
        if i != j and one.last == other.first and one.first < one.last and draw(st.booleans())
    ]
    return found, overlaps


def _fits(
    blocks: Sequence[Block], overlaps: Sequence[InPlaceOverlap], offsets: Sequence[int], index: int
) -> bool:
    """Whether a block keeps the rules together with those before it."""
    for other in range(index):
        if not blocks[other].overlaps(blocks[index]):
            continue
        apart = (
            offsets[other] + blocks[other].size <= offsets[index]
            or offsets[index] + blocks[index].size <= offsets[other]
        )
        if not apart and not any(
            offsets[rule.before] == offsets[rule.after]
            if rule.exact
            else offsets[rule.before] - offsets[rule.after] >= rule.lead
            for rule in overlaps
            if {rule.before, rule.after} == {other, index}
        ):
            return False
    return True


def _least_height(blocks: Sequence[Block], overlaps: Sequence[InPlaceOverlap]) -> int:
    """The optimum, by trying every offset."""
    best = sum(block.size for block in blocks)
    offsets = [0] * len(blocks)

    def place(index: int, height: int) -> None:
        nonlocal best
        if index == len(blocks):
            best = height
            return
        for offset in range(0, best - blocks[index].size, ALIGNMENT):
            offsets[index] = offset
            top = max(height, offset + blocks[index].size)
            if top < best and _fits(blocks, overlaps, offsets, index):
                place(index + 1, top)

    place(0, 0)
    return best


@given(blocks)
def test_blocks_that_live_together_do_not_overlap(blocks: list[Block]) -> None:
    allocation = allocate(blocks)
    placed = list(zip(allocation.offsets, blocks, strict=True))
    for (offset, block), (other_offset, other) in combinations(placed, 2):
        if block.overlaps(other):
            assert offset + block.size <= other_offset or other_offset + other.size <= offset
    assert all(offset % ALIGNMENT == 0 for offset in allocation.offsets)
    assert all(offset + block.size <= allocation.size for offset, block in placed)
    assert allocation.lower_bound <= allocation.size
    assert allocate(blocks) == allocation


@settings(max_examples=100, deadline=None)
@given(in_place())
def test_small_problems_in_place_are_solved(
    problem: tuple[list[Block], list[InPlaceOverlap]],
) -> None:
    blocks, overlaps = problem
    allocation = allocate(blocks, overlaps)
    assert all(_fits(blocks, overlaps, allocation.offsets, i) for i in range(len(blocks)))
    best = _least_height(blocks, overlaps)
    assert lower_bound(blocks, overlaps) <= allocation.lower_bound <= best <= allocation.size
    if all(rule.lead >= 0 and not rule.exact for rule in overlaps):
        assert allocation.size == allocation.lower_bound == best


@settings(max_examples=100, deadline=None)
@given(in_place(most=6, steps=5))
def test_small_problems_are_solved_to_the_optimum(
    problem: tuple[list[Block], list[InPlaceOverlap]],
) -> None:
    blocks, _ = problem
    allocation = allocate(blocks)
    assert allocation.size == allocation.lower_bound == _least_height(blocks, ())


def test_a_chain_needs_its_largest_pair() -> None:
    chain = [Block(str(i), size, i, i + 1) for i, size in enumerate([64, 800, 800, 400, 80])]
    assert allocate(chain).size == lower_bound(chain) == 1600


def test_a_chain_in_place_needs_its_largest_block() -> None:
    chain = [Block(str(i), size, i, i + 1) for i, size in enumerate([64, 800, 800, 400, 80])]
    overlaps = [InPlaceOverlap(i, i + 1) for i in range(4)]
    allocation = allocate(chain, overlaps)
    assert allocation.size == allocation.lower_bound == 800
    ahead = [InPlaceOverlap(i, i + 1, lead=64) for i in range(4)]
    # Each of the two large ones must begin ahead of the one before.
    assert allocate(chain, ahead).size == 2 * 64 + 800


def test_blocks_of_different_times_share_memory() -> None:
    assert allocate([Block("a", 100, 0, 1), Block("b", 60, 2, 3)]).size == 104


def test_no_blocks_need_no_memory() -> None:
    assert allocate([]).size == 0


def test_hundreds_of_blocks_take_less_than_a_second() -> None:
    draw = random.Random(1)
    many = [
        Block(str(i), draw.randint(1, 5000), first, first + draw.randint(0, 10))
        for i in range(600)
        for first in [draw.randint(0, 400)]
    ]
    start = time.process_time()
    allocation = allocate(many)
    assert time.process_time() - start < 2.0  # a slow machine is given twice the time
    assert allocation.size <= 1.05 * allocation.lower_bound
