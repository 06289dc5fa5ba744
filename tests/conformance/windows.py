# SPDX-License-Identifier: Apache-2.0
"""Cases of the further convolutions, products, resizings and reductions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TENSOR_TYPES, TfliteBuilder

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3

Pair = tuple[int, int]
Shape = tuple[int, ...]
Found = tuple[list[int], list[int]]


def weights(
    b: TfliteBuilder,
    rng: np.random.Generator,
    shape: Shape,
    *,
    per_channel: bool,
    scale: float,
    fill: int | None = None,
    axis: int = 0,
) -> int:
    """Constant weights: random, or all of one value where `fill` gives it."""
    scales = rng.uniform(0.2 * scale, 2 * scale, shape[axis]).tolist() if per_channel else scale
    data = rng.integers(-127, 128, shape) if fill is None else np.full(shape, fill)
    return b.tensor(shape, scale=scales, data=data, axis=axis)


def biases(
    b: TfliteBuilder,
    rng: np.random.Generator,
    count: int,
    widest: int = 4000,
    scale: float | None = None,
) -> int:
    """Constant biases; FULLY_CONNECTED wants their scale to be that of the products."""
    return b.tensor((count,), "int32", scale, data=rng.integers(-widest, widest, count))


def positions(size: Pair, kernel: Pair, stride: Pair, dilation: Pair, padding: int) -> Pair:
    """Height and width of what a window gives."""
    reach = [(k - 1) * d * (padding == VALID) for k, d in zip(kernel, dilation, strict=True)]
    height, width = (-(-(e - r) // s) for e, r, s in zip(size, reach, stride, strict=True))
    return height, width


def transpose_conv(
    *,
    size: Pair = (4, 5),
    channels: Pair = (3, 4),
    kernel: Pair = (3, 3),
    stride: Pair = (2, 2),
    padding: int = SAME,
    output: Pair | None = None,
    batch: int = 1,
    bias: bool = True,
    per_channel: bool = True,
    activation: int = NONE,
    zero_points: Pair = (-5, 9),
    scale: float = 0.01,
    scales: tuple[float, float] = (0.05, 0.08),
    fill: int | None = None,
    widest_bias: int = 4000,
) -> Case:
    if output is None:
        grown = [extent * step for extent, step in zip(size, stride, strict=True)]
        if padding == VALID:
            reach = [max(k - s, 0) for k, s in zip(kernel, stride, strict=True)]
            grown = [extent + more for extent, more in zip(grown, reach, strict=True)]
        output = (grown[0], grown[1])
    cin, cout = channels
    shape = (batch, *output, cout)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor((batch, *size, cin), scale=scales[0], zero_point=zero_points[0])
        shaped = (cout, *kernel, cin)
        w = weights(b, rng, shaped, per_channel=per_channel, scale=scale, fill=fill)
        inputs = [b.tensor((4,), "int32", data=shape), w, x]
        if bias:
            inputs.append(biases(b, rng, cout, widest_bias))
        y = b.tensor(shape, scale=scales[1], zero_point=zero_points[1])
        b.operator(
            "TRANSPOSE_CONV",
            inputs,
            [y],
            strideH=stride[0],
            strideW=stride[1],
            padding=padding,
            fusedActivationFunction=activation,
        )
        return [x], [y]

    return case


def grouped_conv(
    *,
    size: Pair = (6, 7),
    groups: int = 2,
    depth: int = 3,
    filters: int = 6,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    padding: int = SAME,
    batch: int = 1,
    bias: bool = True,
    per_channel: bool = True,
    activation: int = NONE,
    zero_points: Pair = (-5, 9),
    scale: float = 0.01,
    scales: tuple[float, float] = (0.05, 0.08),
    fill: int | None = None,
    widest_bias: int = 4000,
) -> Case:
    due = positions(size, kernel, stride, dilation, padding)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor((batch, *size, groups * depth), scale=scales[0], zero_point=zero_points[0])
        shaped = (filters, *kernel, depth)
        w = weights(b, rng, shaped, per_channel=per_channel, scale=scale, fill=fill)
        y = b.tensor((batch, *due, filters), scale=scales[1], zero_point=zero_points[1])
        b.operator(
            "CONV_2D",
            [x, w, biases(b, rng, filters, widest_bias) if bias else -1],
            [y],
            strideH=stride[0],
            strideW=stride[1],
            dilationHFactor=dilation[0],
            dilationWFactor=dilation[1],
            padding=padding,
            fusedActivationFunction=activation,
        )
        return [x], [y]

    return case


def depthwise(
    *,
    batch: int = 1,
    size: Pair = (9, 8),
    channels: int = 6,
    multiplier: int = 1,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    padding: int = SAME,
    bias: bool = True,
    per_channel: bool = True,
    activation: int = RELU6,
    zero_points: Pair = (7, -20),
    scale: float = 0.01,
    scales: tuple[float, float] = (0.05, 0.04),
    fill: int | None = None,
    widest_bias: int = 3000,
) -> Case:
    cout = channels * multiplier
    due = positions(size, kernel, stride, dilation, padding)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor((batch, *size, channels), scale=scales[0], zero_point=zero_points[0])
        shaped = (1, *kernel, cout)
        w = weights(b, rng, shaped, per_channel=per_channel, scale=scale, fill=fill, axis=3)
        y = b.tensor((batch, *due, cout), scale=scales[1], zero_point=zero_points[1])
        b.operator(
            "DEPTHWISE_CONV_2D",
            [x, w, biases(b, rng, cout, widest_bias) if bias else -1],
            [y],
            strideH=stride[0],
            strideW=stride[1],
            dilationHFactor=dilation[0],
            dilationWFactor=dilation[1],
            depthMultiplier=multiplier,
            padding=padding,
            fusedActivationFunction=activation,
        )
        return [x], [y]

    return case


def pool(
    kind: str,
    *,
    batch: int = 1,
    size: Pair = (7, 6),
    channels: int = 5,
    kernel: Pair = (3, 2),
    stride: Pair = (2, 1),
    padding: int = SAME,
    activation: int = NONE,
    scale: float = 0.05,
    zero_point: int = -4,
) -> Case:
    due = positions(size, kernel, stride, (1, 1), padding)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        del rng
        x = b.tensor((batch, *size, channels), scale=scale, zero_point=zero_point)
        y = b.tensor((batch, *due, channels), scale=scale, zero_point=zero_point)
        b.operator(
            kind,
            [x],
            [y],
            filterHeight=kernel[0],
            filterWidth=kernel[1],
            strideH=stride[0],
            strideW=stride[1],
            padding=padding,
            fusedActivationFunction=activation,
        )
        return [x], [y]

    return case


def softmax(shape: Shape) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        del rng
        x = b.tensor(shape, scale=0.07, zero_point=30)
        y = b.tensor(shape, scale=1 / 256, zero_point=-128)
        b.operator("SOFTMAX", [x], [y], beta=0.5)
        return [x], [y]

    return case


def reduction(
    kind: str,
    shape: Shape,
    axes: Sequence[int],
    *,
    keep: bool = False,
    scales: tuple[float, float] = (0.05, 0.07),
    zero_points: Pair = (-9, 14),
    scalar: bool = False,
) -> Case:
    named = {axis % len(shape) for axis in axes}
    due = tuple(
        1 if axis in named else extent
        for axis, extent in enumerate(shape)
        if keep or axis not in named
    )

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        del rng
        extreme = kind in ("REDUCE_MAX", "REDUCE_MIN")
        x = b.tensor(shape, scale=scales[0], zero_point=zero_points[0])
        axis = b.tensor(() if scalar else (len(axes),), "int32", data=axes)
        y = b.tensor(
            due,
            scale=scales[0] if extreme else scales[1],
            zero_point=zero_points[0] if extreme else zero_points[1],
        )
        b.operator(kind, [x, axis], [y], keepDims=keep)
        return [x], [y]

    return case


def arg_extreme(
    kind: str, shape: Shape, axis: int, *, scalar: bool = False, dtype: str = "int32"
) -> Case:
    place = axis % len(shape)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        del rng
        x = b.tensor(shape, scale=0.05, zero_point=3)
        named = b.tensor(() if scalar else (1,), "int32", data=[axis])
        y = b.tensor(shape[:place] + shape[place + 1 :], dtype)
        b.operator(kind, [x, named], [y], outputType=TENSOR_TYPES[dtype])
        return [x], [y]

    return case


def resize(
    size: Pair, output: Pair, *, align: bool = False, half: bool = False, depth: int = 2
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        del rng
        x = b.tensor((1, *size, depth), scale=0.05, zero_point=3)
        due = b.tensor((2,), "int32", data=output)
        y = b.tensor((1, *output, depth), scale=0.05, zero_point=3)
        b.operator("RESIZE_BILINEAR", [x, due], [y], alignCorners=align, halfPixelCenters=half)
        return [x], [y]

    return case


def batch_matmul(
    left: Shape,
    right: Shape,
    *,
    adj_x: bool = False,
    adj_y: bool = False,
    constant: str = "",
    zero_points: tuple[int, int, int] = (-7, 11, 5),
    scales: tuple[float, float, float] = (0.05, 0.03, 0.2),
) -> Case:
    rows, columns = left[-1 if adj_x else -2], right[-2 if adj_y else -1]
    due = (*np.broadcast_shapes(left[:-2], right[:-2]), rows, columns)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        computed = []
        operands = []
        for name, shape, scale, point in zip(
            ("left", "right"), (left, right), scales, zero_points, strict=False
        ):
            data = rng.integers(-128, 128, shape) if name == constant else None
            operands.append(b.tensor(shape, scale=scale, zero_point=point, data=data))
            if data is None:
                computed.append(operands[-1])
        y = b.tensor(due, scale=scales[2], zero_point=zero_points[2])
        b.operator("BATCH_MATMUL", operands, [y], adjX=adj_x, adjY=adj_y)
        return computed, [y]

    return case


def fully_connected(
    shape: Shape,
    rows: int,
    *,
    depth: int | None = None,
    keep: bool = True,
    bias: bool = True,
    per_channel: bool = True,
    activation: int = NONE,
    zero_points: Pair = (-5, 9),
    scale: float = 0.01,
    scales: tuple[float, float] = (0.05, 0.08),
    fill: int | None = None,
    widest_bias: int = 4000,
) -> Case:
    inputs = depth or shape[-1]
    due = (*shape[:-1], rows) if keep else (math.prod(shape) // inputs, rows)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor(shape, scale=scales[0], zero_point=zero_points[0])
        shaped = (rows, inputs)
        w = weights(b, rng, shaped, per_channel=per_channel, scale=scale, fill=fill)
        y = b.tensor(due, scale=scales[1], zero_point=zero_points[1])
        b.operator(
            "FULLY_CONNECTED",
            [x, w, biases(b, rng, rows, widest_bias, scales[0] * scale) if bias else -1],
            [y],
            keepNumDims=keep,
            fusedActivationFunction=activation,
        )
        return [x], [y]

    return case


def computed_weights(
    shape: Shape,
    rows: int,
    *,
    bias: bool = False,
    activation: int = NONE,
    zero_points: tuple[int, int, int] = (-7, 11, 5),
    scales: tuple[float, float, float] = (0.05, 0.03, 0.3),
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor(shape, scale=scales[0], zero_point=zero_points[0])
        w = b.tensor((rows, shape[-1]), scale=scales[1], zero_point=zero_points[1])
        y = b.tensor((*shape[:-1], rows), scale=scales[2], zero_point=zero_points[2])
        inputs = [x, w, biases(b, rng, rows, scale=scales[0] * scales[1]) if bias else -1]
        b.operator("FULLY_CONNECTED", inputs, [y], fusedActivationFunction=activation)
        return [x, w], [y]

    return case


def _pools(kind: str) -> dict[str, Case]:
    name = kind.lower()
    return {
        name: pool(kind),
        f"{name}_relu_valid": pool(kind, activation=RELU, padding=VALID),
        f"{name}_relu_n1_to_1": pool(kind, activation=RELU_N1_TO_1, stride=(2, 1)),
        f"{name}_relu6": pool(kind, activation=RELU6, kernel=(5, 1), stride=(3, 3)),
        f"{name}_batch": pool(kind, batch=3, padding=VALID),
    }


def _reductions(kind: str) -> dict[str, Case]:
    name = kind.lower()
    return {
        f"{name}_last": reduction(kind, (2, 3, 11), (-1,)),
        f"{name}_apart": reduction(kind, (3, 4, 5), (0, 2)),
        f"{name}_apart_kept": reduction(kind, (2, 4, 5, 3), (1, 3), keep=True),
        f"{name}_image": reduction(kind, (1, 5, 6, 4), (1, 2)),
        f"{name}_all": reduction(kind, (2, 3, 4), (0, 1, 2), keep=True),
        f"{name}_to_scalar": reduction(kind, (2, 3, 4), (0, 1, 2)),
        f"{name}_vector": reduction(kind, (17,), (0,), keep=True),
        f"{name}_scalar_axis": reduction(kind, (4, 6), (0,), scalar=True),
        f"{name}_repeated_axis": reduction(kind, (3, 4, 2), (2, -1, 0)),
        f"{name}_rank_5": reduction(kind, (2, 3, 2, 4, 3), (0, 2, 4)),
        f"{name}_ones": reduction(kind, (1, 1, 5, 1), (0, 3), keep=True),
        f"{name}_edge_zero_points": reduction(kind, (3, 7, 2), (1,), zero_points=(-128, 127)),
        f"{name}_other_edge": reduction(kind, (3, 7, 2), (0,), zero_points=(127, -128)),
        f"{name}_saturates": reduction(kind, (4, 6), (1,), scales=(3.0, 0.004)),
        f"{name}_vanishes": reduction(kind, (4, 6), (0,), scales=(1e-7, 900.0)),
        f"{name}_flushes": reduction(kind, (4, 6), (0,), scales=(1e-8, 900.0)),
    }


CASES: dict[str, Case] = {
    "transpose_conv": transpose_conv(),
    "transpose_conv_valid": transpose_conv(padding=VALID, activation=RELU),
    "transpose_conv_valid_more": transpose_conv(padding=VALID, output=(10, 12)),
    "transpose_conv_same_less": transpose_conv(output=(7, 9), activation=RELU6),
    "transpose_conv_no_bias": transpose_conv(bias=False, activation=RELU_N1_TO_1),
    "transpose_conv_per_tensor": transpose_conv(per_channel=False, kernel=(2, 4)),
    "transpose_conv_stride_1": transpose_conv(stride=(1, 1), kernel=(5, 3)),
    "transpose_conv_stride_beyond": transpose_conv(stride=(3, 4), kernel=(2, 2)),
    "transpose_conv_stride_beyond_valid": transpose_conv(
        stride=(3, 4), kernel=(2, 1), padding=VALID
    ),
    "transpose_conv_uneven": transpose_conv(stride=(1, 3), kernel=(4, 5), size=(3, 4)),
    "transpose_conv_row": transpose_conv(size=(1, 9), kernel=(1, 4), channels=(7, 1)),
    "transpose_conv_point": transpose_conv(size=(1, 1), kernel=(6, 6), padding=VALID),
    "transpose_conv_1x1": transpose_conv(kernel=(1, 1), stride=(1, 1), channels=(1, 9)),
    "transpose_conv_batch": transpose_conv(batch=3, size=(2, 3)),
    "transpose_conv_edge": transpose_conv(zero_points=(-128, 127)),
    "transpose_conv_other_edge": transpose_conv(zero_points=(127, -128)),
    "transpose_conv_saturates": transpose_conv(scale=4.0),
    "transpose_conv_vanishes": transpose_conv(scale=1e-9),
    "transpose_conv_flushes": transpose_conv(scale=1e-10, bias=False),
    "grouped_conv": grouped_conv(),
    "grouped_conv_depthwise": grouped_conv(groups=6, depth=1, filters=6, activation=RELU6),
    "grouped_conv_multiplier": grouped_conv(groups=3, depth=1, filters=12, padding=VALID),
    "grouped_conv_pointwise": grouped_conv(groups=4, depth=4, filters=8, kernel=(1, 1)),
    "grouped_conv_strided": grouped_conv(groups=4, depth=2, filters=4, stride=(2, 3)),
    "grouped_conv_dilated": grouped_conv(dilation=(2, 1), kernel=(2, 3), activation=RELU),
    "grouped_conv_narrow": grouped_conv(groups=5, depth=4, filters=5, padding=VALID),
    "grouped_conv_no_bias": grouped_conv(bias=False, per_channel=False, kernel=(4, 2)),
    "grouped_conv_row": grouped_conv(size=(1, 12), kernel=(1, 5), groups=3, filters=9),
    "grouped_conv_edge": grouped_conv(zero_points=(-128, 127), activation=RELU_N1_TO_1),
    "grouped_conv_other_edge": grouped_conv(zero_points=(127, -128)),
    "grouped_conv_saturates": grouped_conv(scale=3.0),
    "grouped_conv_vanishes": grouped_conv(scale=1e-9),
    "conv_batch": grouped_conv(groups=1, depth=5, batch=2),
    "conv_pointwise_batch": grouped_conv(groups=1, depth=5, batch=3, kernel=(1, 1)),
    "conv_row_batch": grouped_conv(groups=1, depth=4, batch=2, size=(1, 9), kernel=(1, 3)),
    "grouped_conv_batch": grouped_conv(batch=2, stride=(2, 1), padding=VALID),
    "depthwise_batch": depthwise(batch=2, activation=RELU6),
    "depthwise_dilated_batch": depthwise(batch=3, dilation=(1, 2), padding=VALID),
    "depthwise_multiplier_batch": depthwise(batch=2, channels=3, multiplier=2, activation=RELU),
    "depthwise_relu_n1_to_1": depthwise(activation=RELU_N1_TO_1, dilation=(2, 2)),
    **_pools("AVERAGE_POOL_2D"),
    **_pools("MAX_POOL_2D"),
    "softmax_rank_1": softmax((11,)),
    "softmax_rank_4": softmax((1, 2, 3, 5)),
    **_reductions("SUM"),
    **_reductions("MEAN"),
    **_reductions("REDUCE_MAX"),
    **_reductions("REDUCE_MIN"),
    "arg_max": arg_extreme("ARG_MAX", (1, 10), -1),
    "arg_max_first": arg_extreme("ARG_MAX", (5, 4), 0, scalar=True),
    "arg_max_middle": arg_extreme("ARG_MAX", (2, 7, 3), 1),
    "arg_max_ties": arg_extreme("ARG_MAX", (2, 600), 1),
    "arg_max_one": arg_extreme("ARG_MAX", (3, 1, 2), 1),
    "arg_max_image": arg_extreme("ARG_MAX", (1, 4, 5, 3), 3),
    "arg_max_int64": arg_extreme("ARG_MAX", (1, 10), -1, dtype="int64"),
    "arg_max_int64_middle": arg_extreme("ARG_MAX", (3, 7, 2), 1, dtype="int64"),
    "arg_max_int64_one": arg_extreme("ARG_MAX", (10,), 0, dtype="int64"),
    "arg_min_int64": arg_extreme("ARG_MIN", (5, 300), 1, dtype="int64"),
    "arg_min": arg_extreme("ARG_MIN", (1, 10), -1),
    "arg_min_first": arg_extreme("ARG_MIN", (9,), 0),
    "arg_min_middle": arg_extreme("ARG_MIN", (2, 3, 4, 5), -2, scalar=True),
    "arg_min_ties": arg_extreme("ARG_MIN", (1, 700), 1),
    "resize": resize((3, 4), (7, 9)),
    "resize_align": resize((3, 4), (7, 9), align=True),
    "resize_half": resize((3, 4), (7, 9), half=True),
    "resize_double_half": resize((4, 5), (8, 10), half=True, depth=3),
    "resize_double_align": resize((4, 5), (8, 10), align=True, depth=1),
    "resize_smaller": resize((9, 11), (4, 3)),
    "resize_smaller_align": resize((9, 11), (4, 1), align=True),
    "resize_smaller_half": resize((9, 11), (4, 1), half=True),
    "resize_from_one": resize((1, 1), (5, 3), half=True),
    "resize_from_one_align": resize((1, 2), (5, 3), align=True),
    "resize_to_one": resize((5, 3), (1, 1), align=True),
    "resize_same": resize((4, 3), (4, 3), half=True),
    "resize_long": resize((2, 3), (3, 101), half=True, depth=1),
    "batch_matmul": batch_matmul((2, 3, 4), (2, 4, 5)),
    "batch_matmul_adj_x": batch_matmul((2, 4, 3), (2, 4, 5), adj_x=True),
    "batch_matmul_adj_y": batch_matmul((2, 3, 4), (2, 5, 4), adj_y=True),
    "batch_matmul_adj_both": batch_matmul((2, 4, 3), (2, 5, 4), adj_x=True, adj_y=True),
    "batch_matmul_matrices": batch_matmul((3, 7), (7, 2)),
    "batch_matmul_broadcast_right": batch_matmul((2, 3, 4, 5), (5, 6)),
    "batch_matmul_broadcast_left": batch_matmul((3, 4), (2, 3, 4, 2)),
    "batch_matmul_broadcast_ones": batch_matmul((2, 3, 4, 5), (2, 1, 5, 3)),
    "batch_matmul_broadcast_both": batch_matmul((2, 1, 3, 4), (1, 3, 4, 2), adj_x=False),
    "batch_matmul_broadcast_crossed": batch_matmul((1, 3, 3, 4), (2, 1, 2, 4), adj_y=True),
    "batch_matmul_broadcast_adj_x": batch_matmul((2, 3, 5, 4), (2, 1, 5, 3), adj_x=True),
    "batch_matmul_rank_5": batch_matmul((2, 1, 2, 3, 4), (2, 3, 1, 4, 2)),
    "batch_matmul_ranks": batch_matmul((2, 3, 2, 3, 4), (1, 4, 3)),
    "batch_matmul_constant_right": batch_matmul((2, 3, 4), (2, 4, 5), constant="right"),
    "batch_matmul_constant_adj_y": batch_matmul((4, 6), (5, 6), adj_y=True, constant="right"),
    "batch_matmul_constant_left": batch_matmul((2, 3, 4), (2, 4, 5), constant="left"),
    "batch_matmul_constant_adj_x": batch_matmul((4, 3), (2, 4, 5), adj_x=True, constant="left"),
    "batch_matmul_vector": batch_matmul((1, 1, 9), (1, 9, 1)),
    "batch_matmul_outer": batch_matmul((1, 5, 1), (1, 1, 6)),
    "batch_matmul_edge": batch_matmul((1, 3, 8), (1, 8, 4), zero_points=(-128, 127, -128)),
    "batch_matmul_other_edge": batch_matmul((1, 3, 8), (1, 8, 4), zero_points=(127, -128, 127)),
    "batch_matmul_saturates": batch_matmul((3, 4), (4, 2), scales=(2.0, 3.0, 0.01)),
    "batch_matmul_vanishes": batch_matmul((3, 4), (4, 2), scales=(1e-4, 1e-4, 0.5)),
    "batch_matmul_flushes": batch_matmul((3, 4), (4, 2), scales=(1e-6, 1e-6, 0.5)),
    "fully_connected_rank_3": fully_connected((2, 3, 10), 5),
    "fully_connected_rank_4": fully_connected((1, 2, 3, 6), 4, activation=RELU),
    "fully_connected_flattened": fully_connected((2, 3, 4), 5, depth=12, keep=False),
    "fully_connected_rows": fully_connected((2, 3, 4), 5, keep=False),
    "fully_connected_per_tensor": fully_connected((2, 3, 8), 7, per_channel=False),
    "fully_connected_vector": fully_connected((9,), 3, keep=False, bias=False),
    "fully_connected_computed": computed_weights((3, 7), 4),
    "fully_connected_computed_bias": computed_weights((2, 9), 5, bias=True, activation=RELU6),
    "fully_connected_computed_edge": computed_weights((3, 8), 2, zero_points=(127, -128, 127)),
    "fully_connected_edge": fully_connected((1, 4, 5), 6, zero_points=(-128, 127)),
    "fully_connected_other_edge": fully_connected((1, 4, 5), 6, zero_points=(127, -128)),
}
