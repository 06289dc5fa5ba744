# SPDX-License-Identifier: Apache-2.0
"""Refusals of convolutions, products, resizing and reductions at import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.first_kernels import select_kernels
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.tflite.importer import import_model


def transpose_conv(
    *, due: tuple[int, ...] = (1, 4, 6, 2), cin: int = 3, size: tuple[int, int] = (2, 3)
) -> bytes:
    b = TfliteBuilder()
    x = b.tensor((1, *size, 3), scale=0.05)
    w = b.tensor((2, 3, 3, cin), scale=0.01, data=np.ones((2, 3, 3, cin)))
    y = b.tensor((1, 4, 6, 2), scale=0.1, name="grown")
    shape = b.tensor((4,), "int32", data=due)
    b.operator("TRANSPOSE_CONV", [shape, w, x], [y], strideH=2, strideW=2, padding=0)
    return b.build([x], [y])


def reduction(
    kind: str = "SUM", *, axes: tuple[int, ...] = (1,), scale: float = 0.1, dtype: str = "int8"
) -> bytes:
    b = TfliteBuilder()
    x = b.tensor((2, 3), scale=0.1)
    y = b.tensor((2,), dtype, scale=scale, name="less")
    b.operator(kind, [x, b.tensor((len(axes),), "int32", data=axes)], [y])
    return b.build([x], [y])


def long_reduction() -> bytes:
    b = TfliteBuilder()
    x = b.tensor((2,) * 8, scale=0.1)
    y = b.tensor((2,) * 4, scale=0.1, name="less")
    b.operator("SUM", [x, b.tensor((4,), "int32", data=(0, 2, 4, 6))], [y])
    return b.build([x], [y])


def resize(*, due: tuple[int, int] = (4, 4), output: int = 4, **options: Any) -> bytes:
    b = TfliteBuilder()
    x = b.tensor((1, 2, 2, 1), scale=0.1)
    y = b.tensor((1, output, output, 1), scale=0.1, name="larger")
    b.operator("RESIZE_BILINEAR", [x, b.tensor((2,), "int32", data=due)], [y], **options)
    return b.build([x], [y])


def batch_matmul(*, right: tuple[int, ...] = (1, 3, 4), constant: bool = False) -> bytes:
    b = TfliteBuilder()
    data = np.ones((1, 2, 3)) if constant else None
    x = b.tensor((1, 2, 3), scale=0.1, data=data)
    unused = b.tensor((1, 1), scale=0.1)
    z = b.tensor(right, scale=0.1, data=np.ones(right) if constant else None)
    y = b.tensor((1, 2, 4), scale=0.1, name="product")
    b.operator("BATCH_MATMUL", [x, z], [y])
    return b.build([unused] if constant else [x, z], [y])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: transpose_conv(due=(1, 5, 6, 2)), "the output's shape operand is [1, 5, 6, 2]"),
        (lambda: reduction("REDUCE_MAX", scale=0.2), "input and output differ in scale"),
        (lambda: reduction("ARG_MAX"), "the output is int8, expected int32"),
        (lambda: reduction("ARG_MIN", axes=(0, 1), dtype="int32"), "2 axes, expected 1"),
        (long_reduction, "axes [0, 2, 4, 6] of [2, 2, 2, 2, 2, 2, 2, 2], more than 3 runs"),
        (lambda: resize(due=(4, 5)), "the size operand is [4, 5]"),
        (
            lambda: resize(alignCorners=True, halfPixelCenters=True),
            "both align_corners and half_pixel_centers are set",
        ),
        (lambda: resize(due=(3000, 3000), output=3000), "go beyond the input"),
        (lambda: batch_matmul(constant=True), "both operands are constants"),
    ],
)
def test_what_is_not_compiled_is_named(make: Callable[[], bytes], message: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        _compile(make())
    assert message in caught.value.message
    assert " layer '" in caught.value.message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: transpose_conv(cin=2), "3 input channels for filters of 2"),
        (lambda: transpose_conv(size=(3, 3)), "the input of an output of [4, 6]"),
        (lambda: reduction(axes=(2,)), "axes [2] of a tensor of rank 2"),
        (lambda: reduction(axes=(-3,)), "axes [-1] of a tensor of rank 2"),
        (lambda: reduction(axes=(0, 1)), "another size than the kept dimensions"),
        (lambda: reduction("ARG_MAX", axes=(0,), dtype="int32"), "not [3]"),
        (lambda: batch_matmul(right=(1, 5, 4)), "a product of [2, 3] and [5, 4]"),
        (lambda: batch_matmul(right=(2, 3, 4)), "the output has the shape [1, 2, 4]"),
    ],
)
def test_a_damaged_graph_is_told(make: Callable[[], bytes], message: str) -> None:
    with pytest.raises(InputError) as caught:
        _compile(make())
    assert message in caught.value.message


def _compile(content: bytes) -> None:
    graph = import_model(content, Path("net.tflite"), name="net")
    select_kernels(graph, load_board("stm32l4r5"), find_cmsis_nn())
