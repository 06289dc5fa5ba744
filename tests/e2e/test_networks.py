"""Whole networks of known families, from Keras with random weights: exact on both cores."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinyflow
from tests.support import networks
from tests.support.cores import OTHER_CORES, board_with, cortex_m0plus
from tinyflow.boards import Board, Core
from tinyflow.frontend.convert import model_inputs
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
def test_network_is_exact_on_the_other_cores(name: str, models: Path, tmp_path: Path) -> None:
    boards = {core: (board_with(core, tmp_path), 4) for core in OTHER_CORES}
    for report in _build(models / f"{name}.keras", tmp_path, boards):
        assert report.latency.cycles >= 0.5 * report.latency.instructions


def _build(
    path: Path,
    folder: Path,
    boards: Mapping[Core, tuple[Board | str, int]] | None = None,
    **options: Any,
) -> list[Report]:
    rng = np.random.default_rng(3)
    samples = {
        spec.name: rng.normal(size=(24, *spec.shape)).astype(np.float32)
        for spec in model_inputs(path)
    }
    usual = {"cortex-m4": ("stm32l4r5", 8), "cortex-m0plus": (cortex_m0plus(folder), 2)}
    reports = []
    for core, (board, vectors) in (
        boards or usual
    ).items():  # together: the network is converted once
        output = folder / core
        report = tinyflow.build(
            path, board=board, calibration=samples, output=output, vectors=vectors, **options
        )
        assert report.board.core == core
        assert report.exact.vectors == vectors
        assert report.exact.mismatches == 0
        reports.append(report)
    return reports
