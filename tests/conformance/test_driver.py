# SPDX-License-Identifier: Apache-2.0
"""The driver finds what fails and names it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.conformance import driver
from tests.conformance.quantize import chain
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.oracle.process import Oracle

GOOD = chain((1, 4), ("int8", 0.1, 0), ("int8", 0.2, 0))
REFUSED = chain((1, 4), ("int8", 0.1, 0), ("int8", 1e-20, 0))


def test_a_case_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        driver.check({"good": GOOD, "bad": REFUSED}, tmp_path)
    assert str(caught.value).startswith("bad: UnsupportedError: ")
    assert "good" not in str(caught.value)


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
def test_a_case_that_is_not_exact_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Oracle.run

    def wrong(oracle: Oracle, *inputs: np.ndarray) -> list[np.ndarray]:
        return [output ^ 1 for output in run(oracle, *inputs)]

    # A result of the cache, where the same case ran before, would be right.
    monkeypatch.setenv("TINYFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Oracle, "run", wrong)
    with pytest.raises(AssertionError, match=r"^good: ExactnessError: (\d+) of \1 output bytes"):
        driver.check({"good": GOOD}, tmp_path)


def test_a_case_that_ends_the_oracle_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(content: bytes) -> Oracle:
        oracle = Oracle(content)
        os.kill(oracle._process._process.pid, signal.SIGKILL)
        return oracle

    monkeypatch.setattr(driver, "reference", ended)
    with pytest.raises(AssertionError, match=r"^good: .*reference kernels crashed with SIGKILL"):
        driver.check_library({"good": GOOD}, load_board("stm32l4r5"), "auto")


def test_a_name_makes_the_constants() -> None:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        x = b.tensor((1, 8), scale=0.1)
        right = b.tensor((1, 8), scale=0.1, data=rng.integers(-128, 128, (1, 8)))
        y = b.tensor((1, 8), scale=0.1)
        b.operator("ADD", [x, right], [y])
        return [x], [y]

    assert driver.model_of({"a": case}) == driver.model_of({"a": case})
    assert driver.model_of({"a": case}) != driver.model_of({"b": case})
