"""Whole networks of known families, from Keras with random weights: exact on both cores."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyflow
from tests.support import networks
from tests.support.cores import cortex_m0plus
from tinyflow.frontend.convert import model_inputs

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
    path = models / f"{name}.keras"
    rng = np.random.default_rng(3)
    samples = {
        spec.name: rng.normal(size=(24, *spec.shape)).astype(np.float32)
        for spec in model_inputs(path)
    }
    boards = {"cortex-m4": ("stm32l4r5", 8), "cortex-m0plus": (cortex_m0plus(tmp_path), 2)}
    for core, (board, vectors) in boards.items():  # together: the network is converted once
        report = tinyflow.build(
            path, board=board, calibration=samples, output=tmp_path / core, vectors=vectors
        )
        assert report.board.core == core
        assert report.exact.vectors == vectors
        assert report.exact.mismatches == 0
