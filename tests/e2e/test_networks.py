"""Whole networks of known families, from Keras with random weights: exact on both cores."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinyflow
from tests.support import networks
from tests.support.cores import board_with, cortex_m0plus
from tinyflow.boards import Board, Core, load_board
from tinyflow.frontend.convert import model_inputs
from tinyflow.kernels.cost import CostTable, shipped_costs
from tinyflow.project import KernelSet
from tinyflow.report.model import Report

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
    folder = tmp_path_factory.mktemp("networks")
    subprocess.run(
        [sys.executable, networks.__file__, str(folder)], check=True, capture_output=True
    )
    return folder


@pytest.mark.parametrize("name", networks.NAMES)
def test_network_is_exact(name: str, models: Path, tmp_path: Path) -> None:
    _build(models / f"{name}.keras", tmp_path)


@pytest.mark.parametrize("name", ["small_cnn", "mobilenet_v2", "unet", "tcn"])
def test_network_is_exact_on_int16_activations(name: str, models: Path, tmp_path: Path) -> None:
    for report in _build(models / f"{name}.keras", tmp_path, activations="int16"):
        assert {edge.dtype for edge in (*report.model.inputs, *report.model.outputs)} == {"int16"}


@pytest.mark.parametrize("name", ["small_cnn", "ds_cnn"])
def test_network_is_exact_on_the_other_cores(
    name: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def costs(board: Board, *_: object) -> CostTable | None:
        # A Cortex-M33 has the same kernels as a Cortex-M4.
        return shipped_costs(board) or shipped_costs(load_board("nrf52840"))

    monkeypatch.setattr("tinyflow.pipeline.board_costs", costs)
    builds: dict[Core, Build] = {
        "cortex-m3": Build(board_with("cortex-m3", tmp_path), 4, "native"),
        "cortex-m7": Build("stm32f746", 4),
        "cortex-m33": Build(board_with("cortex-m33", tmp_path), 4),
    }
    for report in _build(models / f"{name}.keras", tmp_path, builds):
        assert report.latency.cycles >= 0.5 * report.latency.instructions


@dataclass(frozen=True)
class Build:
    """What a network is built for; a board that exists only here has no table of costs, but of
    native kernels for a core without the DSP extension there is no choice.
    """

    board: Board | str
    vectors: int
    kernels: KernelSet = "auto"


def _build(
    path: Path, folder: Path, builds: Mapping[Core, Build] | None = None, **options: Any
) -> list[Report]:
    rng = np.random.default_rng(3)
    samples = {
        spec.name: rng.normal(size=(24, *spec.shape)).astype(np.float32)
        for spec in model_inputs(path)
    }
    usual: dict[Core, Build] = {
        "cortex-m4": Build("stm32l4r5", 8),
        "cortex-m0plus": Build(cortex_m0plus(folder), 2, "native"),
    }
    reports = []
    for core, build in (builds or usual).items():  # together: the network is converted once
        report = tinyflow.build(
            path,
            board=build.board,
            kernels=build.kernels,
            calibration=samples,
            output=folder / core,
            vectors=build.vectors,
            **options,
        )
        assert report.board.core == core
        assert report.exact.vectors == build.vectors
        assert report.exact.mismatches == 0
        reports.append(report)
    return reports
