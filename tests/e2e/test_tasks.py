# SPDX-License-Identifier: Apache-2.0
"""Builds of models that do not classify, and of models that quantisation ruins."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from rich.console import Console

import tinyflow
from tinyflow.errors import BudgetError, InputError
from tinyflow.report.terminal import print_report

keras = pytest.importorskip("keras")
layers = keras.layers
pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="needs the Arm compiler"
)


def shown(report: tinyflow.Report) -> str:
    console = Console(width=100)
    with console.capture() as captured:
        print_report(console, report)
    return " ".join(captured.get().split())


def test_regression(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    x = (random.normal(size=(200, 6)) * [1, 2, 1, 3, 1, 2] + 1).astype(np.float32)
    y = (x @ random.normal(size=6)).astype(np.float32)
    norm = layers.Normalization()
    norm.adapt(x)
    vector = keras.Input((6,))
    model = keras.Model(vector, layers.Dense(1)(layers.Dense(8, activation="relu")(norm(vector))))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    model.fit(x, y, epochs=40, verbose=0)

    def build(samples: np.ndarray, **limits: Any) -> tinyflow.Report:
        return tinyflow.build(
            model, board="stm32f746", calibration=x, test={"x": samples, "y": y},
            output=tmp_path / "build", vectors=4, **limits,
        )  # fmt: skip

    report = build(x, max_error=100.0)
    assert report.exact.mismatches == 0
    assert report.accuracy is None
    assert report.error is not None
    assert report.error.task == "regression"
    assert report.error.float_ is not None
    expected = np.abs(model.predict(x, verbose=0)[:, 0] - y).mean()
    assert report.error.float_.mean_absolute == pytest.approx(expected, rel=1e-4)
    assert report.error.device.mean_absolute == pytest.approx(expected, abs=float(0.02 * y.std()))
    assert report.warnings == ()
    assert [layer.operator for layer in report.layers] == ["FULLY_CONNECTED"] * 2
    assert "mean error float" in shown(report)

    with pytest.raises(BudgetError, match="max_error"):
        build(x, max_error=1e-6)
    with pytest.raises(InputError, match="has no accuracy"):
        build(x, accuracy_drop=1.0)
    scaled = build(255 * x)
    assert [warning.about for warning in scaled.warnings] == ["test data", "error"]
    assert "divided by 255" in shown(scaled)
