# SPDX-License-Identifier: Apache-2.0
"""Cases of operators on int16 activations, weights being int8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
SAME, VALID = 0, 1
INT32, INT64 = 2, 4  # of the schema's TensorType

Shape = tuple[int, ...]

#: The output scale of functions that stay within -1 and 1.
UNIT = 1 / 32768


def _scale(rng: np.random.Generator) -> float:
    return float(np.float32(10.0 ** rng.uniform(-5.5, -3.5)))


def _activation(b: TfliteBuilder, shape: Shape, scale: float) -> int:
    return b.tensor(shape, "int16", scale)


def _weights(
    b: TfliteBuilder, rng: np.random.Generator, shape: Shape, axis: int | None, extreme: bool
) -> tuple[int, np.ndarray[Any, Any]]:
    """Weights per channel of `axis`, or per tensor where it is None; and their scales."""
    low, high = (127, 128) if extreme else (-127, 128)
    data = rng.integers(low, high, shape, np.int8)
    count = 1 if axis is None else shape[axis]
    scales = 10.0 ** rng.uniform(-3.0, -2.0, count).astype(np.float32)
    return b.tensor(shape, scale=scales.tolist(), data=data, axis=axis or 0), scales


def _sum_of_products(
    kind: str,
    shapes: tuple[Shape, Shape, Shape],
    axis: int,
    *,
    bias: str | None = "int64",
    per_channel: bool = True,
    extreme: bool = False,
    scales: tuple[float, float] | None = None,
    bits: int = 22,
    **options: Any,
) -> Case:
    """An operator on an input and weights to an output, of those shapes.

    `scales` are the input's and the output's; drawn, they let the sums fill the output's range.
    `extreme` makes all weights 127; `bits` is the size of the largest bias.
    """
    source, filters, output = shapes

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        scale = scales[0] if scales else _scale(rng)
        x = _activation(b, source, scale)
        w, weight_scales = _weights(b, rng, filters, axis if per_channel else None, extreme)
        depth = int(np.prod(filters)) // filters[axis]
        spread = scale * float(np.mean(weight_scales)) * 73 * 18918 * depth**0.5 / 20000
        y = _activation(b, output, scales[1] if scales else float(np.float32(spread)))
        operands = [x, w]
        if bias is not None:
            values = rng.integers(-(1 << bits), 1 << bits, filters[axis])
            bias_scale = (scale * weight_scales).astype(np.float32).tolist()
            operands.append(b.tensor((filters[axis],), bias, bias_scale, data=values))
        if kind == "TRANSPOSE_CONV":
            operands = [b.tensor((4,), "int32", data=output), w, x, *operands[2:]]
        b.operator(kind, operands, [y], **options)
        return [x], [y]

    return case


def _window(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: int,
) -> tuple[int, ...]:
    """Height and width of a window's output."""
    return tuple(
        -(-(extent if padding == SAME else extent - (k - 1) * d) // s)
        for extent, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    )


def _window_options(
    stride: tuple[int, int], dilation: tuple[int, int], padding: int, activation: int
) -> dict[str, Any]:
    return {
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
        "padding": padding,
        "fusedActivationFunction": activation,
    }


def conv(
    size: tuple[int, int],
    channels: int,
    filters: int,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: int = SAME,
    activation: int = NONE,
    groups: int = 1,
    batches: int = 1,
    **more: Any,
) -> Case:
    shapes = (
        (batches, *size, channels),
        (filters, *kernel, channels // groups),
        (batches, *_window(size, kernel, stride, dilation, padding), filters),
    )
    more |= _window_options(stride, dilation, padding, activation)
    return _sum_of_products("CONV_2D", shapes, 0, **more)


def depthwise(
    size: tuple[int, int],
    channels: int,
    kernel: tuple[int, int],
    *,
    multiplier: int = 1,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: int = SAME,
    activation: int = NONE,
    batches: int = 1,
    **more: Any,
) -> Case:
    filters = channels * multiplier
    shapes = (
        (batches, *size, channels),
        (1, *kernel, filters),
        (batches, *_window(size, kernel, stride, dilation, padding), filters),
    )
    more |= _window_options(stride, dilation, padding, activation) | {"depthMultiplier": multiplier}
    return _sum_of_products("DEPTHWISE_CONV_2D", shapes, 3, **more)


#: The output of SOFTMAX from int8; TFLM takes every scale within a thousandth of 1/65536.
WIDE: tuple[str, float, int] = ("int16", 1 / 65535, -32768)


def selection(shapes: tuple[Shape, Shape, Shape], constants: str = "...") -> Case:
    """SELECT_V2 by a condition; `constants` has a letter an operand: c where it is constant."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        operands = []
        for place, shape in enumerate(shapes):
            low, high = (-32768, 32768) if place else (0, 2)
            data = rng.integers(low, high, shape) if constants[place] == "c" else None
            quantised = ("int16", 0.01) if place else ("bool",)
            operands.append(b.tensor(shape, *quantised, data=data))
        y = b.tensor(np.broadcast_shapes(*shapes), "int16", 0.01)
        b.operator("SELECT_V2", operands, [y])
        return [x for place, x in enumerate(operands) if constants[place] != "c"], [y]

    return case


def batch_matmul(
    left: Shape,
    right: Shape,
    output: Shape,
    *,
    constant: bool = False,
    scales: tuple[float, float, float] = (1e-4, 2e-4, 1e-3),
    **options: Any,
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        x, y = b.tensor(left, "int16", scales[0]), b.tensor(output, "int16", scales[2])
        data = rng.integers(-32768, 32768, right) if constant else None
        z = b.tensor(right, "int16", scales[1], data=data)
        b.operator("BATCH_MATMUL", [x, z], [y], **options)
        return [x] if constant else [x, z], [y]

    return case


def wide_softmax(shape: Shape, scale: float, zero_point: int, beta: float = 1.0) -> Case:
    """SOFTMAX from int8, and what follows it: float32, and int8 again."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        del rng
        x, y = b.tensor(shape, "int8", scale, zero_point), b.tensor(shape, *WIDE)
        real, narrow = b.tensor(shape, "float32"), b.tensor(shape, "int8", 1 / 200, -100)
        b.operator("SOFTMAX", [x], [y], beta=beta)
        b.operator("DEQUANTIZE", [y], [real])
        b.operator("QUANTIZE", [y], [narrow])
        return [x], [y, real, narrow]

    return case


def computed_shape(
    size: tuple[int, int], kernel: tuple[int, int], padding: int, dtype: str = "int16"
) -> Case:
    """TRANSPOSE_CONV whose output shape is an input of the model; the file states it as well."""
    grown = [
        extent * 2 if padding == SAME else (extent - 1) * 2 + k
        for extent, k in zip(size, kernel, strict=True)
    ]

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        shape = b.tensor((4,), "int32")
        x = b.tensor((1, *size, 3), dtype, 0.01)
        w = b.tensor((2, *kernel, 3), scale=0.01, data=rng.integers(-127, 128, (2, *kernel, 3)))
        y = b.tensor((1, *grown, 2), dtype, 0.02)
        b.operator("TRANSPOSE_CONV", [shape, w, x], [y], strideH=2, strideW=2, padding=padding)
        return [shape, x], [y]

    return case


def transpose_conv(
    size: tuple[int, int],
    channels: int,
    filters: int,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (2, 2),
    padding: int = SAME,
    **more: Any,
) -> Case:
    grown = tuple(
        extent * s if padding == SAME else (extent - 1) * s + k
        for extent, s, k in zip(size, stride, kernel, strict=True)
    )
    shapes = (1, *size, channels), (filters, *kernel, channels), (1, *grown, filters)
    options: dict[str, Any] = {"strideH": stride[0], "strideW": stride[1], "padding": padding}
    return _sum_of_products("TRANSPOSE_CONV", shapes, 0, **options, **more)


def fully_connected(rows: Shape, depth: int, units: int, **more: Any) -> Case:
    shapes = ((*rows, depth), (units, depth), (*rows, units))
    return _sum_of_products("FULLY_CONNECTED", shapes, 0, **more)


def pool(
    kind: str,
    shape: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: int,
    activation: int = NONE,
    scale: float = 2e-4,
) -> Case:
    size = _window((shape[1], shape[2]), kernel, stride, (1, 1), padding)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        x = _activation(b, shape, scale)
        y = _activation(b, (shape[0], *size, shape[3]), scale)
        options = _window_options(stride, (1, 1), padding, activation)
        del options["dilationHFactor"], options["dilationWFactor"]
        b.operator(
            f"{kind}_POOL_2D", [x], [y], filterHeight=kernel[0], filterWidth=kernel[1], **options
        )
        return [x], [y]

    return case


def binary(
    kind: str,
    left: Shape,
    right: Shape,
    *,
    constant: int | None = None,
    scales: Sequence[float] | None = None,
    **options: Any,
) -> Case:
    """An operator on two operands, of which that at `constant` is one."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        drawn = [_scale(rng), _scale(rng)]
        if scales:
            chosen = list(scales)
        elif kind == "MUL":
            chosen = [*drawn, drawn[0] * drawn[1] * 9000]
        else:
            chosen = [*drawn, max(drawn) * 1.2]
        operands = [
            b.tensor(
                shape,
                "int16",
                chosen[i],
                data=rng.integers(-32768, 32768, shape, np.int16) if constant == i else None,
            )
            for i, shape in enumerate((left, right))
        ]
        y = _activation(b, np.broadcast_shapes(left, right), chosen[2])
        b.operator(kind, operands, [y], **options)
        return [x for i, x in enumerate(operands) if i != constant], [y]

    return case


def unary(
    kind: str,
    shape: Shape,
    scales: tuple[float, float] | None = None,
    *,
    output: Shape | None = None,
    operand: Any = None,
    **options: Any,
) -> Case:
    """An operator on one input, and on a constant of int32 where `operand` is given."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        first, second = scales or (_scale(rng), _scale(rng))
        x = _activation(b, shape, first)
        y = _activation(b, shape if output is None else output, second)
        operands = [x]
        if operand is not None:
            values = np.asarray(operand, np.int32)
            operands.append(b.tensor(values.shape, "int32", data=values))
        b.operator(kind, operands, [y], **options)
        return [x], [y]

    return case


def converted(kind: str, source: tuple[str, Any, int], output: tuple[str, Any, int]) -> Case:
    """QUANTIZE or DEQUANTIZE, between types of that scale and zero point."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        x, y = (b.tensor((3, 67), *one) for one in (source, output))
        b.operator(kind, [x], [y])
        return [x], [y]

    return case


def pad(shape: Shape, pads: Sequence[tuple[int, int]]) -> Case:
    padded = tuple(extent + sum(pair) for extent, pair in zip(shape, pads, strict=True))
    return unary("PAD", shape, (0.01, 0.01), output=padded, operand=pads)


_SUMS: dict[str, Case] = {
    "conv": conv((6, 5), 3, 4, (3, 3), activation=RELU),
    "conv_batches": conv((4, 5), 3, 4, (3, 2), batches=3),
    "conv_valid": conv((7, 8), 2, 5, (3, 2), padding=VALID, stride=(2, 1)),
    "conv_pointwise": conv((4, 3), 9, 7, (1, 1), activation=RELU6),
    "conv_dilated": conv((9, 8), 2, 3, (3, 3), dilation=(2, 3)),
    "conv_strided": conv((9, 7), 3, 2, (5, 3), stride=(3, 2), activation=RELU_N1_TO_1),
    "conv_one": conv((1, 1), 1, 1, (1, 1)),
    "conv_row": conv((1, 16), 2, 3, (1, 5), stride=(1, 2)),
    "conv_beyond": conv((2, 2), 2, 2, (5, 5)),
    "conv_groups": conv((5, 4), 6, 4, (3, 3), groups=2),
    "conv_as_many_groups": conv((5, 4), 4, 8, (3, 3), groups=4, bias="int32"),
    "conv_per_tensor": conv((5, 6), 3, 4, (3, 3), per_channel=False),
    "conv_int32": conv((5, 6), 3, 4, (3, 3), bias="int32"),
    "conv_int32_saturating": conv((5, 6), 3, 4, (3, 3), bias="int32", scales=(1e-3, 1e-6)),
    "conv_int32_wrapping": conv((4, 4), 64, 3, (3, 3), bias="int32", extreme=True),
    "conv_int32_underflow": conv((4, 4), 3, 3, (3, 3), bias="int32", scales=(1e-7, 1e4)),
    "conv_large_bias": conv((5, 6), 3, 4, (3, 3), bits=45, scales=(1e-6, 6.0)),
    "conv_no_bias": conv((5, 6), 3, 4, (3, 3), bias=None),
    "conv_no_bias_int64": conv((5, 6), 3, 4, (3, 3), bias=None, quantizedBiasType=INT64),
    "conv_no_bias_int32": conv((5, 6), 3, 4, (3, 3), bias=None, quantizedBiasType=INT32),
    "conv_extreme": conv((4, 4), 64, 3, (3, 3), extreme=True),
    "conv_saturating": conv((4, 4), 8, 3, (3, 3), scales=(1e-3, 1e-6)),
    "conv_magnifying": conv((4, 4), 2, 3, (1, 1), scales=(0.9, 1e-3)),
    "conv_fine": conv((4, 4), 8, 3, (3, 3), scales=(1e-5, 3e-2)),
    "conv_underflow": conv((4, 4), 8, 3, (3, 3), scales=(1e-7, 1e4)),
    "depthwise": depthwise((6, 5), 4, (3, 3), activation=RELU),
    "depthwise_batches": depthwise((4, 5), 3, (2, 3), batches=2),
    "depthwise_multiplier": depthwise((5, 6), 3, (3, 2), multiplier=4, padding=VALID),
    "depthwise_of_one": depthwise((5, 6), 1, (3, 3), multiplier=6, stride=(2, 2)),
    "depthwise_dilated": depthwise((9, 9), 2, (3, 3), dilation=(3, 2), activation=RELU6),
    "depthwise_strided": depthwise((9, 7), 3, (4, 3), stride=(2, 3)),
    "depthwise_large_bias": depthwise((5, 6), 3, (3, 3), bits=45, scales=(1e-6, 6.0)),
    "depthwise_no_bias": depthwise((5, 6), 3, (3, 3), bias=None),
    "depthwise_per_tensor": depthwise((5, 6), 3, (3, 3), per_channel=False),
    "depthwise_one": depthwise((1, 1), 1, (1, 1)),
    "depthwise_saturating": depthwise((4, 4), 3, (3, 3), scales=(1e-3, 1e-6)),
    "depthwise_underflow": depthwise((4, 4), 3, (3, 3), scales=(1e-7, 1e4)),
    "transpose_conv": transpose_conv((4, 3), 3, 4, (3, 3), fusedActivationFunction=RELU),
    "transpose_conv_valid": transpose_conv((3, 4), 2, 3, (2, 3), stride=(3, 1), padding=VALID),
    "transpose_conv_no_bias": transpose_conv((3, 4), 2, 3, (3, 2), bias=None),
    "transpose_conv_per_tensor": transpose_conv((3, 4), 2, 3, (4, 4), per_channel=False),
    "transpose_conv_computed_shape": computed_shape((3, 4), (3, 3), SAME),
    "transpose_conv_computed_shape_valid": computed_shape((4, 2), (2, 3), VALID),
    "transpose_conv_computed_shape_int8": computed_shape((3, 3), (3, 2), SAME, "int8"),
    "transpose_conv_one": transpose_conv((1, 1), 1, 1, (1, 1), stride=(1, 1)),
    "transpose_conv_saturating": transpose_conv((3, 3), 2, 2, (3, 3), scales=(1e-3, 1e-6)),
    "fully_connected": fully_connected((1,), 37, 11, fusedActivationFunction=RELU),
    "fully_connected_rows": fully_connected((4,), 9, 5),
    "fully_connected_one": fully_connected((1,), 1, 1),
    "fully_connected_per_tensor": fully_connected((2,), 33, 6, per_channel=False),
    "fully_connected_int32": fully_connected((2,), 33, 6, bias="int32"),
    "fully_connected_int32_wrapping": fully_connected(
        (2,), 900, 3, bias="int32", extreme=True, per_channel=False
    ),
    "fully_connected_no_bias": fully_connected((2,), 33, 6, bias=None),
    "fully_connected_no_bias_int64": fully_connected(
        (2,), 33, 6, bias=None, quantizedBiasType=INT64
    ),
    "fully_connected_no_bias_int32": fully_connected(
        (2,), 33, 6, bias=None, quantizedBiasType=INT32
    ),
    "fully_connected_long": fully_connected((1,), 3000, 2, extreme=True),
    "fully_connected_saturating": fully_connected((1,), 20, 4, scales=(1e-3, 1e-6)),
    "fully_connected_underflow": fully_connected((1,), 20, 4, scales=(1e-7, 1e4)),
}

#: Name, shape, window, strides, padding, then the fused activation and the scale.
_WINDOWS: tuple[tuple[Any, ...], ...] = (
    ("plain", (1, 6, 8, 3), (2, 2), (2, 2), VALID),
    ("same", (1, 7, 5, 4), (3, 3), (2, 1), SAME),
    ("relu", (1, 5, 5, 2), (3, 2), (1, 2), SAME, RELU),
    ("relu6", (1, 5, 5, 2), (2, 3), (1, 1), VALID, RELU6, 5e-4),
    ("relu_n1_to_1", (1, 4, 4, 3), (2, 2), (1, 1), SAME, RELU_N1_TO_1),
    ("whole", (1, 13, 11, 2), (13, 11), (1, 1), VALID),
    ("one", (1, 1, 1, 1), (1, 1), (1, 1), VALID),
    ("batches", (3, 4, 5, 2), (2, 3), (1, 2), SAME),
    ("beyond", (1, 2, 3, 2), (5, 7), (2, 2), SAME),
)
_POOLS: dict[str, Case] = {
    f"{kind.lower()}_pool_{name}": pool(kind, *rest)
    for kind in ("AVERAGE", "MAX")
    for name, *rest in _WINDOWS
}

#: Name, both shapes, which operand is constant, fused activation.
_SHAPES: tuple[tuple[str, Shape, Shape, int | None, int], ...] = (
    ("same", (1, 3, 5, 7), (1, 3, 5, 7), None, NONE),
    ("constant", (2, 3, 4), (2, 3, 4), 1, RELU),
    ("scalar", (1, 4, 5, 3), (), 1, RELU6),
    ("channels_left", (1, 1, 1, 5), (2, 3, 2, 5), 0, NONE),
    ("channels", (1, 4, 3, 6), (1, 1, 1, 6), None, RELU_N1_TO_1),
    ("crossed", (1, 5, 1, 3), (2, 1, 4, 1), None, NONE),
    ("rank_5", (2, 1, 3, 1, 2), (1, 4, 3, 2, 1), None, RELU),
    ("one", (1,), (1,), None, NONE),
)
_SUM_EDGES: tuple[tuple[str, Sequence[float]], ...] = (
    ("saturating", (0.9, 0.8, 0.001)),
    ("vanishing", (3e-6, 2e-6, 0.9)),
    ("unlike_scales", (1e-9, 0.7, 0.6)),
    ("underflowing", (1e-12, 0.5, 0.25)),
    ("equal_scales", (0.125, 0.125, 0.25)),
)
_ELEMENTWISE: dict[str, Case] = {
    **{
        f"{kind.lower()}_{name}": binary(
            kind, left, right, constant=constant, fusedActivationFunction=activation
        )
        for kind in ("ADD", "SUB", "MUL")
        for name, left, right, constant, activation in _SHAPES
    },
    **{
        f"{kind.lower()}_{name}": binary(kind, (4, 64), (4, 64), scales=scales)
        for kind in ("ADD", "SUB")
        for name, scales in _SUM_EDGES
    },
    "mul_saturating": binary("MUL", (4, 64), (4, 64), scales=(0.9, 0.8, 0.001)),
    "mul_wrapping": binary("MUL", (4, 64), (4, 64), scales=(30.0, 20.0, 0.01)),
    "mul_vanishing": binary("MUL", (4, 64), (4, 64), scales=(3e-6, 2e-6, 0.9)),
    "mul_unit": binary("MUL", (4, 64), (4, 64), scales=(UNIT, UNIT, UNIT)),
    **{
        f"{kind.lower()}_{name}": binary(
            kind, left, right, constant=constant, scales=(1e-3, 1e-3, 1e-3)
        )
        for kind in ("MAXIMUM", "MINIMUM")
        for name, left, right, constant, _ in _SHAPES
    },
}

_ELEMENTWISE |= {
    **{
        f"squared_difference_{name}": binary(
            "SQUARED_DIFFERENCE", left, right, constant=constant, scales=(1e-3, 7e-4, 0.9)
        )
        for name, left, right, constant, _ in _SHAPES
        if max(len(left), len(right)) <= 4
    },
    "squared_difference_saturating": binary(
        "SQUARED_DIFFERENCE", (4, 64), (64,), scales=(0.9, 0.8, 0.001)
    ),
    "squared_difference_vanishing": binary(
        "SQUARED_DIFFERENCE", (4, 64), (64,), scales=(3e-6, 2e-6, 0.9)
    ),
    "squared_difference_wrapping": binary(
        "SQUARED_DIFFERENCE", (4, 64), (64,), scales=(30.0, 20.0, 0.01)
    ),
    "select": selection(((2, 9), (2, 9), (2, 9))),
    "select_crossed": selection(((3, 1), (3, 5), (5,))),
    "select_constants": selection(((2, 9), (2, 9), ()), ".cc"),
    "select_mask": selection(((4, 1, 6), (3, 4, 5, 6), (5, 1)), "c.."),
}

_PRODUCTS: dict[str, Case] = {
    "batch_matmul": batch_matmul((2, 3, 5), (2, 5, 4), (2, 3, 4)),
    "batch_matmul_transposed": batch_matmul((2, 5, 3), (1, 4, 5), (2, 3, 4), adjX=True, adjY=True),
    "batch_matmul_constant": batch_matmul((3, 40), (40, 2), (3, 2), constant=True),
    "batch_matmul_saturating": batch_matmul((3, 4), (4, 2), (3, 2), scales=(0.1, 0.1, 1e-3)),
    "batch_matmul_underflow": batch_matmul((3, 4), (4, 2), (3, 2), scales=(1e-6, 1e-6, 9.0)),
    "batch_matmul_rank_5": batch_matmul((2, 1, 2, 3, 2), (1, 3, 2, 2, 4), (2, 3, 2, 3, 4)),
}

_FUNCTIONS: dict[str, Case] = {
    **{
        f"{kind.lower()}_{name}": unary(kind, shape, (scale, UNIT))
        for kind in ("LOGISTIC", "TANH")
        for name, shape, scale in (
            ("plain", (1, 3, 5, 7), 2.7e-4),
            ("power", (1, 400), 2.0**-12),
            ("next_power", (1, 400), 2.0**-11),
            ("near_power", (1, 400), 2.0**-12 * 1.0005),
            ("saturating", (1, 400), 2.6),
            ("fine", (1, 400), 1e-6),
            ("underflow", (1, 50), 4e-14),
            ("one", (1,), 1e-3),
        )
    },
    "softmax": unary("SOFTMAX", (1, 10), (2e-4, UNIT), beta=1.0),
    "softmax_rows": unary("SOFTMAX", (2, 3, 4, 7), (5e-5, UNIT), beta=0.7),
    "softmax_of_one": unary("SOFTMAX", (5, 1), (1e-4, UNIT), beta=1.0),
    "softmax_of_two": unary("SOFTMAX", (40, 2), (1e-4, UNIT), beta=1.0),
    "softmax_rank_1": unary("SOFTMAX", (33,), (3e-4, UNIT), beta=2.0),
    "softmax_long": unary("SOFTMAX", (1, 5000), (1e-5, UNIT), beta=1.0),
    "softmax_coarse": unary("SOFTMAX", (4, 9), (0.4, UNIT), beta=1.0),
    "softmax_wrapping": unary("SOFTMAX", (4, 9), (50.0, UNIT), beta=1.0),
    "softmax_fine": unary("SOFTMAX", (4, 9), (1e-12, UNIT), beta=1.0),
    "softmax_of_int8": wide_softmax((1, 10), 0.1, 2),
    "softmax_of_int8_rows": wide_softmax((2, 3, 7), 0.05, -128, beta=0.7),
    "softmax_of_int8_of_one": wide_softmax((5, 1), 0.1, 0),
    "softmax_of_int8_coarse": wide_softmax((4, 9), 3.0, 127),
    "softmax_of_int8_fine": wide_softmax((4, 9), 1e-4, 0),
    "softmax_of_int8_long": wide_softmax((1, 1500), 1e-3, 0),
    "softmax_underflow": unary("SOFTMAX", (4, 9), (1e-15, UNIT), beta=1.0),
    "abs": unary("ABS", (2, 3, 40), (5e-4, 3e-4)),
    "abs_same": unary("ABS", (3, 200), (1e-3, 1e-3)),
    "abs_saturating": unary("ABS", (1, 50), (1.0, 1e-3)),
    "abs_underflow": unary("ABS", (1, 50), (1e-9, 10.0)),
    "relu": unary("RELU", (1, 4, 9, 2), (5e-4, 3e-4)),
    "relu_same": unary("RELU", (7,), (1e-3, 1e-3)),
    "relu_saturating": unary("RELU", (1, 50), (1.0, 1e-3)),
    "relu_wrapping": unary("RELU", (1, 200), (1.0, 1e-6)),
    "relu_underflow": unary("RELU", (1, 50), (1e-9, 10.0)),
    "relu6": unary("RELU6", (1, 4, 9, 2), (5e-4, 6 / 32767)),
    "relu6_fine": unary("RELU6", (1, 77), (1e-5, 1e-5)),
    "relu6_finest": unary("RELU6", (1, 77), (2.8e-9, 1e-5)),
    "relu6_coarse": unary("RELU6", (1, 77), (100.0, 1.0)),
    "leaky_relu": unary("LEAKY_RELU", (1, 6, 6, 3), (4e-4, 3e-4), alpha=0.3),
    "leaky_relu_negative": unary("LEAKY_RELU", (1, 60), (4e-4, 3e-4), alpha=-0.5),
    "leaky_relu_steep": unary("LEAKY_RELU", (1, 60), alpha=1.5),
    "leaky_relu_zero": unary("LEAKY_RELU", (1, 60), alpha=0.0),
    "leaky_relu_wrapping": unary("LEAKY_RELU", (1, 200), (1.0, 1e-6), alpha=0.3),
}

_REDUCTIONS: dict[str, Case] = {
    f"{kind.lower()}_{name}": unary(
        kind, shape, scales, output=output, operand=axes, keepDims=len(output) == len(shape)
    )
    for kind, scales in (("MEAN", (2e-4, 1e-4)), ("SUM", (2e-4, 3e-3)))
    for name, shape, axes, output in (
        ("plane", (1, 5, 7, 3), [1, 2], (1, 3)),
        ("plane_kept", (1, 5, 7, 3), [1, 2], (1, 1, 1, 3)),
        ("last", (4, 9), [-1], (4,)),
        ("other_axes", (2, 3, 4, 5), [0, 2], (3, 5)),
        ("one", (1, 1, 1, 4), [1, 2], (1, 4)),
        ("all", (2, 3, 4), [0, 1, 2], (1,)),
    )
} | {
    "mean_long": unary("MEAN", (1, 30000), (1e-3, 1e-6), output=(1, 1), operand=[1], keepDims=True),
    "mean_underflow": unary("MEAN", (3, 40), (1e-9, 10.0), output=(3,), operand=[1]),
    "sum_saturating": unary("SUM", (3, 40), (1.0, 1e-3), output=(3,), operand=[1]),
}

_EDGES: dict[str, Case] = {
    "quantize_float32": converted("QUANTIZE", ("float32", None, 0), ("int16", 2.0**-15, 0)),
    "quantize_float32_saturating": converted("QUANTIZE", ("float32", None, 0), ("int16", 1e-6, 0)),
    "quantize_int8": converted("QUANTIZE", ("int8", 0.05, -7), ("int16", 3e-4, 0)),
    "quantize_int8_saturating": converted("QUANTIZE", ("int8", 0.9, 127), ("int16", 1e-3, 0)),
    "quantize_to_int8": converted("QUANTIZE", ("int16", 3e-4, 0), ("int8", 0.05, -128)),
    "quantize_to_int8_fine": converted("QUANTIZE", ("int16", 1e-9, 0), ("int8", 0.5, 5)),
    "quantize_int16": converted("QUANTIZE", ("int16", 3e-4, 0), ("int16", 2e-4, 0)),
    "quantize_int16_of_any_zero_point": converted(
        "QUANTIZE", ("int16", 3e-4, -700), ("int16", 2e-4, 9000)
    ),
    **{
        f"quantize_{source[0]}_{output[0]}_{index}": converted("QUANTIZE", source, output)
        for index, (source, output) in enumerate(
            (
                (("int16", 1e-3, 0), ("int32", 1e-4, 0)),
                (("int16", 1e-3, 5), ("int32", 1e-9, -3)),
                (("int16", 1e-3, 0), ("int32", 1e-12, 1 << 30)),
                (("int8", 0.05, -128), ("int32", 1e-4, 0)),
                (("int8", 0.05, 7), ("int32", 3e-10, -(1 << 31))),
                (("int32", 1e-4, 0), ("int16", 1e-3, 0)),
                (("int32", 1e-9, 0), ("int16", 1e-4, 0)),
                (("int32", 1e-9, -(1 << 31)), ("int16", 1e-4, 100)),
                (("int32", 0.5, 77), ("int16", 1e-3, 0)),
                (("int32", 1e-9, 0), ("int8", 0.02, -5)),
                (("int32", 1e-12, 5), ("int8", 3.0, 127)),
            )
        )
    },
    "dequantize": converted("DEQUANTIZE", ("int16", 3.1e-4, 0), ("float32", None, 0)),
    "dequantize_coarse": converted("DEQUANTIZE", ("int16", 71.3, 0), ("float32", None, 0)),
}

_SHAPED: dict[str, Case] = {
    "reshape": unary("RESHAPE", (1, 4, 3, 2), (0.1, 0.1), output=(1, 24), operand=[1, 24]),
    "pad": pad((1, 4, 3, 2), [(0, 0), (1, 2), (2, 1), (0, 0)]),
    "pad_channels": pad((2, 3, 4), [(1, 0), (0, 1), (2, 3)]),
    "pad_nothing": pad((1, 5), [(0, 0), (0, 0)]),
    "pad_rank_5": pad((2, 1, 3, 2, 2), [(1, 0), (0, 2), (1, 1), (2, 0), (0, 1)]),
    "pad_vector": pad((7,), [(3, 2)]),
}

CASES: dict[str, Case] = {
    f"int16_{name}": case
    for group in (_SUMS, _PRODUCTS, _POOLS, _ELEMENTWISE, _FUNCTIONS, _REDUCTIONS, _EDGES, _SHAPED)
    for name, case in group.items()
}
