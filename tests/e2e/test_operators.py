"""Every operator and attribute, alone in a real image, exact with the oracle.

A build raises ExactnessError where one output byte differs, so building is the test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tinyflow
from tests.support.cores import cortex_m0plus
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import Board

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

#: Another copy of CMSIS-NN to run every case on, such as 7.0.0; bakenn's is 4.0.0.
_OTHER_CMSIS_NN = os.environ.get("TINYFLOW_TEST_CMSIS_NN")

RELU, RELU_N1_TO_1, RELU6 = 1, 2, 3
SAME, VALID = 0, 1


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(-127, 128, shape, dtype=np.int8)


def conv(
    *,
    size: tuple[int, int] = (7, 9),
    cin: int = 5,
    cout: int = 7,
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: int = SAME,
    activation: int = 0,
    bias: bool = True,
    per_channel: bool = True,
    zero_points: tuple[int, int] = (-3, 4),
) -> bytes:
    rng = np.random.default_rng(1)
    b = TfliteBuilder()
    x = b.tensor((1, *size, cin), scale=0.05, zero_point=zero_points[0])
    scales = rng.uniform(0.002, 0.02, cout).tolist() if per_channel else 0.01
    w = b.tensor((cout, *kernel, cin), scale=scales, data=_weights(rng, (cout, *kernel, cin)))
    inputs = [x, w]
    if bias:
        inputs.append(b.tensor((cout,), "int32", data=rng.integers(-4000, 4000, cout)))
    y = b.tensor(
        (1, *_output(size, kernel, stride, dilation, padding), cout),
        scale=0.09,
        zero_point=zero_points[1],
    )
    b.operator(
        "CONV_2D",
        inputs if bias else [*inputs, -1],
        [y],
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        padding=padding,
        fusedActivationFunction=activation,
    )
    return b.build([x], [y])


def depthwise(
    *,
    size: tuple[int, int] = (9, 8),
    channels: int = 6,
    multiplier: int = 1,
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: int = SAME,
    activation: int = RELU6,
    bias: bool = True,
) -> bytes:
    rng = np.random.default_rng(2)
    cout = channels * multiplier
    b = TfliteBuilder()
    x = b.tensor((1, *size, channels), scale=0.05, zero_point=7)
    w = b.tensor(
        (1, *kernel, cout),
        scale=rng.uniform(0.002, 0.02, cout).tolist(),
        data=_weights(rng, (1, *kernel, cout)),
        axis=3,
    )
    biases = b.tensor((cout,), "int32", data=rng.integers(-3000, 3000, cout)) if bias else -1
    y = b.tensor(
        (1, *_output(size, kernel, stride, dilation, padding), cout), scale=0.04, zero_point=-20
    )
    b.operator(
        "DEPTHWISE_CONV_2D",
        [x, w, biases],
        [y],
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        depthMultiplier=multiplier,
        padding=padding,
        fusedActivationFunction=activation,
    )
    return b.build([x], [y])


def _output(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: int,
) -> tuple[int, int]:
    height, width = (
        -(-(extent - (k - 1) * d * (padding == VALID)) // s)
        for extent, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    )
    return height, width


def fully_connected(
    *,
    batches: int = 1,
    depth: int = 37,
    rows: int = 11,
    per_channel: bool = True,
    bias: bool = True,
) -> bytes:
    rng = np.random.default_rng(3)
    b = TfliteBuilder()
    x = b.tensor((batches, depth), scale=0.05, zero_point=-9)
    scales = rng.uniform(0.002, 0.02, rows).tolist() if per_channel else 0.01
    w = b.tensor((rows, depth), scale=scales, data=_weights(rng, (rows, depth)))
    inputs = [x, w]
    if bias:
        inputs.append(b.tensor((rows,), "int32", data=rng.integers(-4000, 4000, rows)))
    y = b.tensor((batches, rows), scale=0.1, zero_point=12)
    b.operator("FULLY_CONNECTED", inputs, [y], fusedActivationFunction=RELU)
    return b.build([x], [y])


def add(*, activation: int = 0, scales: tuple[float, float, float] = (0.05, 0.021, 0.06)) -> bytes:
    b = TfliteBuilder()
    left = b.tensor((1, 3, 5, 7), scale=scales[0], zero_point=-11)
    right = b.tensor((1, 3, 5, 7), scale=scales[1], zero_point=23)
    y = b.tensor((1, 3, 5, 7), scale=scales[2], zero_point=-2)
    b.operator("ADD", [left, right], [y], fusedActivationFunction=activation)
    return b.build([left, right], [y])


def pool(
    kind: str,
    *,
    kernel: tuple[int, int] = (3, 2),
    stride: tuple[int, int] = (2, 1),
    padding: int = SAME,
    channels: int = 5,
) -> bytes:
    b = TfliteBuilder()
    size = (7, 6)
    x = b.tensor((1, *size, channels), scale=0.05, zero_point=-4)
    y = b.tensor(
        (1, *_output(size, kernel, stride, (1, 1), padding), channels), scale=0.05, zero_point=-4
    )
    b.operator(
        kind,
        [x],
        [y],
        filterHeight=kernel[0],
        filterWidth=kernel[1],
        strideH=stride[0],
        strideW=stride[1],
        padding=padding,
        fusedActivationFunction=RELU,
    )
    return b.build([x], [y])


def mean(axes: tuple[int, ...], shape: tuple[int, ...], output: tuple[int, ...]) -> bytes:
    b = TfliteBuilder()
    x = b.tensor(shape, scale=0.05, zero_point=-9)
    axis = b.tensor((len(axes),), "int32", data=axes)
    y = b.tensor(output, scale=0.031, zero_point=5)
    b.operator("MEAN", [x, axis], [y], keepDims=len(shape) == len(output))
    return b.build([x], [y])


def softmax(shape: tuple[int, ...] = (3, 17), *, scale: float = 0.07, beta: float = 1.0) -> bytes:
    b = TfliteBuilder()
    x = b.tensor(shape, scale=scale, zero_point=30)
    y = b.tensor(shape, scale=1 / 256, zero_point=-128)
    b.operator("SOFTMAX", [x], [y], beta=beta)
    return b.build([x], [y])


def pad(shape: tuple[int, ...], pads: tuple[tuple[int, int], ...]) -> bytes:
    b = TfliteBuilder()
    x = b.tensor(shape, scale=0.05, zero_point=-9)
    paddings = b.tensor((len(pads), 2), "int32", data=pads)
    due = tuple(e + p[0] + p[1] for e, p in zip(shape, pads, strict=True))
    y = b.tensor(due, scale=0.05, zero_point=-9)
    b.operator("PAD", [x, paddings], [y])
    return b.build([x], [y])


def edges(dtype: str) -> bytes:
    """A reshape between the QUANTIZE and DEQUANTIZE that models with other edges have."""
    b = TfliteBuilder()
    edge = {"float32": {}, "uint8": {"scale": 0.02, "zero_point": 120}}[dtype]
    x = b.tensor((1, 4, 6), dtype, **edge)
    q = b.tensor((1, 4, 6), scale=0.011, zero_point=-5)
    shape = b.tensor((2,), "int32", data=(1, 24))
    r = b.tensor((1, 24), scale=0.011, zero_point=-5)
    s = b.tensor((1, 24), scale=0.017, zero_point=9)
    y = b.tensor((1, 24), dtype, **edge)
    b.operator("QUANTIZE", [x], [q])
    b.operator("RESHAPE", [q, shape], [r])
    b.operator("QUANTIZE", [r], [s])
    b.operator("DEQUANTIZE" if dtype == "float32" else "QUANTIZE", [s], [y])
    return b.build([x], [y])


CASES: dict[str, Callable[[], bytes]] = {
    "conv": conv,
    "conv_valid_stride_relu": lambda: conv(padding=VALID, stride=(2, 3), activation=RELU),
    "conv_dilated": lambda: conv(dilation=(2, 2), activation=RELU6),
    "conv_no_bias_per_tensor": lambda: conv(bias=False, per_channel=False, kernel=(2, 4)),
    "conv_pointwise": lambda: conv(kernel=(1, 1), cin=9, cout=6, activation=RELU_N1_TO_1),
    "conv_pointwise_stride": lambda: conv(kernel=(1, 1), stride=(2, 2), cin=12),
    "conv_one_row": lambda: conv(size=(1, 16), kernel=(1, 5), cin=4, cout=3),
    "conv_edge_zero_points": lambda: conv(zero_points=(-128, 127), cin=3, activation=RELU),
    "depthwise": depthwise,
    "depthwise_5x5_stride": lambda: depthwise(kernel=(5, 5), stride=(2, 2)),
    "depthwise_dilated_valid": lambda: depthwise(dilation=(2, 1), padding=VALID),
    "depthwise_multiplier": lambda: depthwise(channels=3, multiplier=4, stride=(1, 2)),
    "depthwise_one_channel": lambda: depthwise(channels=1, multiplier=8, kernel=(4, 4)),
    "depthwise_no_bias": lambda: depthwise(bias=False, activation=RELU_N1_TO_1),
    "fully_connected": fully_connected,
    "fully_connected_per_tensor": lambda: fully_connected(per_channel=False),
    "fully_connected_batches": lambda: fully_connected(batches=3, bias=False),
    "fully_connected_one_row": lambda: fully_connected(rows=1, per_channel=False),
    "add": add,
    "add_relu6": lambda: add(activation=RELU6, scales=(0.003, 0.4, 0.02)),
    "average_pool": lambda: pool("AVERAGE_POOL_2D"),
    "average_pool_global": lambda: pool("AVERAGE_POOL_2D", kernel=(7, 6), padding=VALID),
    "max_pool": lambda: pool("MAX_POOL_2D", channels=6),
    "mean_spatial": lambda: mean((1, 2), (1, 5, 7, 6), (1, 6)),
    "mean_kept_dims": lambda: mean((1, 2), (1, 4, 4, 3), (1, 1, 1, 3)),
    "mean_last_axis": lambda: mean((-1,), (2, 3, 19), (2, 3)),
    "softmax": softmax,
    "softmax_steep": lambda: softmax((1, 5), scale=1.9, beta=2.0),
    "softmax_flat": lambda: softmax((2, 3, 10), scale=0.0004),
    "pad": lambda: pad((1, 3, 4, 2), ((0, 0), (1, 2), (0, 3), (1, 0))),
    "pad_rank_3": lambda: pad((2, 4, 3), ((1, 0), (2, 1), (0, 2))),
    "edges_float": lambda: edges("float32"),
    "edges_uint8": lambda: edges("uint8"),
}


@pytest.mark.parametrize("case", CASES)
def test_operator_is_exact(case: str, tmp_path: Path) -> None:
    _build(CASES[case](), tmp_path, None)


@pytest.mark.parametrize("case", CASES)
def test_operator_is_exact_without_dsp_instructions(case: str, tmp_path: Path) -> None:
    _build(CASES[case](), tmp_path, None, cortex_m0plus(tmp_path))


@pytest.mark.skipif(_OTHER_CMSIS_NN is None, reason="TINYFLOW_TEST_CMSIS_NN names no other copy")
@pytest.mark.parametrize("case", CASES)
def test_operator_is_exact_on_another_cmsis_nn(case: str, tmp_path: Path) -> None:
    _build(CASES[case](), tmp_path, _OTHER_CMSIS_NN)


def _build(
    content: bytes, folder: Path, cmsis_nn: str | None, board: Board | str = "stm32l4r5"
) -> None:
    path = folder / "model.tflite"
    path.write_bytes(content)
    report = tinyflow.build(
        path, board=board, output=folder / "build", cmsis_nn=cmsis_nn, vectors=24
    )
    assert report.exact.vectors == 24
    assert report.exact.mismatches == 0
    assert report.exact.bytes > 0
    assert sum(layer.instructions for layer in report.layers) <= report.latency.instructions
    assert all(layer.instructions > 0 for layer in report.layers)
