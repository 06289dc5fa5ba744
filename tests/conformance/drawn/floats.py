# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of the operators on float32 and int32."""

from __future__ import annotations

import math

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.convolutions import window
from tests.conformance.drawn.values import (
    Cases,
    Draw,
    Drawn,
    Shape,
    axis,
    channels,
    named,
    paddings,
    pairs,
    powers,
    repeated,
    shapes,
    some_axes,
)
from tests.conformance.floats import (
    NONE,
    RELU,
    RELU6,
    RELU_N1_TO_1,
    VALID,
    arg_extreme,
    back,
    batch_matmul,
    binary,
    cast,
    compared,
    computed_product,
    convolution,
    embedding,
    floored,
    fully_connected,
    int32,
    pool,
    reduction,
    resize_bilinear,
    softmax,
    tabulated,
    unary,
)

#: Multiplications of a case at most: without an FPU each takes a hundred instructions.
_MOST_MACS = 2_000

_COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
_FUNCTIONS = (
    *("ABS", "CEIL", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LOGISTIC", "NEG", "RELU", "RELU6"),
    *("COS", "LOG", "LOG_SOFTMAX", "SIN"),
    *("ROUND", "RSQRT", "SQRT", "SQUARE", "TANH"),
)
_TABULATED = ("ABS", "COS", "EXP", "LOG", "NEG", "RSQRT", "SIN", "SQRT", "SQUARE", "TANH")

_activations = st.sampled_from([NONE, NONE, RELU, RELU6, RELU_N1_TO_1])
_few = shapes(1, 4, elements=200)
#: Of the int8 input that the floats come from: as trained models have it, and where functions
#: overflow and what they give is subnormal. The scale itself must not be.
_scales = powers(-3.0, 0.0) | powers(-3.0, 0.0) | powers(-37.0, 36.0)


def _function(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        options = {"alpha": draw(st.sampled_from([0.0, 0.2, 1.0, -0.5, 2.0]))}
        more = options if kind == "LEAKY_RELU" else {}
        return named(unary, kind, draw(_few), draw(_scales), **more)

    return drawn()


@st.composite
def _softmax(draw: Draw) -> Drawn:
    return named(softmax, draw(_few), draw(st.sampled_from([1.0, 1.0, 0.1, 7.0])))


def _operands(draw: Draw, most: int = 4) -> tuple[Shape, Shape]:
    whole = draw(shapes(1, most, extent=6, elements=200))
    if draw(st.booleans()):
        return whole, whole
    return repeated(draw, whole), repeated(draw, whole)


def _binary(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        options = {"constant": draw(st.booleans())}
        if kind in ("ADD", "SUB", "MUL", "DIV"):
            options["fusedActivationFunction"] = draw(_activations)
        return named(binary, kind, *_operands(draw), **options)

    return drawn()


def _floored(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        return named(floored, kind, *_operands(draw), constant=draw(st.booleans()))

    return drawn()


@st.composite
def _prelu(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4, extent=6, elements=200))
    return named(binary, "PRELU", shape, repeated(draw, shape), constant=draw(st.booleans()))


def _comparison(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        dtype = draw(st.sampled_from(["float32", "int32"]))
        shape = draw(shapes(1, 4, extent=6, elements=200))
        return named(compared, kind, dtype, shape, repeated(draw, shape))

    return drawn()


def _int32(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        shape = draw(shapes(1, 4, extent=6, elements=200))
        return named(int32, kind, shape, repeated(draw, shape))

    return drawn()


@st.composite
def _cast(draw: Draw) -> Drawn:
    source = draw(st.sampled_from(["bool", "int8", "int32", "uint32", "float32"]))
    target = draw(st.sampled_from(["bool", "int8", "int16", "int32", "uint32", "float32"]))
    return named(cast, source, target, draw(_few))


def _reduction(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        shape = draw(shapes(1, 5, extent=7, elements=400))
        return named(reduction, kind, shape, some_axes(draw, len(shape)), keep=draw(st.booleans()))

    return drawn()


def _convolution(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        size, kernel = draw(pairs(1, 6)), draw(pairs(1, 4))
        depth, filters = draw(st.integers(1, 5)), draw(st.integers(1, 5))
        stride, dilation, padding = draw(pairs(1, 3))[0], draw(st.integers(1, 2)), draw(paddings)
        if padding == VALID:
            assume(all((k - 1) * dilation < n for n, k in zip(size, kernel, strict=True)))
        weights = (filters, *kernel, depth)
        if kind == "DEPTHWISE_CONV_2D":
            filters *= depth
            weights = (1, *kernel, filters)
        assume(math.prod(size) * math.prod(weights) // stride**2 <= _MOST_MACS)
        return named(
            convolution,
            kind,
            weights,
            channels=depth,
            size=size,
            padding=padding,
            stride=stride,
            dilation=dilation,
            bias=draw(st.booleans()),
            activation=draw(_activations),
        )

    return drawn()


def _pool(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        found = window(draw, dilated=False)
        shape = (draw(st.integers(1, 2)), *found["size"], draw(st.integers(1, 5)))
        assume(math.prod(shape) <= 300)
        return named(
            pool,
            kind,
            padding=found["padding"],
            stride=found["stride"][0],
            activation=draw(_activations),
            shape=shape,
            kernel=found["kernel"],
        )

    return drawn()


@st.composite
def _fully_connected(draw: Draw) -> Drawn:
    shape, units = (draw(st.integers(1, 4)), draw(channels)), draw(channels)
    assume(math.prod(shape) * units <= _MOST_MACS)
    weighted = {"bias": draw(st.booleans()), "activation": draw(_activations)}
    return named(fully_connected, **weighted, shape=shape, units=units)


@st.composite
def _computed_product(draw: Draw) -> Drawn:
    shape, units = (draw(st.integers(1, 4)), draw(channels)), draw(st.integers(1, 9))
    assume(math.prod(shape) * units <= _MOST_MACS)
    weighted = {"bias": draw(st.booleans()), "activation": draw(_activations)}
    return named(computed_product, shape, units, **weighted)


@st.composite
def _arg_extreme(draw: Draw) -> Drawn:
    shape = draw(shapes(1, 4, extent=9, elements=200))
    kind = draw(st.sampled_from(["ARG_MAX", "ARG_MIN"]))
    return named(arg_extreme, kind, shape, axis(draw, len(shape)))


@st.composite
def _resize_bilinear(draw: Draw) -> Drawn:
    shape = (draw(st.integers(1, 2)), *draw(pairs(1, 6)), draw(st.integers(1, 3)))
    corners, half = draw(st.sampled_from([(False, False), (True, False), (False, True)]))
    return named(resize_bilinear, shape, draw(pairs(1, 7)), corners=corners, half=half)


@st.composite
def _batch_matmul(draw: Draw) -> Drawn:
    rows, depth, columns = (draw(st.integers(1, 7)) for _ in range(3))
    batches = draw(shapes(0, 3, extent=3))
    left, right = repeated(draw, batches), repeated(draw, batches)
    adj_x, adj_y = draw(st.booleans()), draw(st.booleans())
    left = (*left, *((depth, rows) if adj_x else (rows, depth)))
    right = (*right, *((columns, depth) if adj_y else (depth, columns)))
    wide = max(len(left), len(right)) - 2
    full = [(1,) * (wide + 2 - len(shape)) + shape[:-2] for shape in (left, right)]
    output = (*(max(pair) for pair in zip(*full, strict=True)), rows, columns)
    assume(math.prod(output) * depth <= _MOST_MACS)
    return named(batch_matmul, left, right, output, adjX=adj_x, adjY=adj_y)


@st.composite
def _embedding(draw: Draw) -> Drawn:
    kind = draw(st.sampled_from(["GATHER", "EMBEDDING_LOOKUP"]))
    return named(embedding, kind, draw(st.sampled_from(["int8", "float32"])))


_output = st.tuples(powers(-3.0, 0.0) | powers(-9.0, 3.0), st.integers(-128, 127))


@st.composite
def _back(draw: Draw) -> Drawn:
    return named(back, draw(st.sampled_from(_FUNCTIONS)), *draw(_output), draw(powers(-3.0, 0.0)))


@st.composite
def _tabulated(draw: Draw) -> Drawn:
    kinds = draw(st.lists(st.sampled_from(_TABULATED), min_size=1, max_size=3))
    scale, zero_point = draw(_output)
    return named(tabulated, *kinds, scale=scale, zero_point=zero_point)


STRATEGIES: dict[str, Cases] = {
    **{kind: _function(kind) for kind in (*_FUNCTIONS, "L2_NORMALIZATION", "LEAKY_RELU")},
    **{
        kind: _binary(kind)
        for kind in ("ADD", "SUB", "MUL", "DIV", "SQUARED_DIFFERENCE", "MAXIMUM", "MINIMUM")
    },
    **{kind: _comparison(kind) for kind in _COMPARISONS},
    **{f"{kind} of int32": _int32(kind) for kind in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")},
    **{kind: _reduction(kind) for kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")},
    **{kind: _convolution(kind) for kind in ("CONV_2D", "DEPTHWISE_CONV_2D")},
    **{kind: _pool(kind) for kind in ("AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D")},
    **{kind: _floored(kind) for kind in ("FLOOR_DIV", "FLOOR_MOD")},
    "ARG_MAX, ARG_MIN": _arg_extreme(),
    "BATCH_MATMUL": _batch_matmul(),
    "CAST": _cast(),
    "FULLY_CONNECTED": _fully_connected(),
    "FULLY_CONNECTED by computed weights": _computed_product(),
    "GATHER, EMBEDDING_LOOKUP": _embedding(),
    "PRELU": _prelu(),
    "QUANTIZE": _back(),
    "RESIZE_BILINEAR": _resize_bilinear(),
    "QUANTIZE of a table": _tabulated(),
    "SOFTMAX": _softmax(),
}
