# SPDX-License-Identifier: Apache-2.0
"""The generated kernels for cores without the DSP extension give the oracle's bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conformance.convolutions import CASES, conv
from tests.conformance.driver import Case, model_of
from tests.conformance.windows import SAME, VALID, depthwise, fully_connected
from tests.support.cores import board_with, cortex_m0plus
from tests.support.generated import check_variants
from tests.support.generated_rows import check_rows
from tinyflow.boards import Board, load_board
from tinyflow.kernels.base import Kernel

pytestmark = pytest.mark.slow

MORE = {
    "pointwise": conv(kernel=(1, 1), cin=16, cout=24),
    "aligned": conv(cin=8, cout=9, stride=(2, 1)),
    "two_images": conv(batch=2, cin=4, cout=6),
    "depthwise_four": depthwise(channels=8),
    "depthwise_stride": depthwise(channels=4, stride=(2, 2), kernel=(5, 3), batch=2),
    "depthwise_per_tensor": depthwise(channels=12, per_channel=False, padding=VALID),
}
#: Left to others: scales of 1/2 and more, channels that are no multiple of 4, several outputs.
LEFT = {
    "conv_saturates",
    "depthwise",
    "depthwise_5x5_stride",
    "depthwise_dilated_valid",
    "depthwise_edge",
    "depthwise_multiplier",
    "depthwise_no_bias_per_tensor",
    "depthwise_one_channel",
    "depthwise_row",
    "depthwise_saturates",
    "depthwise_vanishes",
    "fully_connected_saturates",
}
WEIGHTED = {
    name: case
    for name, case in (CASES | MORE).items()
    if name in MORE or name.startswith(("conv", "depthwise", "fully_connected"))
}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return cortex_m0plus(tmp_path_factory.mktemp("board"))


def tried(case: Case, board: Board, vectors: int = 2, seed: int = 0) -> list[Kernel]:
    return check_variants(model_of({"case": case}), board, vectors, seed)


@pytest.mark.parametrize("name", WEIGHTED)
def test_scalar_kernels_are_exact(name: str, board: Board) -> None:
    kernels = tried(WEIGHTED[name], board)
    assert bool(kernels) == (name not in LEFT)


@pytest.mark.parametrize("name", ["conv", "aligned", "fully_connected", "conv_edge_zero_points"])
def test_they_are_exact_on_a_cortex_m3(name: str, tmp_path: Path) -> None:
    (kernel,) = tried(WEIGHTED[name], board_with("cortex-m3", tmp_path))
    assert kernel.title.endswith("_c")


def test_drawn_layers_are_exact(board: Board) -> None:
    rng = np.random.default_rng(11)

    def below(limit: int) -> int:
        return int(rng.integers(1, limit))

    for turn in range(6):
        padding = (SAME, VALID)[turn % 2]
        zero_points = int(rng.integers(-128, 128)), int(rng.integers(-128, 128))
        kernel, stride = (below(4), below(4)), (below(3), below(3))
        cases = [
            conv(cin=below(9), cout=below(9), kernel=kernel, stride=stride, padding=padding,
                 zero_points=zero_points, activation=turn % 4),
            depthwise(channels=4 * below(4), kernel=kernel, stride=stride, padding=padding,
                      zero_points=zero_points, activation=turn % 4),
            fully_connected((below(4), below(50)), below(20), per_channel=bool(turn % 2)),
        ]  # fmt: skip
        for case in cases:
            tried(case, board, vectors=1, seed=turn)


@pytest.mark.parametrize(
    "name", ["conv", "conv_dilated", "pointwise", "conv_one_channel", "depthwise_four"]
)
def test_rows_are_exact(name: str, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    content = model_of({"case": WEIGHTED[name]})
    (kernel,) = check_rows(content, board, monkeypatch)
    assert kernel.row_form is not None


def test_cores_with_the_dsp_extension_have_better_ones(tmp_path: Path) -> None:
    kernels = tried(conv(), load_board("stm32l4r5"), vectors=0)
    assert not any("scalar" in kernel.function for kernel in kernels)
