# SPDX-License-Identifier: Apache-2.0
"""The loop nest of a broadcast visits the elements that NumPy's broadcasting gives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyflow.errors import UnsupportedError
from tinyflow.ir.elementwise import Maximum
from tinyflow.kernels.portable.elementwise import LOOPS, loops

OPERATOR = Maximum("layer", 0, 1, 2)


@st.composite
def shapes(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Two or three shapes that broadcast together."""
    full = draw(st.lists(st.integers(1, 4), max_size=5))
    found = []
    for _ in range(draw(st.integers(2, 3))):
        kept = draw(st.lists(st.booleans(), min_size=len(full), max_size=len(full)))
        shape = [extent if keep else 1 for extent, keep in zip(full, kept, strict=True)]
        found.append(tuple(shape[draw(st.integers(0, len(shape))) :]))
    return found


@given(shapes())
def test_every_element_is_visited_in_order(operands: list[tuple[int, ...]]) -> None:
    output = np.broadcast_shapes(*operands)
    nest = loops(OPERATOR, output, *operands)
    assert len(nest["extents"]) == LOOPS
    for shape, steps in zip(operands, nest["steps"], strict=True):
        values = np.arange(int(np.prod(shape))).reshape(shape)
        visited = [
            sum(i * step for i, step in zip(index, steps, strict=True))
            for index in itertools.product(*map(range, nest["extents"]))
        ]
        assert visited == np.broadcast_to(values, output).ravel().tolist()


def test_dimensions_run_through_alike_are_one_loop() -> None:
    nest = loops(OPERATOR, (2, 3, 4, 5), (2, 3, 4, 5), (4, 5))
    assert nest == {
        "extents": [1, 1, 1, 6, 20],
        "steps": [[0, 0, 0, 20, 1], [0, 0, 0, 0, 1]],
    }


def test_too_many_loops_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"MAXIMUM layer 'layer': .* 6 nested loops"):
        loops(OPERATOR, (2, 2, 2, 2, 2, 2), (2, 1, 2, 1, 2, 1), (1, 2, 1, 2, 1, 2))
