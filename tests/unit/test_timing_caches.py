# SPDX-License-Identifier: Apache-2.0
"""Cache geometry and the branch predictor, on sequences worked out by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tinyflow.boards import CacheGeometry
from tinyflow.timing.caches import mispredictions, misses, run_misses


def missed(lines: list[int], *, count: int, ways: int) -> list[int]:
    cache = CacheGeometry(line_bytes=32, lines=count, ways=ways)
    return np.flatnonzero(misses(np.array(lines, np.int64), cache)).tolist()


def test_the_line_used_longest_ago_goes() -> None:
    # 1 is used again before 3 comes, so 2 goes.
    assert missed([1, 2, 1, 3, 1, 2], count=2, ways=2) == [0, 1, 3, 5]


def test_a_loop_one_line_larger_than_the_cache_always_misses() -> None:
    assert missed([0, 1, 2] * 5, count=2, ways=2) == list(range(15))
    assert missed([0, 1, 2] * 5, count=3, ways=3) == [0, 1, 2]


def test_sets_do_not_disturb_each_other() -> None:
    # two sets of one way: even lines meet in one, odd lines in the other
    assert missed([0, 1, 2, 1, 0, 1], count=2, ways=1) == [0, 1, 2, 4]
    # two sets of two ways
    assert missed([0, 2, 4, 0, 1, 3, 1, 3], count=4, ways=2) == [0, 1, 2, 3, 4, 5]


def test_repeats_hit() -> None:
    assert missed([7, 7, 7, 8, 8, 7, 7], count=1, ways=1) == [0, 3, 5]
    assert missed([], count=1, ways=1) == []


@given(st.lists(st.integers(0, 9), max_size=60), st.sampled_from([(1, 1), (4, 2), (4, 4), (6, 3)]))
def test_against_a_list(lines: list[int], shape: tuple[int, int]) -> None:
    count, ways = shape
    sets: list[list[int]] = [[] for _ in range(count // ways)]
    expected = []
    for position, line in enumerate(lines):
        held = sets[line % len(sets)]
        if line in held:
            held.remove(line)
        else:
            expected.append(position)
        held.append(line)
        del held[:-ways]
    assert missed(lines, count=count, ways=ways) == expected


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=5),
    st.lists(st.integers(0, 4), max_size=30),
    st.sampled_from([(1, 1), (4, 1), (4, 2), (4, 4), (6, 3)]),
)
def test_runs_miss_what_their_lines_miss(
    lines: list[list[int]], order: list[int], shape: tuple[int, int]
) -> None:
    cache = CacheGeometry(line_bytes=32, lines=shape[0], ways=shape[1])
    order = [run % len(lines) for run in order]
    found = run_misses(np.array(order, np.int64), lines, cache)
    flat = misses(np.array([line for run in order for line in lines[run]], np.int64), cache)
    bounds = np.cumsum([0, *(len(lines[run]) for run in order)])
    expected = [int(flat[start:end].sum()) for start, end in pairwise(bounds)]
    assert found.tolist() == expected


def test_lines_must_fill_the_ways() -> None:
    with pytest.raises(ValidationError, match="lines must be a multiple of ways: 10 lines, 4 ways"):
        CacheGeometry(line_bytes=32, lines=10, ways=4)


def wrong(outcomes: str) -> list[int]:
    taken = np.array([outcome == "T" for outcome in outcomes], np.bool_)
    return np.flatnonzero(mispredictions(taken)).tolist()


def test_a_loop_is_mispredicted_once_to_learn_it_and_once_at_each_end() -> None:
    assert wrong("TTTTN" * 3) == [0, 4, 9, 14]
    assert wrong("NNNN") == []


def test_the_counter_saturates() -> None:
    assert wrong("T" * 50 + "NN" + "T") == [0, 50, 51, 52]


@given(st.text("TN", max_size=80))
def test_against_a_counter(outcomes: str) -> None:
    counter, expected = 1, []
    for position, outcome in enumerate(outcomes):
        if (counter >= 2) != (outcome == "T"):
            expected.append(position)
        counter = min(3, counter + 1) if outcome == "T" else max(0, counter - 1)
    assert wrong(outcomes) == expected
