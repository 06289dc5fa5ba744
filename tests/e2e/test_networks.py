"""Whole networks of known families, from Keras with random weights: exact on the device."""

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
    report = tinyflow.build(
        path, board="stm32l4r5", calibration=samples, output=tmp_path / "build", vectors=8
    )
    assert report.exact.vectors == 8
    assert report.exact.mismatches == 0
