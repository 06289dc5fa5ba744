# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of convolution, depthwise convolution, pooling and the fully connected layer."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.values import (
    MOST_ELEMENTS,
    MOST_MACS,
    Cases,
    Draw,
    Drawn,
    activations,
    channels,
    named,
    paddings,
    pairs,
    powers,
    scales,
    shapes,
    zero_points,
)
from tests.conformance.windows import (
    VALID,
    Pair,
    depthwise,
    fully_connected,
    grouped_conv,
    pool,
    positions,
)

#: The multiplier of an accumulator: as trained models have it, saturating, underflowing to 0.
#: It must be below 2^30, where that of a channel is up to twice this.
_ratios = powers(-4.0, -1.0) | powers(-4.0, -1.0) | powers(-11.0, 8.7)
#: TFLM refuses a bias whose scale is not that of the products, to 0.02 of the output's. A float32
#: cannot be so near beyond this multiplier.
MOST_BIASED = 1e5


def weighted(draw: Draw) -> dict[str, Any]:
    """Draw what operators with constant weights have in common."""
    source, output = draw(scales), draw(scales)
    return {
        "bias": draw(st.booleans()),
        "per_channel": draw(st.booleans()),
        "activation": draw(activations(output)),
        "zero_points": (draw(zero_points), draw(zero_points)),
        "scales": (source, output),
        "scale": float(f"{draw(_ratios) * output / source:.3g}"),
        "fill": draw(st.none() | st.sampled_from([-128, -127, 127, 0])),
        "widest_bias": draw(st.sampled_from([1, 4000, 2**24, 2**30])),
    }


def window(draw: Draw, *, dilated: bool = True) -> dict[str, Any]:
    """Kernel, stride, dilation and padding, and an input that a VALID window has a place in."""
    kernel, stride = draw(pairs(1, 5)), draw(pairs(1, 3))
    dilation = draw(st.just((1, 1)) | pairs(1, 3)) if dilated else (1, 1)
    padding = draw(paddings)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = reach if padding == VALID else [1, 1]
    size = tuple(low + draw(st.integers(0, 7)) for low in least)
    found = {"size": size, "kernel": kernel, "stride": stride, "padding": padding}
    return found | ({"dilation": dilation} if dilated else {})


def places(found: dict[str, Any]) -> int:
    """Positions of a window."""
    dilation: Pair = found.get("dilation", (1, 1))
    due = positions(found["size"], found["kernel"], found["stride"], dilation, found["padding"])
    return math.prod(due)


batches = st.sampled_from([1, 1, 1, 2])


@st.composite
def _conv_2d(draw: Draw) -> Drawn:
    found = window(draw)
    groups = draw(st.just(1) | st.just(1) | st.integers(2, 5))
    depth = draw(channels) if groups == 1 else draw(st.integers(1, 5))
    filters = draw(channels) if groups == 1 else groups * draw(st.integers(1, 4))
    assume(math.prod(found["size"]) * groups * depth <= MOST_ELEMENTS)
    assume(places(found) * filters <= MOST_ELEMENTS)
    assume(places(found) * filters * depth * math.prod(found["kernel"]) <= MOST_MACS)
    numbers = {"groups": groups, "depth": depth, "filters": filters, "batch": draw(batches)}
    return named(grouped_conv, **numbers, **found, **weighted(draw))


@st.composite
def _depthwise_conv_2d(draw: Draw) -> Drawn:
    found = window(draw)
    count, multiplier = draw(channels), draw(st.just(1) | st.integers(1, 4))
    assume(math.prod(found["size"]) * count <= MOST_ELEMENTS)
    assume(places(found) * count * multiplier <= MOST_ELEMENTS)
    assume(places(found) * count * multiplier * math.prod(found["kernel"]) <= MOST_MACS)
    numbers = {"channels": count, "multiplier": multiplier, "batch": draw(batches)}
    return named(depthwise, **numbers, **found, **weighted(draw))


@st.composite
def _fully_connected(draw: Draw) -> Drawn:
    shape, rows = draw(shapes(1, 4, extent=7, elements=300)), draw(channels)
    keep = draw(st.booleans())
    depth = shape[-1]
    if not keep:
        depth = math.prod(shape[draw(st.integers(0, len(shape) - 1)) :])
    assume(math.prod(shape) // depth * rows <= MOST_ELEMENTS)
    numbers = weighted(draw)
    assume(numbers["scales"][0] * numbers["scale"] / numbers["scales"][1] < MOST_BIASED)
    return named(fully_connected, shape, rows, depth=depth, keep=keep, **numbers)


def _pool(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        found = window(draw, dilated=False)
        count = draw(channels)
        assume(math.prod(found["size"]) * count <= MOST_ELEMENTS)
        assume(places(found) * count <= MOST_ELEMENTS)
        scale = draw(scales)
        activation = draw(activations(scale))
        numbers = {"scale": scale, "zero_point": draw(zero_points), "batch": draw(batches)}
        return named(pool, kind, channels=count, activation=activation, **found, **numbers)

    return drawn()


STRATEGIES: dict[str, Cases] = {
    "AVERAGE_POOL_2D": _pool("AVERAGE_POOL_2D"),
    "CONV_2D": _conv_2d(),
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d(),
    "FULLY_CONNECTED": _fully_connected(),
    "MAX_POOL_2D": _pool("MAX_POOL_2D"),
}
