# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of the operators on int16 activations."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.convolutions import batches, places, window
from tests.conformance.drawn.values import (
    LARGEST_MULTIPLIER,
    MOST_ELEMENTS,
    MOST_MACS,
    Cases,
    Draw,
    Drawn,
    Shape,
    activations,
    channels,
    named,
    paddings,
    pairs,
    powers,
    repeated,
    shapes,
    some_axes,
)
from tests.conformance.int16 import (
    INT32,
    INT64,
    UNIT,
    VALID,
    batch_matmul,
    binary,
    computed_shape,
    conv,
    converted,
    depthwise,
    fully_connected,
    pad,
    pool,
    selection,
    transpose_conv,
    unary,
    wide_softmax,
)

#: Mostly scales as trained models have them, some far from that on either side.
_scales = powers(-5.5, -3.5) | powers(-5.5, -3.5) | powers(-12.0, 2.0)
#: Largest scale of the weights, which the cases draw.
_WEIGHT_SCALE = 0.01
#: What sums of int64 are multiplied by must be below 2^7, or the reference's arithmetic wraps.
_LARGEST_OF_INT64 = 2.0**7


def _weighted(draw: Draw, *biases: str) -> dict[str, Any]:
    """Draw what operators with constant weights have in common."""
    source, output = draw(_scales), draw(_scales)
    bias = draw(st.sampled_from([None, *biases]))
    most = LARGEST_MULTIPLIER if bias == "int32" else _LARGEST_OF_INT64
    assume(source * _WEIGHT_SCALE / output < most)
    found = {
        "bias": bias,
        "per_channel": draw(st.booleans()),
        "extreme": draw(st.sampled_from([False, False, True])),
        "scales": draw(st.none() | st.just((source, output))),
        "fusedActivationFunction": draw(activations(output)),
    }
    if bias is not None:
        found["bits"] = draw(st.sampled_from([1, 22, 30] + [45] * (bias == "int64")))
    return found


def _spanned(draw: Draw, *biases: str) -> dict[str, Any]:
    """The same, the activation being an argument of the case's own."""
    found = _weighted(draw, *biases)
    return found | {"activation": found.pop("fusedActivationFunction")}


def _kept_sums(draw: Draw, found: dict[str, Any]) -> dict[str, Any]:
    """Without a bias the options may say the type of the sums."""
    if found["bias"] is not None:
        return {}
    return draw(st.sampled_from([{}, {"quantizedBiasType": INT32}, {"quantizedBiasType": INT64}]))


@st.composite
def _conv_2d(draw: Draw) -> Drawn:
    found, batch = window(draw), draw(batches)
    groups = draw(st.just(1) | st.just(1) | st.integers(2, 5))
    depth = draw(channels) if groups == 1 else draw(st.integers(1, 5))
    filters = draw(channels) if groups == 1 else groups * draw(st.integers(1, 4))
    size, kernel = found.pop("size"), found.pop("kernel")
    seen = found | {"size": size, "kernel": kernel}
    assume(batch * math.prod(size) * groups * depth <= MOST_ELEMENTS)
    assume(batch * places(seen) * filters <= MOST_ELEMENTS)
    assume(batch * places(seen) * filters * depth * math.prod(kernel) <= MOST_MACS)
    more = _spanned(draw, "int32", "int64")
    more |= _kept_sums(draw, more) | {"groups": groups, "batches": batch}
    return named(conv, size, groups * depth, filters, kernel, **found, **more)


@st.composite
def _depthwise_conv_2d(draw: Draw) -> Drawn:
    found, batch = window(draw), draw(batches)
    count, multiplier = draw(channels), draw(st.just(1) | st.integers(1, 4))
    size, kernel = found["size"], found["kernel"]
    assume(batch * math.prod(size) * count <= MOST_ELEMENTS)
    assume(batch * places(found) * count * multiplier <= MOST_ELEMENTS)
    del found["size"], found["kernel"]
    more = _spanned(draw, "int64") | {"multiplier": multiplier, "batches": batch}
    return named(depthwise, size, count, kernel, **found, **more)


@st.composite
def _transpose_conv(draw: Draw) -> Drawn:
    size, kernel, stride = draw(pairs(1, 6)), draw(pairs(1, 5)), draw(pairs(1, 3))
    cin, cout, padding = draw(channels), draw(channels), draw(paddings)
    grown = math.prod(
        extent * step + (width if padding == VALID else 0)
        for extent, step, width in zip(size, stride, kernel, strict=True)
    )
    assume(max(math.prod(size) * cin, grown * cout) <= MOST_ELEMENTS)
    assume(math.prod(size) * math.prod(kernel) * cin * cout <= MOST_MACS)
    more = _weighted(draw, "int64") | {"stride": stride, "padding": padding}
    return named(transpose_conv, size, cin, cout, kernel, **more)


