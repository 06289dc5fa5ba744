# SPDX-License-Identifier: Apache-2.0
"""Every variant of the generated poolings and means gives the oracle's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.generated import check_variants
from tests.support.generated_rows import check_rows
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.costs.trial import Trial
from tinyflow.ir.operators import Window
from tinyflow.ir.types import Padding
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.kernels.generated.registry import generated_kernels
from tinyflow.oracle.oracle import Oracle
from tinyflow.tflite.importer import import_model

pytestmark = pytest.mark.slow

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
SAME, VALID = 0, 1
BOARDS = ("stm32l4r5", "stm32f746")
Pair = tuple[int, int]


def pool(
    kind: str,
    shape: Sequence[int],
    kernel: Pair,
    stride: Pair = (1, 1),
    padding: int = VALID,
    *,
    activation: int = NONE,
    zero_point: int = -7,
) -> bytes:
    window = Window(stride, Padding.SAME if padding == SAME else Padding.VALID)
    height, width = window.output_size((shape[1], shape[2]), kernel)
    b = TfliteBuilder()
    quantised: dict[str, Any] = {"scale": 0.04, "zero_point": zero_point}
    source = b.tensor(shape, **quantised)
    result = b.tensor((shape[0], height, width, shape[3]), **quantised)
    b.operator(
        kind,
        [source],
        [result],
        filterHeight=kernel[0],
        filterWidth=kernel[1],
        strideH=stride[0],
        strideW=stride[1],
        padding=padding,
        fusedActivationFunction=activation,
    )
    return b.build([source], [result])


def mean(
    shape: Sequence[int], axes: Sequence[int], *, keep: bool, output: tuple[float, int] = (0.03, 5)
) -> bytes:
    b = TfliteBuilder()
    left = [1 if axis in axes else extent for axis, extent in enumerate(shape)]
    if not keep:
        left = [extent for axis, extent in enumerate(shape) if axis not in axes]
    source = b.tensor(shape, scale=0.04, zero_point=-11)
    where = b.tensor((len(axes),), "int32", data=list(axes))
    result = b.tensor(left, scale=output[0], zero_point=output[1])
    b.operator("MEAN", [source, where], [result], keepDims=keep)
    return b.build([source], [result])


POOLS = {
    "two by two": ((1, 6, 8, 16), (2, 2), (2, 2), VALID),
    "padded": ((1, 5, 7, 12), (3, 3), (1, 1), SAME),
    "padded, strided": ((1, 9, 6, 8), (3, 2), (2, 2), SAME),
    "odd channels": ((2, 5, 4, 7), (2, 3), (1, 2), VALID),
    "two channels": ((1, 4, 4, 2), (2, 2), (2, 2), VALID),
    "whole": ((1, 5, 5, 20), (5, 5), (1, 1), VALID),
    "long": ((1, 17, 19, 5), (17, 19), (1, 1), VALID),
    "one pixel": ((1, 3, 3, 9), (1, 1), (2, 2), VALID),
}
MEANS = {
    "spatial": ((1, 5, 5, 64), (1, 2), True),
    "flat": ((1, 5, 6, 18), (1, 2), False),
    "rows": ((2, 9, 3, 5), (1,), False),
    "columns": ((2, 3, 9, 4), (2,), True),
    "channels": ((1, 3, 3, 10), (3,), True),
    "long": ((1, 24, 23, 9), (1, 2), False),
    "images": ((3, 4, 4, 8), (1, 2), True),
}


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize("case", POOLS)
def test_pools_are_exact(case: str, kind: str, board: str) -> None:
    assert check_variants(pool(kind, *POOLS[case]), load_board(board), vectors=2)


@pytest.mark.parametrize("activation", [RELU, RELU_N1_TO_1, RELU6])
@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_fused_activations_are_exact(kind: str, activation: int) -> None:
    content = pool(kind, (1, 4, 5, 13), (2, 2), activation=activation)
    assert check_variants(content, load_board("stm32l4r5"))


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("case", MEANS)
def test_means_are_exact(case: str, board: str) -> None:
    shape, axes, keep = MEANS[case]
    assert check_variants(mean(shape, axes, keep=keep), load_board(board), vectors=2)


def test_means_whose_scale_grows_are_exact_or_left_to_others() -> None:
    board = load_board("stm32l4r5")
    assert check_variants(mean((1, 4, 8, 8), (1, 2), keep=True, output=(0.01, 0)), board)
    assert not check_variants(mean((1, 2, 1, 8), (1, 2), keep=True, output=(0.001, 0)), board)


def test_drawn_pools_are_exact() -> None:
    rng = np.random.default_rng(5)
    for turn in range(8):
        kernel = int(rng.integers(1, 5)), int(rng.integers(1, 5))
        shape = (1, int(rng.integers(4, 9)), int(rng.integers(4, 9)), int(rng.integers(1, 21)))
        stride = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        kind = ("AVERAGE_POOL_2D", "MAX_POOL_2D")[turn % 2]
        content = pool(kind, shape, kernel, stride, int(rng.integers(0, 2)))
        assert check_variants(content, load_board(BOARDS[turn % 2]), vectors=1, seed=turn)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 49, 255, 256])
def test_averages_of_every_sum_are_exact(count: int) -> None:
    """Sums from the least to the greatest, each as a channel."""
    sums = np.unique(np.linspace(-128 * count, 127 * count, 509).astype(int))
    low, more = np.divmod(sums, count)
    pixels = low[None, :] + (np.arange(count)[:, None] < more[None, :])
    b = TfliteBuilder()
    source = b.tensor((1, count, 1, len(sums)), scale=0.04, zero_point=0)
    result = b.tensor((1, 1, 1, len(sums)), scale=0.04, zero_point=0)
    b.operator("AVERAGE_POOL_2D", [source], [result], filterHeight=count, filterWidth=1,
               strideH=1, strideW=1, padding=VALID)  # fmt: skip
    content = b.build([source], [result])
    check_given(content, pixels.reshape(1, count, 1, -1).astype(np.int8))


def check_given(content: bytes, sample: np.ndarray) -> None:
    """Compare with the oracle on one input."""
    graph = import_model(content, Path("operator.tflite"), name="net")
    board, (expected,) = load_board("stm32l4r5"), Oracle(content).run(sample)
    for kernel in generated_kernels(graph.operators[0], graph, board):
        (found,) = Trial(graph, [kernel], board, find_cmsis_nn()).run(sample)
        np.testing.assert_array_equal(found, expected)


def test_a_pool_may_write_over_what_it_has_read() -> None:
    board = load_board("stm32l4r5")

    def lead(shape: Sequence[int], kernel: Pair, stride: Pair, padding: int) -> int:
        kernel_, *_ = check_variants(pool("MAX_POOL_2D", shape, kernel, stride, padding), board, 0)
        return kernel_.overlaps[0].lead

    assert lead((1, 4, 4, 8), (2, 2), (2, 2), VALID) == 0
    # One row and one pixel of a window above and left of the pixel written.
    assert lead((1, 4, 4, 8), (3, 3), (1, 1), SAME) == 8 * (4 + 1)


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize("case", ["two by two", "padded", "padded, strided"])
def test_rows_are_exact(case: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_rows(pool(kind, *POOLS[case]), load_board("stm32l4r5"), monkeypatch)
