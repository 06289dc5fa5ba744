# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of transposed convolution, products, resizings and reductions."""

from __future__ import annotations

import math

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.convolutions import MOST_BIASED, weighted
from tests.conformance.drawn.values import (
    LARGEST_MULTIPLIER,
    MOST_ELEMENTS,
    MOST_MACS,
    Cases,
    Draw,
    Drawn,
    Shape,
    activations,
    axis,
    channels,
    named,
    paddings,
    pairs,
    repeated,
    scales,
    shapes,
    some_axes,
    zero_points,
)
from tests.conformance.windows import (
    VALID,
    arg_extreme,
    batch_matmul,
    computed_weights,
    reduction,
    resize,
    transpose_conv,
)


@st.composite
def _transpose_conv(draw: Draw) -> Drawn:
    size, kernel, stride = draw(pairs(1, 6)), draw(pairs(1, 5)), draw(pairs(1, 3))
    padding, batch = draw(paddings), draw(st.sampled_from([1, 1, 2]))
    cin, cout = draw(channels), draw(channels)
    # Every output whose convolution with the window has the input's size is legal.
    output = tuple(
        (extent - 1) * step + draw(st.integers(1, step)) + (width - 1) * (padding == VALID)
        for extent, step, width in zip(size, stride, kernel, strict=True)
    )
    assume(batch * math.prod(output) * cout <= MOST_ELEMENTS)
    assume(batch * math.prod(size) * cin <= MOST_ELEMENTS)
    assume(batch * math.prod(size) * math.prod(kernel) * cin * cout <= MOST_MACS)
    return named(
        transpose_conv,
        size=size,
        channels=(cin, cout),
        kernel=kernel,
        stride=stride,
        padding=padding,
        output=output,
        batch=batch,
        **weighted(draw),
    )


def _reduction(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        shape = draw(shapes(1, 6, extent=7))  # no more dimensions: three runs of each kind at most
        axes = some_axes(draw, len(shape))
        numbers = (draw(scales), draw(scales))
        assume(numbers[0] / numbers[1] < LARGEST_MULTIPLIER)
        points = (draw(zero_points), draw(zero_points))
        keep = draw(st.booleans())
        return named(reduction, kind, shape, axes, keep=keep, scales=numbers, zero_points=points)

    return drawn()


def _arg_extreme(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        shape = draw(shapes(1, 4))
        return named(arg_extreme, kind, shape, axis(draw, len(shape)), scalar=draw(st.booleans()))

    return drawn()


@st.composite
def _resize_bilinear(draw: Draw) -> Drawn:
    size, output = draw(pairs(1, 9)), draw(pairs(1, 14))
    align, half = draw(st.sampled_from([(False, False), (True, False), (False, True)]))
    return named(resize, size, output, align=align, half=half, depth=draw(st.integers(1, 5)))


@st.composite
def _batch_matmul(draw: Draw) -> Drawn:
    rows, depth, columns = (draw(st.integers(1, 9) | st.just(1)) for _ in range(3))
    if draw(st.booleans()):
        depth += draw(st.sampled_from([16, 31, 60]))
    batches = draw(shapes(0, 3, extent=3))
    left, right = repeated(draw, batches), repeated(draw, batches)
    adj_x, adj_y = draw(st.booleans()), draw(st.booleans())
    left_shape: Shape = (*left, *((depth, rows) if adj_x else (rows, depth)))
    right_shape: Shape = (*right, *((columns, depth) if adj_y else (depth, columns)))
    assume(max(math.prod(left_shape), math.prod(right_shape)) <= MOST_ELEMENTS)
    assume(math.prod(batches) * rows * columns <= MOST_ELEMENTS)
    return named(
        batch_matmul,
        left_shape,
        right_shape,
        adj_x=adj_x,
        adj_y=adj_y,
        constant=draw(st.sampled_from(["", "left", "right"])),
        zero_points=tuple(draw(zero_points) for _ in range(3)),
        scales=_product_scales(draw),
    )


def _product_scales(draw: Draw) -> tuple[float, float, float]:
    left, right, output = draw(scales), draw(scales), draw(scales)
    assume(left * right / output < LARGEST_MULTIPLIER)
    return left, right, output


@st.composite
def _computed_weights(draw: Draw) -> Drawn:
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 40)))
    left, right, output = numbers = _product_scales(draw)
    assume(left * right / output < MOST_BIASED)
    return named(
        computed_weights,
        shape,
        draw(channels),
        bias=draw(st.booleans()),
        activation=draw(activations(output)),
        zero_points=tuple(draw(zero_points) for _ in range(3)),
        scales=numbers,
    )


STRATEGIES: dict[str, Cases] = {
    **{kind: _arg_extreme(kind) for kind in ("ARG_MAX", "ARG_MIN")},
    **{kind: _reduction(kind) for kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")},
    "BATCH_MATMUL": _batch_matmul(),
    "FULLY_CONNECTED": _computed_weights(),
    "RESIZE_BILINEAR": _resize_bilinear(),
    "TRANSPOSE_CONV": _transpose_conv(),
}
