# SPDX-License-Identifier: Apache-2.0
"""Whole networks of known families, from Keras with random weights: exact on both cores."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import tinyflow
from tests.support import networks
from tests.support.cores import board_with, cortex_m0plus
from tests.support.made_once import made_once
from tinyflow.boards import Board, Core, load_board
from tinyflow.costs.table import CostTable, shipped_costs
from tinyflow.report.report_data import Report
from tinyflow.settings.project_file import KernelSet

pytestmark = [
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
    ),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        command = [sys.executable, networks.__file__, str(folder)]
        subprocess.run(command, check=True, capture_output=True)

    return made_once(tmp_path_factory, "networks", make)


@pytest.mark.parametrize("name", networks.NAMES)
def test_network_is_exact(name: str, models: Path, tmp_path: Path) -> None:
    _build(models / f"{name}.int8.tflite", tmp_path)


@pytest.mark.parametrize("name", networks.INT16)
def test_network_is_exact_on_int16_activations(name: str, models: Path, tmp_path: Path) -> None:
    for report in _build(models / f"{name}.int16.tflite", tmp_path):
        assert {edge.dtype for edge in (*report.model.inputs, *report.model.outputs)} == {"int16"}


@pytest.mark.parametrize("name", ["small_cnn", "ds_cnn"])
def test_network_is_exact_on_the_other_cores(
    name: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def costs(board: Board, *_: object) -> CostTable | None:
        # A Cortex-M33 has the same kernels as a Cortex-M4.
        return shipped_costs(board) or shipped_costs(load_board("nrf52840"))

    monkeypatch.setattr("tinyflow.pipeline.limits.board_costs", costs)
    builds: dict[Core, Build] = {
        "cortex-m3": Build(board_with("cortex-m3", tmp_path), 4, "generated"),
        "cortex-m7": Build("stm32f746", 4),
        "cortex-m33": Build(board_with("cortex-m33", tmp_path), 4),
    }
    for report in _build(models / f"{name}.int8.tflite", tmp_path, builds):
        assert report.latency.cycles >= 0.5 * report.latency.instructions


@dataclass(frozen=True)
class Build:
    """Target of a network's build. A board that exists only here has no cost table, but for a core
    without the DSP extension there is no choice of generated kernels.
    """

    board: Board | str
    vectors: int
    kernels: KernelSet = "auto"


def _build(path: Path, folder: Path, builds: Mapping[Core, Build] | None = None) -> list[Report]:
    usual: dict[Core, Build] = {
        "cortex-m4": Build("stm32l4r5", 4),
        "cortex-m0plus": Build(cortex_m0plus(folder), 2, "generated"),
    }
    samples = np.load(path.with_suffix("").with_suffix(".npy"))
    reports = []
    for core, build in (builds or usual).items():
        report = tinyflow.build(
            path,
            board=build.board,
            kernels=build.kernels,
            calibration=samples,
            output=folder / core,
            vectors=build.vectors,
        )
        assert report.board.core == core
        assert report.exact.vectors == build.vectors
        assert report.exact.mismatches == 0
        reports.append(report)
    return reports
