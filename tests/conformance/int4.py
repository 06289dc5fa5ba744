# SPDX-License-Identifier: Apache-2.0
"""Cases of convolutions and fully connected layers with weights of four bits."""

from __future__ import annotations

import math

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3

Pair = tuple[int, int]
Shape = tuple[int, ...]
Found = tuple[list[int], list[int]]


def _weights(
    b: TfliteBuilder,
    rng: np.random.Generator,
    shape: Shape,
    *,
    per_channel: bool,
    scale: float,
    axis: int = 0,
) -> int:
    """All of the sixteen values, -8 too."""
    count = shape[axis]
    scales = rng.uniform(0.2 * scale, 2 * scale, count).tolist() if per_channel else scale
    return b.tensor(shape, "int4", scales, data=rng.integers(-8, 8, shape), axis=axis)


def _bias(b: TfliteBuilder, rng: np.random.Generator, count: int) -> int:
    return b.tensor((count,), "int32", data=rng.integers(-900, 900, count))


def _size(size: Pair, kernel: Pair, stride: Pair, dilation: Pair, padding: int) -> Pair:
    height, width = (
        -(-(extent - (k - 1) * d * (padding == VALID)) // s)
        for extent, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    )
    return height, width


def conv(
    *,
    size: Pair = (6, 7),
    channels: int = 5,
    groups: int = 1,
    filters: int = 7,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    padding: int = SAME,
    batch: int = 1,
    bias: bool = True,
    per_channel: bool = True,
    activation: int = NONE,
    zero_points: Pair = (-5, 9),
    scale: float = 0.1,
) -> Case:
    due = _size(size, kernel, stride, dilation, padding)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor((batch, *size, channels * groups), scale=0.05, zero_point=zero_points[0])
        shape = (filters, *kernel, channels)
        w = _weights(b, rng, shape, per_channel=per_channel, scale=scale)
        y = b.tensor((batch, *due, filters), scale=0.3, zero_point=zero_points[1])
        b.operator(
            "CONV_2D",
            [x, w, _bias(b, rng, filters) if bias else -1],
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
    size: Pair = (6, 7),
    channels: int = 5,
    multiplier: int = 1,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    padding: int = SAME,
    batch: int = 1,
    bias: bool = True,
    per_channel: bool = True,
    activation: int = NONE,
    zero_points: Pair = (-5, 9),
) -> Case:
    due = _size(size, kernel, stride, dilation, padding)
    filters = channels * multiplier

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor((batch, *size, channels), scale=0.05, zero_point=zero_points[0])
        shape = (1, *kernel, filters)
        w = _weights(b, rng, shape, per_channel=per_channel, scale=0.1, axis=3)
        y = b.tensor((batch, *due, filters), scale=0.1, zero_point=zero_points[1])
        b.operator(
            "DEPTHWISE_CONV_2D",
            [x, w, _bias(b, rng, filters) if bias else -1],
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


def fully_connected(
    shape: Shape,
    rows: int,
    *,
    keep: bool = True,
    bias: bool = True,
    per_channel: bool = True,
    activation: int = NONE,
    zero_points: Pair = (-5, 9),
    scale: float = 0.1,
) -> Case:
    due = (*shape[:-1], rows) if keep else (math.prod(shape[:-1]), rows)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor(shape, scale=0.05, zero_point=zero_points[0])
        w = _weights(b, rng, (rows, shape[-1]), per_channel=per_channel, scale=scale)
        y = b.tensor(due, scale=0.5, zero_point=zero_points[1])
        b.operator(
            "FULLY_CONNECTED",
            [x, w, _bias(b, rng, rows) if bias else -1],
            [y],
            keepNumDims=keep,
            fusedActivationFunction=activation,
        )
        return [x], [y]

    return case


CASES: dict[str, Case] = {
    "conv_int4": conv(),
    "conv_int4_per_tensor": conv(per_channel=False, activation=RELU),
    "conv_int4_no_bias": conv(bias=False, activation=RELU6),
    "conv_int4_valid_stride": conv(padding=VALID, stride=(2, 3), activation=RELU_N1_TO_1),
    "conv_int4_dilated": conv(dilation=(2, 1), kernel=(2, 3)),
    "conv_int4_pointwise": conv(kernel=(1, 1), channels=8, filters=6),
    "conv_int4_odd": conv(kernel=(1, 3), channels=3, filters=3, size=(1, 12)),
    "conv_int4_groups": conv(groups=3, channels=3, filters=6),
    "conv_int4_batch": conv(batch=2, channels=3),
    "conv_int4_edge": conv(zero_points=(-128, 127), channels=4),
    "conv_int4_other_edge": conv(zero_points=(127, -128)),
    "conv_int4_saturates": conv(scale=20.0),
    "depthwise_int4": depthwise(activation=RELU6),
    "depthwise_int4_per_tensor": depthwise(per_channel=False, activation=RELU),
    "depthwise_int4_multiplier": depthwise(channels=3, multiplier=3, stride=(1, 2)),
    "depthwise_int4_dilated_valid": depthwise(dilation=(2, 1), padding=VALID, bias=False),
    "depthwise_int4_one": depthwise(channels=1, kernel=(5, 4), activation=RELU_N1_TO_1),
    "depthwise_int4_batch": depthwise(batch=3, padding=VALID),
    "depthwise_int4_edge": depthwise(zero_points=(-128, 127), channels=4, stride=(2, 2)),
    "fully_connected_int4": fully_connected((1, 16), 10),
    "fully_connected_int4_odd": fully_connected((1, 37), 11, activation=RELU),
    "fully_connected_int4_per_tensor": fully_connected((1, 33), 7, per_channel=False),
    "fully_connected_int4_rows": fully_connected((3, 9), 5, bias=False, activation=RELU6),
    "fully_connected_int4_rank_3": fully_connected((2, 3, 7), 5, activation=RELU_N1_TO_1),
    "fully_connected_int4_rank_4": fully_connected((1, 2, 2, 5), 3, keep=False),
    "fully_connected_int4_edge": fully_connected((1, 20), 6, zero_points=(127, -128)),
    "fully_connected_int4_vanishes": fully_connected((1, 20), 6, scale=1e-9),
}
