"""The arena's allocator."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from tinyflow.plan.allocator import ALIGNMENT, Block, allocate, lower_bound

blocks = st.lists(
    st.builds(
        lambda size, first, length: Block("b", size, first, first + length),
        st.integers(1, 5000),
        st.integers(0, 20),
        st.integers(0, 6),
    ),
    max_size=25,
)


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


def test_a_chain_needs_its_largest_pair() -> None:
    chain = [Block(str(i), size, i, i + 1) for i, size in enumerate([64, 800, 800, 400, 80])]
    assert allocate(chain).size == lower_bound(chain) == 1600


def test_blocks_of_different_times_share_memory() -> None:
    assert allocate([Block("a", 100, 0, 1), Block("b", 60, 2, 3)]).size == 104


def test_no_blocks_need_no_memory() -> None:
    assert allocate([]).size == 0
