# SPDX-License-Identifier: Apache-2.0
"""Positions of a window's elements in an interleaved line."""

from __future__ import annotations

import itertools

import pytest

from tinyflow.kernels.generated.pairs import Interleaving

SHAPES = list(itertools.product((1, 2, 3, 10), (1, 2, 3, 4), (1, 2, 3), (0, 1), (1, 4)))


@pytest.mark.parametrize(("rows", "depth", "columns", "shift", "reach"), SHAPES)
def test_no_place_holds_two_elements(
    rows: int, depth: int, columns: int, shift: int, reach: int
) -> None:
    interleave = Interleaving(rows, depth, columns, shift % columns, reach)
    elements = list(itertools.product(range(rows), range(reach), range(depth)))
    places = [interleave.place(*element) for element in elements]
    assert len(set(places)) == len(places)
    assert {half for _, half in places} <= {0, 1}
    assert max(word for word, _ in places) < (interleave.beyond + 1) * interleave.unit
    # Of the words from the first to the last at most two are not full but for filled up units.
    words = len({word for word, _ in places})
    assert words <= -(-len(places) // 2) + interleave.beyond + 2


def test_a_unit_lies_as_it_is_documented() -> None:
    interleave = Interleaving(3, 3, 2, 0, 3)
    words: dict[int, list[tuple[int, int, int]]] = {}
    for element in sorted(itertools.product(range(3), range(2), range(3)), key=lambda e: e[1]):
        words.setdefault(interleave.place(*element)[0], []).append(element)
    assert interleave.unit == 9
    # (row, column, channel): separate pairs, then the middle ones joined
    assert words[0] == [(0, 0, 0), (0, 0, 2)]
    assert words[3] == [(0, 0, 1), (1, 0, 1)]
    assert words[4] == [(2, 0, 1), (0, 1, 1)]
    assert words[8] == [(1, 1, 1), (2, 1, 1)]


def test_the_left_padding_fills_units() -> None:
    interleave = Interleaving(10, 1, 2, 1, 4)  # ten rows, stride 2, one column of padding
    assert (interleave.unit, interleave.begin, interleave.beyond) == (10, 5, 2)
