# SPDX-License-Identifier: Apache-2.0
"""The generated softmax gives the oracle's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.cores import cortex_m0plus
from tests.support.generated import check_variants
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board

pytestmark = pytest.mark.slow


def softmax(shape: Sequence[int], scale: float, beta: float = 1.0) -> bytes:
    b = TfliteBuilder()
    source = b.tensor(shape, scale=scale, zero_point=5)
    result = b.tensor(shape, scale=1 / 256, zero_point=-128)
    b.operator("SOFTMAX", [source], [result], beta=beta)
    return b.build([source], [result])


CASES = {
    "twelve": ((1, 12), 0.2, 1.0),
    "two": ((1, 2), 0.01, 1.0),
    "one": ((3, 1), 0.1, 1.0),
    "rows": ((4, 5, 7), 0.05, 1.0),
    "coarse": ((1, 10), 8.0, 1.0),
    "fine": ((1, 100), 0.0001, 1.0),
    "beta": ((2, 33), 0.3, 0.25),
    "long": ((1, 511), 0.02, 1.0),
}


@pytest.mark.parametrize("board", ["stm32l4r5", "stm32f746"])
@pytest.mark.parametrize("case", CASES)
def test_softmax_is_exact(case: str, board: str) -> None:
    assert check_variants(softmax(*CASES[case]), load_board(board), vectors=6)


def test_softmax_is_exact_without_dsp(tmp_path: Path) -> None:
    assert check_variants(softmax((2, 17), 0.11), cortex_m0plus(tmp_path), vectors=6)


def test_drawn_scales_are_exact() -> None:
    rng = np.random.default_rng(2)
    for turn in range(10):
        shape = int(rng.integers(1, 4)), int(rng.integers(1, 40))
        content = softmax(shape, float(np.exp(rng.uniform(-8, 2))), float(rng.uniform(0.2, 2)))
        assert check_variants(content, load_board("stm32l4r5"), vectors=4, seed=turn)


def test_the_table_ends_where_exponentials_no_longer_count() -> None:
    (kernel,) = check_variants(softmax((1, 10), 0.2), load_board("stm32l4r5"), vectors=0)
    # exp(-0.2 n) < 2^-20 from n = 70
    assert kernel.constants[0].values.shape == (70,)
