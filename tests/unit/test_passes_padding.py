# SPDX-License-Identifier: Apache-2.0
"""PAD becomes the padding of convolutions, where that is the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cores import cortex_m0plus
from tests.support.rewritten import any_kernels, check_exact, file_of, optimised, titles
from tests.support.tflite_builder import TENSOR_TYPES, TfliteBuilder
from tinyflow.ir.operators import Conv2D, DepthwiseConv2D, Window
from tinyflow.ir.types import Padding

pytestmark = pytest.mark.slow

needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
SAME, VALID = 0, 1
#: Another copy of CMSIS-NN than that of `find_cmsis_nn`.
OTHER = os.environ.get("TINYFLOW_TEST_CMSIS_NN")


def type_of(b: TfliteBuilder, source: int) -> tuple[str, int]:
    """The type of activations, and the zero point of those that are padded."""
    wide = b.subgraph.tensors[source].type == TENSOR_TYPES["int16"]
    return ("int16", 0) if wide else ("int8", 5)


def padded(
    b: TfliteBuilder,
    source: int,
    paddings: object,
    *,
    value: int | None = None,
) -> int:
    dtype, zero_point = type_of(b, source)
    before = [int(extent) for extent in b.subgraph.tensors[source].shape]
    shape = [extent + sum(pads) for extent, pads in zip(before, np.array(paddings), strict=True)]
    output = b.tensor(shape, dtype, scale=0.1, zero_point=zero_point)
    operands = [source, b.tensor((4, 2), "int32", data=paddings)]
    if value is not None:
        operands.append(b.tensor((), scale=0.1, zero_point=zero_point, data=value))
    b.operator("PAD" if value is None else "PADV2", operands, [output])
    return output


def convolved(
    b: TfliteBuilder,
    source: int,
    rng: np.random.Generator,
    *,
    depthwise: bool = False,
    kernel: tuple[int, int] = (3, 3),
    stride: int = 1,
    dilation: int = 1,
    padding: int = VALID,
) -> int:
    """A convolution of 4 channels to 4 with the options of the schema."""
    _, height, width, channels = (int(extent) for extent in b.subgraph.tensors[source].shape)
    window = Window((stride, stride), (Padding.SAME, Padding.VALID)[padding], (dilation, dilation))
    shape = (1, *kernel, channels) if depthwise else (4, *kernel, channels)
    weights = b.tensor(shape, scale=0.01, data=rng.integers(-127, 128, shape))
    size = window.output_size((height, width), kernel)
    dtype, zero_point = type_of(b, source)
    output = b.tensor((1, *size, 4), dtype, scale=0.4, zero_point=zero_point and -3)
    bias_type = "int64" if dtype == "int16" else "int32"
    bias = b.tensor((4,), bias_type, scale=0.001, data=rng.integers(-2000, 2000, 4))
    options: dict[str, Any] = {"depthMultiplier": 1} if depthwise else {}
    b.operator(
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        [source, weights, bias],
        [output],
        padding=padding,
        strideH=stride,
        strideW=stride,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
        **options,
    )
    return output


def drawn(seed: int, dtype: str = "int8") -> Any:
    """A PAD of any sides and a convolution of any window."""

    def build(b: TfliteBuilder) -> tuple[int, int]:
        rng = np.random.default_rng(seed)
        height, width = (int(extent) for extent in rng.integers(5, 10, 2))
        kernel = (int(rng.integers(1, 4)), int(rng.integers(2, 4)))
        dilation = int(rng.choice([1, 1, 2]))
        if seed % 5 == 0:
            height, kernel = 1, (1, kernel[1])
        zero_point = 5 if dtype == "int8" else 0
        source = b.tensor((1, height, width, 4), dtype, scale=0.1, zero_point=zero_point)
        reach = [(extent - 1) * dilation + 1 for extent in kernel]
        edges = [rng.integers(0, extent, 2).tolist() for extent in reach]
        paddings = [[0, 0], *edges, [0, 0]]
        value = padded(b, source, paddings)
        return source, convolved(
            b,
            value,
            rng,
            depthwise=bool(rng.integers(2)),
            kernel=kernel,
            stride=int(rng.integers(1, 4)),
            dilation=dilation,
        )

    return build


@needs_compiler
@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("copy", [None, OTHER] if OTHER else [None])
def test_any_padding_is_exact(
    copy: str | None, small: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if copy is not None:
        monkeypatch.setenv("TINYFLOW_CMSIS_NN", copy)
    content = file_of([drawn(seed) for seed in range(16)])
    graph = check_exact(content, cortex_m0plus(tmp_path) if small else None)
    assert set(titles(graph)) == {"CONV_2D", "DEPTHWISE_CONV_2D"}


@needs_compiler
@pytest.mark.parametrize("first", [16, 32])
def test_any_kernel_pads_alike(first: int) -> None:
    content = file_of([drawn(seed) for seed in range(first, first + 16)])
    check_exact(content, select=any_kernels)


@needs_compiler
def test_padding_of_int16_is_exact() -> None:
    graph = check_exact(file_of([drawn(seed, "int16") for seed in range(8)]))
    assert set(titles(graph)) == {"CONV_2D", "DEPTHWISE_CONV_2D"}


def test_the_padding_of_both_adds_up() -> None:
    b = TfliteBuilder()
    source = b.tensor((1, 9, 9, 4), scale=0.1, zero_point=5)
    value = padded(b, source, [[0, 0], [0, 1], [1, 0], [0, 0]])
    output = convolved(b, value, np.random.default_rng(0), stride=2, padding=SAME)
    (operator,) = optimised(b.build([source], [output])).operators
    assert isinstance(operator, Conv2D)
    # A height of 10, two rows apart, takes one row after; so does the width.
    assert operator.window == Window((2, 2), Padding.EXPLICIT, before=(0, 1), after=(2, 1))


def test_a_pad_of_two_readers_goes_where_both_are_convolutions() -> None:
    b = TfliteBuilder()
    rng = np.random.default_rng(0)
    source = b.tensor((1, 9, 9, 4), scale=0.1, zero_point=5)
    value = padded(b, source, [[0, 0], [1, 1], [1, 1], [0, 0]])
    outputs = [convolved(b, value, rng, depthwise=depthwise) for depthwise in (False, True)]
    assert titles(optimised(b.build([source], outputs))) == ["CONV_2D", "DEPTHWISE_CONV_2D"]
    assert titles(optimised(b.build([source], [*outputs, value]))).count("PAD") == 1
    pooled = b.tensor((1, 11, 11, 4), scale=0.1, zero_point=5)
    b.operator(
        "MAX_POOL_2D", [value], [pooled], strideH=1, strideW=1, filterHeight=1, filterWidth=1
    )
    assert titles(optimised(b.build([source], [*outputs, pooled]))).count("PAD") == 1


@pytest.mark.parametrize(
    ("paddings", "value", "kernel"),
    [
        ([[0, 0], [1, 1], [1, 1], [0, 0]], 0, (3, 3)),  # not the zero point
        ([[0, 0], [0, 0], [0, 0], [0, 4]], None, (3, 3)),  # channels
        ([[0, 0], [3, 0], [0, 0], [0, 0]], None, (3, 3)),  # windows outside the input
        ([[0, 0], [0, 1], [0, 0], [0, 0]], None, (1, 1)),
    ],
)
def test_what_stays(paddings: object, value: int | None, kernel: tuple[int, int]) -> None:
    b = TfliteBuilder()
    source = b.tensor((1, 9, 9, 4), scale=0.1, zero_point=5)
    padding = padded(b, source, paddings, value=value)
    output = convolved(b, padding, np.random.default_rng(0), kernel=kernel)
    kind = "PAD" if value is None else "PADV2"
    assert titles(optimised(b.build([source], [output]))) == [kind, "CONV_2D"]


def test_a_value_that_is_the_zero_point_is_padding() -> None:
    b = TfliteBuilder()
    source = b.tensor((1, 9, 9, 4), scale=0.1, zero_point=5)
    padding = padded(b, source, [[0, 0], [1, 1], [1, 1], [0, 0]], value=5)
    output = convolved(b, padding, np.random.default_rng(0), depthwise=True)
    (operator,) = optimised(b.build([source], [output])).operators
    assert isinstance(operator, DepthwiseConv2D)
