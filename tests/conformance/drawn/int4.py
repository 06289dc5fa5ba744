# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of convolutions and fully connected layers with weights of four bits."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.convolutions import batches, places, window
from tests.conformance.drawn.values import (
    MOST_ELEMENTS,
    MOST_MACS,
    Cases,
    Draw,
    Drawn,
    activations,
    channels,
    named,
    shapes,
    zero_points,
)
from tests.conformance.int4 import conv, depthwise, fully_connected

#: Finest of the outputs' scales, which the cases fix.
_SCALE = 0.1


def _weighted(draw: Draw) -> dict[str, Any]:
    return {
        "bias": draw(st.booleans()),
        "per_channel": draw(st.booleans()),
        "activation": draw(activations(_SCALE)),
        "zero_points": (draw(zero_points), draw(zero_points)),
    }


@st.composite
def _conv(draw: Draw) -> Drawn:
    found, batch = window(draw), draw(batches)
    groups = draw(st.just(1) | st.integers(2, 4))
    depth, filters = draw(channels), groups * draw(st.integers(1, 9))
    assume(batch * math.prod(found["size"]) * groups * depth <= MOST_ELEMENTS)
    assume(batch * places(found) * filters <= MOST_ELEMENTS)
    assume(batch * places(found) * filters * depth * math.prod(found["kernel"]) <= MOST_MACS)
    numbers = {"groups": groups, "channels": depth, "filters": filters, "batch": batch}
    return named(conv, **numbers, **found, **_weighted(draw))


@st.composite
def _depthwise(draw: Draw) -> Drawn:
    found, batch = window(draw), draw(batches)
    count, multiplier = draw(channels), draw(st.just(1) | st.integers(1, 4))
    assume(batch * math.prod(found["size"]) * count <= MOST_ELEMENTS)
    assume(batch * places(found) * count * multiplier <= MOST_ELEMENTS)
    numbers = {"channels": count, "multiplier": multiplier, "batch": batch}
    return named(depthwise, **numbers, **found, **_weighted(draw))


@st.composite
def _fully_connected(draw: Draw) -> Drawn:
    shape, rows = draw(shapes(1, 4, extent=20, elements=300)), draw(channels)
    assume(math.prod(shape[:-1]) * rows <= MOST_ELEMENTS)
    keep = draw(st.booleans())
    return named(fully_connected, shape, rows, keep=keep, **_weighted(draw))


STRATEGIES: dict[str, Cases] = {
    "CONV_2D": _conv(),
    "DEPTHWISE_CONV_2D": _depthwise(),
    "FULLY_CONNECTED": _fully_connected(),
}