@st.composite
def _fully_connected(draw: Draw) -> Drawn:
    rows, depth = draw(shapes(1, 3, extent=6, elements=30)), draw(channels)
    units = draw(channels)
    assume(math.prod(rows) * max(depth, units) <= MOST_ELEMENTS)
    more = _weighted(draw, "int32", "int64")
    return named(fully_connected, rows, depth, units, **more, **_kept_sums(draw, more))


def _pool(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        found = window(draw, dilated=False)
        shape = (draw(batches), *found["size"], draw(channels))
        assume(math.prod(shape) <= MOST_ELEMENTS)
        scale = draw(_scales)
        arguments = (found["kernel"], found["stride"], found["padding"])
        return named(pool, kind, shape, *arguments, draw(activations(scale)), scale)

    return drawn()


_whole = shapes(1, 5, extent=7, elements=700)
_constants = st.sampled_from([None, None, 0, 1])


def _operands(draw: Draw) -> tuple[Shape, Shape]:
    whole = draw(_whole)
    if draw(st.booleans()):
        return whole, whole
    return repeated(draw, whole), repeated(draw, whole)


def _arithmetic(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        left, right, output = scales = tuple(draw(_scales) for _ in range(3))
        if kind == "MUL":
            assume(left * right / output < LARGEST_MULTIPLIER)
        else:
            # TFLM ends the program unless this multiplier is below 1.
            assume(2 * max(left, right) / (2**15 * output) < 1)
        activation = draw(activations(output))
        options = {"constant": draw(_constants), "scales": scales}
        return named(binary, kind, *_operands(draw), **options, fusedActivationFunction=activation)

    return drawn()


def _extremum(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        scales = (draw(_scales),) * 3
        return named(binary, kind, *_operands(draw), constant=draw(_constants), scales=scales)

    return drawn()


def _sigmoid(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        # The scale must be from 2^-31 / 12288 to 8/3; every binade has its own shift.
        scale = draw(powers(-13.3, 0.4) | st.integers(-40, 1).map(lambda power: 2.0**power))
        return named(unary, kind, draw(shapes(1, 5)), (scale, UNIT))

    return drawn()


@st.composite
def _squared_difference(draw: Draw) -> Drawn:
    scales = tuple(draw(_scales) for _ in range(3))
    assume((2 * max(scales[:2])) ** 2 / scales[2] < LARGEST_MULTIPLIER)
    whole = draw(shapes(0, 4, extent=6, elements=400))
    operands = repeated(draw, whole), repeated(draw, whole)
    return named(binary, "SQUARED_DIFFERENCE", *operands, constant=draw(_constants), scales=scales)


@st.composite
def _selection(draw: Draw) -> Drawn:
    whole = draw(shapes(0, 5, extent=6, elements=400))
    three: Any = tuple(repeated(draw, whole) for _ in range(3))
    return named(selection, three, draw(st.sampled_from(["...", "..c", ".c.", "c..", "c.c"])))


@st.composite
def _batch_matmul(draw: Draw) -> Drawn:
    rows, depth, columns = (draw(st.integers(1, 7)) for _ in range(3))
    batches = draw(shapes(0, 3, extent=3))
    adj_x, adj_y = draw(st.booleans()), draw(st.booleans())
    left = (*batches, *((depth, rows) if adj_x else (rows, depth)))
    right = (*batches, *((columns, depth) if adj_y else (depth, columns)))
    scales = draw(_scales), draw(_scales), draw(_scales)
    assume(scales[0] * scales[1] / scales[2] < _LARGEST_OF_INT64)
    return named(
        batch_matmul,
        left,
        right,
        (*batches, rows, columns),
        constant=draw(st.booleans()),
        scales=scales,
        adjX=adj_x,
        adjY=adj_y,
    )


@st.composite
def _wide_softmax(draw: Draw) -> Drawn:
    # Beta times the scale is to be above 2^-26.
    scale, zero_point = draw(powers(-3.0, 0.0) | powers(-6.0, 3.0)), draw(st.integers(-128, 127))
    return named(wide_softmax, draw(shapes(1, 4, extent=20)), scale, zero_point)


@st.composite
def _computed_shape(draw: Draw) -> Drawn:
    sizes = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(paddings)
    return named(computed_shape, *sizes, draw(st.sampled_from(["int8", "int16"])))


@st.composite
def _softmax(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4, extent=20) | st.tuples(st.just(1), st.integers(200, 1100)))
    scale = draw(powers(-6.0, 0.0) | powers(-16.0, 3.0))
    return named(
        unary, "SOFTMAX", shape, (scale, UNIT), beta=draw(st.sampled_from([1.0, 0.1, 7.0]))
    )


def _relu(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        source, output = draw(_scales), draw(_scales)
        # The reference's cast of 6 to int32 must hold.
        assume(kind != "RELU6" or 6.0 / source < 2**31)
        options: dict[str, Any] = {}
        if kind == "LEAKY_RELU":
            options["alpha"] = draw(st.sampled_from([0.0, 0.01, 0.3, 1.0, -0.5, 2.0]))
        assume(max(1.0, abs(options.get("alpha", 0.0))) * source / output < LARGEST_MULTIPLIER)
        return named(unary, kind, draw(shapes(1, 5)), (source, output), **options)

    return drawn()


def _reduction(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        shape = draw(shapes(1, 5, extent=7))
        axes = some_axes(draw, len(shape))
        scales = (draw(_scales), draw(_scales))
        assume(scales[0] / scales[1] < LARGEST_MULTIPLIER)
        gone, keep = {axis % len(shape) for axis in axes}, draw(st.booleans())
        output = tuple(
            1 if place in gone else extent
            for place, extent in enumerate(shape)
            if keep or place not in gone
        )
        return named(unary, kind, shape, scales, output=output, operand=list(axes), keepDims=keep)

    return drawn()


_int8 = st.tuples(st.just("int8"), powers(-9.0, 3.0), st.integers(-128, 127))
_int16 = st.tuples(st.just("int16"), _scales, st.just(0) | st.integers(-(2**15), 2**15 - 1))
_int32 = st.tuples(
    st.just("int32"), powers(-12.0, 0.0), st.just(0) | st.integers(-(2**31), 2**31 - 1)
)
_float = st.just(("float32", None, 0))
#: Output types of TFLM's QUANTIZE, by input type.
_AFTER = {
    "float32": _int16,
    "int8": _int16 | _int32,
    "int16": _int8 | _int16 | _int32,
    "int32": _int8 | _int16,
}


@st.composite
def _quantize(draw: Draw) -> Drawn:
    before = draw(st.one_of(_int8, _int16, _int32, _float))
    after = draw(_AFTER[before[0]])
    assume(before[1] is None or before[1] / after[1] < LARGEST_MULTIPLIER)
    return named(converted, "QUANTIZE", before, after)


@st.composite
def _dequantize(draw: Draw) -> Drawn:
    return named(converted, "DEQUANTIZE", draw(_int16), ("float32", None, 0))


@st.composite
def _pad(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 5, extent=6, elements=300))
    pads = [draw(pairs(0, 3)) for _ in shape]
    padded = (extent + sum(pair) for extent, pair in zip(shape, pads, strict=True))
    assume(math.prod(padded) <= 2 * MOST_ELEMENTS)
    return named(pad, shape, pads)


STRATEGIES: dict[str, Cases] = {
    **{kind: _arithmetic(kind) for kind in ("ADD", "SUB", "MUL")},
    **{kind: _extremum(kind) for kind in ("MAXIMUM", "MINIMUM")},
    **{kind: _reduction(kind) for kind in ("MEAN", "SUM")},
    **{kind: _relu(kind) for kind in ("LEAKY_RELU", "RELU", "RELU6")},
    **{kind: _sigmoid(kind) for kind in ("LOGISTIC", "TANH")},
    **{f"{kind}_POOL_2D": _pool(kind) for kind in ("AVERAGE", "MAX")},
    "ABS": _relu("ABS"),
    "BATCH_MATMUL": _batch_matmul(),
    "CONV_2D": _conv_2d(),
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d(),
    "DEQUANTIZE": _dequantize(),
    "FULLY_CONNECTED": _fully_connected(),
    "PAD": _pad(),
    "QUANTIZE": _quantize(),
    "SELECT_V2": _selection(),
    "SQUARED_DIFFERENCE": _squared_difference(),
    "SOFTMAX": _softmax(),
    "SOFTMAX of int8": _wide_softmax(),
    "TRANSPOSE_CONV": _transpose_conv(),
    "TRANSPOSE_CONV of a computed shape": _computed_shape(),
}
