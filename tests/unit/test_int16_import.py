# SPDX-License-Identifier: Apache-2.0
"""Models of int16 activations: what is read of them, and what is refused."""

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
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import FullyConnected
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.tflite.importer import import_model

UNIT = 1 / 32768
INT32, INT64 = 2, 4  # of the schema's TensorType


def weighted(
    kind: str = "FULLY_CONNECTED",
    *,
    bias: str | None = "int64",
    values: Any = (5, -5),
    output: str = "int16",
    zero_point: int = 0,
    computed: bool = False,
    scales: tuple[float, float] = (1e-4, 1e-3),
    **options: Any,
) -> bytes:
    """A layer of two units on three inputs."""
    b = TfliteBuilder()
    shape, axis = {
        "FULLY_CONNECTED": ((2, 3), 0),
        "CONV_2D": ((2, 1, 1, 3), 0),
        "DEPTHWISE_CONV_2D": ((1, 1, 1, 3), 3),
    }[kind]
    image = () if kind == "FULLY_CONNECTED" else (1, 1)
    units = 3 if kind == "DEPTHWISE_CONV_2D" else 2
    x = b.tensor((1, *image, 3), "int16", scales[0], zero_point)
    data = None if computed else np.full(shape, 100, np.int8)
    w = b.tensor(shape, scale=0.01, data=data, axis=axis)
    operands = [x, w]
    if bias is not None:
        data = np.resize(np.array(values, bias), units)
        operands.append(b.tensor((units,), bias, scale=1e-6, data=data))
    y = b.tensor((1, *image, units), output, scales[1], name="scores")
    if kind != "FULLY_CONNECTED":
        attributes = ("strideH", "strideW", "dilationHFactor", "dilationWFactor")
        options |= dict.fromkeys(attributes, 1)
    b.operator(kind, operands, [y], **options)
    return b.build([x, w] if computed else [x], [y])


def unary(
    kind: str,
    *,
    source: float = 1e-3,
    output: float = UNIT,
    dtype: str = "int16",
    shape: tuple[int, ...] = (1, 8),
    **options: Any,
) -> bytes:
    b = TfliteBuilder()
    x = b.tensor(shape, "int16", source)
    y = b.tensor(shape, dtype, output, name="curve")
    b.operator(kind, [x], [y], **options)
    return b.build([x], [y])


def addition(right: str = "int16", output: float = 1e-3) -> bytes:
    b = TfliteBuilder()
    x, z = b.tensor((1, 8), "int16", 1e-3), b.tensor((1, 8), right, 1e-3)
    y = b.tensor((1, 8), "int16", output, name="total")
    b.operator("ADD", [x, z], [y])
    return b.build([x, z], [y])


def mean_of_many() -> bytes:
    b = TfliteBuilder()
    x = b.tensor((1, 1 << 16), "int16", 1e-3)
    y = b.tensor((1,), "int16", 1e-3, name="mean")
    b.operator("MEAN", [x, b.tensor((1,), "int32", data=[1])], [y])
    return b.build([x], [y])


def compiled(content: bytes) -> tuple[Graph, tuple[Kernel, ...]]:
    graph = import_model(content, Path("net.tflite"), name="net")
    return graph, select_kernels(graph, load_board("stm32l4r5"), find_cmsis_nn())


@pytest.mark.parametrize(
    ("bias", "options", "accumulator"),
    [
        ("int64", {}, DType.INT64),
        ("int32", {}, DType.INT32),
        ("int64", {"quantizedBiasType": INT32}, DType.INT64),
        (None, {}, DType.INT64),
        (None, {"quantizedBiasType": INT64}, DType.INT64),
        (None, {"quantizedBiasType": INT32}, DType.INT32),
    ],
)
def test_the_bias_says_how_wide_sums_are(
    bias: str | None, options: dict[str, Any], accumulator: DType
) -> None:
    graph, (kernel,) = compiled(weighted(bias=bias, **options))
    (operator,) = graph.operators
    assert isinstance(operator, FullyConnected)
    assert operator.accumulator is accumulator
    assert kernel.context["narrow"] is (accumulator is DType.INT32)
    (found,) = (constant for constant in kernel.constants if constant.suffix == "bias")
    assert found.values.dtype == np.int64
    assert found.values.tolist() == ([0, 0] if bias is None else [5, -5])


def test_scales_of_the_largest_sums_are_taken_up_to_the_limit() -> None:
    weights = 3 * 100 << 15
    compiled(weighted(values=((1 << 47) - weights - 1, 0)))
    with pytest.raises(UnsupportedError, match="its sums can reach 140737488355328, below"):
        compiled(weighted(values=((1 << 47) - weights, 0)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: weighted(zero_point=3), "is int16 with a zero point other than 0"),
        (lambda: weighted(output="int8"), "'scores' is int8, expected int16"),
        (lambda: weighted(computed=True), "are computed, expected a constant"),
        (lambda: weighted(bias="int16"), "is not a constant of int32 or int64"),
        (lambda: weighted("DEPTHWISE_CONV_2D", bias="int32"), "is not a constant of int64"),
        (lambda: weighted("CONV_2D", scales=(2.0, 1e-5)), "sums of int64 by 2^11, at most 2^7"),
        (
            lambda: weighted(bias="int32", scales=(1.0, 1e-12)),
            "the scales give a multiplier of 2^30 or more",
        ),
        (lambda: unary("SOFTMAX", output=1 / 256, beta=1.0), "output's scale is not 1/32768"),
        (lambda: unary("SOFTMAX", output=1 / 32700, beta=1.0), "output's scale is not 1/32768"),
        (lambda: unary("SOFTMAX", shape=(1, 65537), beta=1.0), "65537 elements in a row"),
        (lambda: unary("LOGISTIC", output=1 / 256), "output's scale is not 1/32768"),
        (lambda: unary("TANH", source=2.7), "the input's scale is 8/3 or more"),
        (lambda: unary("LOGISTIC", source=3e-14), "or below 4e-14"),
        (lambda: unary("RELU6", source=2.7e-9), "6 is 2^31 steps of it, or more"),
        (lambda: unary("TANH", dtype="int8"), "is int16, expected int8"),
        (lambda: unary("HARD_SWISH"), "is int16, expected int8"),
        (lambda: unary("QUANTIZE", dtype="uint8"), "from int16 to uint8"),
        (lambda: addition("int8"), "is int8, expected int16"),
        (lambda: addition("int64"), "is int64, expected int16"),
        (lambda: addition(output=1e-8), "which is not between 0 and 1"),
        (mean_of_many, "65536 elements of int16 to one, at most 65535"),
    ],
)
def test_what_is_not_compiled_is_named(make: Callable[[], bytes], message: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        compiled(make())
    assert message in caught.value.message
    assert " layer '" in caught.value.message


def test_a_bias_of_another_size_is_damage() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 3), "int16", 1e-4)
    w = b.tensor((2, 3), scale=0.01, data=np.ones((2, 3)))
    bias = b.tensor((3,), "int64", data=[1, 2, 3])
    y = b.tensor((1, 2), "int16", 1e-3, name="scores")
    b.operator("FULLY_CONNECTED", [x, w, bias], [y])
    with pytest.raises(InputError, match="the bias has the shape"):
        compiled(b.build([x], [y]))


def test_a_softmax_may_have_a_scale_that_tflm_takes_for_1_32768() -> None:
    graph, _ = compiled(unary("SOFTMAX", output=1 / 32767, beta=1.0))
    assert next(graph.output_tensors()).q.scale == np.float32(1 / 32767)
