# SPDX-License-Identifier: Apache-2.0
"""Limits that only slow kernels keep, and limits that cannot be kept together, in whole builds."""

from __future__ import annotations

from pathlib import Path

import pytest

import tinyflow
from tests.support.drawn_cnns import drawn_cnn
from tinyflow.errors import BudgetError
from tinyflow.report.prediction import MOST_OFF_PERCENT
from tinyflow.report.report_data import Report


def least_ram(tmp_path: Path) -> Report:
    (tmp_path / "net.tflite").write_bytes(drawn_cnn(2))
    return tinyflow.build(
        tmp_path / "net.tflite",
        board="stm32l4r5",
        output=tmp_path / "ram",
        optimize="ram",
        vectors=2,
    )


def test_a_limit_that_only_slow_kernels_keep_is_kept_as_predicted(tmp_path: Path) -> None:
    ram = least_ram(tmp_path).memory.ram
    report = tinyflow.build(
        tmp_path / "net.tflite",
        board="stm32l4r5",
        output=tmp_path / "build",
        ram_kib=(ram.total - ram.arena // 10) / 1024,
        vectors=2,
    )
    assert report.exact.mismatches == 0
    assert all(item.kept for item in report.budget)
    assert any(layer.variant == "row by row" for layer in report.layers)
    prediction = report.kernels.prediction
    assert prediction is not None
    assert abs(prediction.off_percent) <= MOST_OFF_PERCENT
    assert report.kernels.shortfall is None


def test_limits_that_cannot_be_kept_together_are_named(tmp_path: Path) -> None:
    least = least_ram(tmp_path)
    limit = (least.memory.ram.total + 300) / 1024
    with pytest.raises(BudgetError, match="latency_ms") as caught:
        tinyflow.build(
            tmp_path / "net.tflite",
            board="stm32l4r5",
            output=tmp_path / "build",
            ram_kib=limit,
            latency_ms=1,
            vectors=2,
        )
    assert f"keeps RAM of {limit:.4g} KiB and latency of 1 ms together" in str(
        caught.value.hint
    ) or f"keeps latency of 1 ms and RAM of {limit:.4g} KiB together" in str(caught.value.hint)
    report = Report.read(tmp_path / "build" / "report.json")
    assert report.exact.mismatches == 0
    shortfall = report.kernels.shortfall
    assert shortfall is not None
    assert [one.limit for one in shortfall.nearest if not one.kept] == ["latency_ms"]
    # Not worse in all respects than what was possible without the limits.
    assert (
        report.latency.cycles <= least.latency.cycles
        or report.memory.ram.total <= least.memory.ram.total
        or report.memory.flash.total <= least.memory.flash.total
    )
