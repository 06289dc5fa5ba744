# SPDX-License-Identifier: Apache-2.0
"""Strategies used by all families: extents, shapes, quantisation, windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.conformance.driver import Case
from tests.conformance.windows import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID

Draw = Callable[[st.SearchStrategy[Any]], Any]
#: A case and the call that makes it.
Drawn = tuple[str, Case]
Cases = st.SearchStrategy[Drawn]
Shape = tuple[int, ...]

#: Elements of a tensor at most: sixteen cases share the RAM of one board.
MOST_ELEMENTS = 1200
#: Multiplications of a case at most, for the time that the emulator takes.
MOST_MACS = 40_000


def named(make: Callable[..., Case], *arguments: Any, **attributes: Any) -> Drawn:
    """The case of that call."""
    said = [repr(value) for value in arguments]
    said += [f"{name}={value!r}" for name, value in attributes.items()]
    return f"{make.__name__}({', '.join(said)})", make(*arguments, **attributes)


zero_points = st.sampled_from([-128, 127, 0]) | st.integers(-128, 127)


def activations(scale: float) -> st.SearchStrategy[int]:
    """Fused activations of an output of that scale; the bound 6 is 2^30 at most."""
    bounded = [] if 6.0 / scale > 2**30 else [RELU6, RELU_N1_TO_1]
    return st.sampled_from([NONE, NONE, RELU, *bounded])


paddings = st.sampled_from([SAME, VALID])
#: Channels around the multiples that kernels unroll by, and a few large counts.
channels = st.integers(1, 9) | st.sampled_from([12, 15, 16, 17, 31, 33, 64, 100])


def powers(low: float, high: float) -> st.SearchStrategy[float]:
    """Ten to a power between two, in three digits so that a name stays short."""
    return st.floats(low, high).map(lambda power: float(f"{10**power:.3g}"))


#: Mostly scales as trained models have them, some far from that on either side.
scales = powers(-3.0, 0.0) | powers(-3.0, 0.0) | powers(-9.0, 3.0)
quantised = st.tuples(scales, zero_points)
#: The factor from one scale, or a product of two, to another: it must be below this.
LARGEST_MULTIPLIER = 2.0**30


def shapes(
    least: int = 1, most: int = 4, *, extent: int = 9, elements: int = MOST_ELEMENTS
) -> st.SearchStrategy[Shape]:
    """Shapes of a rank between two; every extent may be 1."""
    extents = st.integers(1, extent) | st.just(1)
    return (
        st.lists(extents, min_size=least, max_size=most)
        .map(tuple)
        .filter(lambda shape: math.prod(shape) <= elements)
    )


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def axis(draw: Draw, rank: int) -> int:
    """A dimension, counted from the front or from the end."""
    return int(draw(st.integers(-rank, rank - 1)))


def some_axes(draw: Draw, rank: int) -> tuple[int, ...]:
    """One dimension or several, in any order and from either end."""
    found = draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=rank, unique=True))
    return tuple(place - rank if draw(st.booleans()) else place for place in found)


def repeated(draw: Draw, shape: Sequence[int]) -> Shape:
    """A shape that broadcasts to that one: some extents 1, some leading ones left out."""
    kept = tuple(extent if draw(st.booleans()) or draw(st.booleans()) else 1 for extent in shape)
    return kept[draw(st.integers(0, len(kept))) :] if draw(st.booleans()) else kept
