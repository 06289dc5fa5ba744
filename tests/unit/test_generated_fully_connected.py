# SPDX-License-Identifier: Apache-2.0
"""Every variant of the generated FULLY_CONNECTED gives the oracle's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cores import board_with, cortex_m0plus
from tests.support.generated import check_variants
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.kernels.base import Kernel

pytestmark = pytest.mark.slow

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
BOARDS = ("stm32l4r5", "stm32f746")


def layer(
    rows: int,
    depth: int,
    outputs: int,
    *,
    activation: int = NONE,
    zero_points: tuple[int, int] = (3, -5),
    per_channel: bool = False,
    bias: bool = True,
    weights: Any = None,
    scale: float | None = None,
    seed: int = 0,
) -> bytes:
    """A FULLY_CONNECTED whose outputs use the range of int8."""
    rng = np.random.default_rng(seed)
    if weights is None:
        weights = rng.integers(-127, 128, (outputs, depth))
    b = TfliteBuilder()
    source = b.tensor((rows, depth), scale=0.02, zero_point=zero_points[0])
    scales: float | Sequence[float] = 0.005
    if per_channel:
        scales = rng.uniform(0.003, 0.008, outputs).tolist()
    kernel = b.tensor((outputs, depth), scale=scales, data=weights)
    inputs = [source, kernel]
    if bias:
        values = rng.integers(-20_000, 20_000, outputs)
        inputs.append(b.tensor((outputs,), "int32", 0.0001, data=values))
    spread = 0.02 * 0.005 * 74 * 74 * depth**0.5
    output = b.tensor((rows, outputs), scale=scale or spread / 60, zero_point=zero_points[1])
    b.operator("FULLY_CONNECTED", inputs, [output], fusedActivationFunction=activation)
    return b.build([source], [output])


def variants(kernels: list[Kernel]) -> set[str]:
    return {kernel.name.words[0] for kernel in kernels if kernel.name is not None}


CASES = {
    "one block": layer(1, 32, 8),
    "one input, one output": layer(1, 1, 1),
    "two rows, odd everything": layer(2, 7, 13, per_channel=True),
    "no bias": layer(1, 10, 6, bias=False, zero_points=(-128, 127)),
    "relu at the bottom": layer(1, 16, 17, activation=RELU, zero_points=(-128, -128)),
    "relu in the middle": layer(3, 33, 9, activation=RELU, zero_points=(127, 11)),
    "relu6 per channel": layer(1, 24, 22, activation=RELU6, per_channel=True),
    "relu between -1 and 1": layer(1, 19, 5, activation=RELU_N1_TO_1, zero_points=(0, 0)),
    "many rows": layer(5, 12, 3, per_channel=True),
    "long": layer(1, 260, 10, zero_points=(89, -128)),
}


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("case", CASES)
def test_every_variant_is_exact(case: str, board: str) -> None:
    found = variants(check_variants(CASES[case], load_board(board)))
    assert found == {"packed", "bytes"}


@pytest.mark.parametrize("board", BOARDS)
def test_drawn_layers_are_exact(board: str) -> None:
    rng = np.random.default_rng(7)
    for turn in range(4):
        rows, depth, outputs = (int(rng.integers(1, limit)) for limit in (4, 70, 30))
        content = layer(
            rows,
            depth,
            outputs,
            activation=int(rng.integers(0, 4)),
            zero_points=(int(rng.integers(-128, 128)), int(rng.integers(-128, 128))),
            per_channel=bool(turn % 2),
            seed=turn,
        )
        assert check_variants(content, load_board(board), vectors=1, seed=turn)


def test_the_least_weight_beside_a_negative_one_is_not_packed() -> None:
    weights = np.full((4, 9), -128)
    kernels = check_variants(layer(1, 9, 4, weights=weights), load_board("stm32l4r5"))
    assert variants(kernels) == {"bytes"}


def test_sums_beyond_24_bits_are_not_packed() -> None:
    weights = np.full((4, 1100), 127)
    weights[::2] = 0
    content = layer(1, 1100, 4, weights=weights, scale=1.0, zero_points=(-128, 0))
    assert variants(check_variants(content, load_board("stm32l4r5"))) == {"bytes"}


def test_a_scale_of_a_quarter_or_more_is_left_to_others() -> None:
    assert not check_variants(layer(1, 4, 4, scale=0.0002), load_board("stm32l4r5"))


def test_cores_without_fpu_park_on_the_stack(tmp_path: Path) -> None:
    """A Cortex-M33 with the DSP extension may lack the FPU."""
    board = board_with("cortex-m33", tmp_path)
    soft = board.model_copy(update={"fpu": None, "float_abi": "soft"})
    for name in ("two rows, odd everything", "relu in the middle", "one block"):
        assert check_variants(CASES[name], board, vectors=1)
        kernels = check_variants(CASES[name], soft, vectors=1)
        assert all(kernel.function.endswith("soft_dsp") for kernel in kernels)


def test_outputs_without_weights_may_have_any_bias(tmp_path: Path) -> None:
    """Training leaves such outputs with whatever scale they had last."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (9, 12))
    weights[[1, 4, 8]] = 0
    values = np.where(weights.any(1), 100, 2**30 + 12345) * np.array([1, 1, 1, 1, -1, 1, 1, 1, 1])
    b = TfliteBuilder()
    source = b.tensor((1, 12), scale=0.02, zero_point=-9)
    scales = [0.005, 1e-9, *[0.005] * 2, 2.0, *[0.005] * 3, 1e-12]
    kernel = b.tensor((9, 12), scale=scales, data=weights)
    bias = b.tensor((9,), "int32", 0.0001, data=values)
    output = b.tensor((1, 9), scale=0.03, zero_point=4)
    b.operator("FULLY_CONNECTED", [source, kernel, bias], [output])
    content = b.build([source], [output])
    assert check_variants(content, load_board("stm32l4r5"))
    assert check_variants(content, cortex_m0plus(tmp_path))


def test_work_and_memory_are_told() -> None:
    packed, *_ = check_variants(layer(1, 640, 128), load_board("stm32l4r5"), vectors=0)
    assert packed.scratch == 4 + 2 * 640
    assert packed.work["block turns"] == 16 * 160
    assert packed.overlaps[0].lead == -640
