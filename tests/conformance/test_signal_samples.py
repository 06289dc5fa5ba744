# SPDX-License-Identifier: Apache-2.0
"""Signal operators on numbers of every size: uniform random ones are nearly all large."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.driver import groups, library_of, model_of
from tests.conformance.signal import CASES
from tests.support.cores import cortex_m0plus
from tinyflow.boards import load_board
from tinyflow.ir.graph import Tensor
from tinyflow.oracle.oracle import Oracle

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

_KINDS = ("window", "auto scale", "rfft", "irfft", "energy", "filter", "square", "pcan", "log")
_SAMPLES = 16
_GROUPS = list(
    groups({name: case for name, case in CASES.items() if name.startswith(_KINDS)}, size=20)
)


def _sample(rng: np.random.Generator, tensor: Tensor, index: int) -> np.ndarray:
    """Numbers of one size or each of another, extremes among them, or all one extreme."""
    if tensor.dtype.value == "float32":
        scale = 10.0 ** rng.integers(-30, 30) if index % 2 else 1.0
        return (rng.uniform(-1, 1, tensor.shape) * scale).astype(np.float32)
    limits = np.iinfo(tensor.dtype.value)
    full = rng.integers(limits.min, limits.max, tensor.shape, limits.dtype, endpoint=True)
    match index % 4:
        case 0:
            return full >> rng.integers(0, limits.bits, tensor.shape).astype(limits.dtype)
        case 1:
            return full >> limits.dtype.type(rng.integers(0, limits.bits))
        case 2:
            return rng.choice(np.array([limits.min, limits.max, 0, 1], limits.dtype), tensor.shape)
        case _:
            return np.full(tensor.shape, (limits.min, limits.max)[index // 4 % 2], limits.dtype)


@pytest.mark.parametrize("group", range(len(_GROUPS)))
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
def test_numbers_of_every_size_are_exact(core: str, group: int, tmp_path: Path) -> None:
    board = load_board("stm32l4r5") if core == "cortex-m4" else cortex_m0plus(tmp_path)
    content = model_of(_GROUPS[group])
    graph, trial = library_of(content, board, "cmsis-nn")
    rng = np.random.default_rng(group)
    samples = [
        tuple(_sample(rng, tensor, index) for tensor in graph.input_tensors())
        for index in range(_SAMPLES)
    ]
    oracle = Oracle(content)
    for sample, outputs in zip(samples, trial.run_each(samples), strict=True):
        for found, due in zip(outputs, oracle.run(*sample), strict=True):
            np.testing.assert_array_equal(found, due)
