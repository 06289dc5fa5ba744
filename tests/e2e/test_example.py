# SPDX-License-Identifier: Apache-2.0
"""The bundled example, as its README says; and the other forms a model can come in."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyflow

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "digits"

pytestmark = [
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
    ),
]


def _build(output: Path, *options: str) -> dict[str, object]:
    result = subprocess.run(
        [sys.executable, "-m", "tinyflow", "build", "--output", str(output), "--json", *options],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    report: dict[str, object] = json.loads(result.stdout)
    return report


def test_the_example_loses_half_its_channels_and_no_point_of_accuracy(tmp_path: Path) -> None:
    report = tinyflow.Report.model_validate(
        _build(tmp_path / "build", "--board", "stm32f746", "--emit-tflite-array")
    )
    accuracy, prune = report.accuracy, report.prune
    assert accuracy is not None
    assert prune is not None
    with np.load(EXAMPLE / "test.npz") as data:
        assert accuracy.samples == len(data["y"]) >= 300
    assert accuracy.float_ is not None
    assert accuracy.float_ >= 95.0
    assert accuracy.device >= accuracy.float_ - 1.0
    assert (prune.method, prune.ratio) == ("structured", 0.5)
    # Half of the channels on both sides of a convolution is a quarter of its weights.
    assert prune.parameters_after < 0.4 * prune.parameters_before
    assert prune.macs_after < 0.4 * prune.macs_before
    assert report.exact.mismatches == 0
    assert all(item.kept for item in report.budget)
    assert len(report.budget) == 4
    library = tmp_path / "build" / "lib" / "digits"
    assert (library / "digits_tflite.c").is_file()
    assert json.loads((tmp_path / "build" / "report.json").read_text()) == report.model_dump(
        mode="json", by_alias=True
    )

    # A second build finds everything done, TensorFlow is not started, and nothing changes.
    before = {path: path.read_bytes() for path in library.rglob("*") if path.is_file()}
    again = subprocess.run(
        [
            *(sys.executable, "-X", "importtime", "-m", "tinyflow", "build"),
            *("--board", "stm32f746", "--emit-tflite-array", "--output", str(tmp_path / "build")),
        ],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "unchanged" in again.stderr
    stages = [line for line in again.stderr.splitlines() if not line.startswith("import time:")]
    assert not [line for line in stages if "quantise" in line]
    assert "tensorflow" not in again.stderr
    assert before == {path: path.read_bytes() for path in library.rglob("*") if path.is_file()}


def test_a_saved_model_and_an_h5_give_the_same_firmware(tmp_path: Path) -> None:
    script = (
        "import keras, sys\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "model.save(sys.argv[2] + '/net.h5')\n"
        "model.export(sys.argv[2] + '/net_saved', verbose=False)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(EXAMPLE / "digits.keras"), str(tmp_path)],
        check=True,
        capture_output=True,
    )
    reports = [
        tinyflow.build(
            model,
            board="nrf52840",
            name="net",
            calibration=EXAMPLE / "calibration.npz",
            test=EXAMPLE / "test.npz",
            output=tmp_path / f"build{index}",
        )
        for index, model in enumerate(
            (EXAMPLE / "digits.keras", tmp_path / "net.h5", tmp_path / "net_saved")
        )
    ]
    assert all(report.exact.mismatches == 0 for report in reports)
    assert {report.model.macs for report in reports} == {reports[0].model.macs}
    accuracies = [report.accuracy for report in reports]
    assert all(a is not None and a.device >= 95.0 for a in accuracies)


def test_a_model_in_memory(tmp_path: Path) -> None:
    script = (
        "import keras, numpy, tinyflow\n"
        "model = keras.Sequential([keras.Input((6, 6, 2)), keras.layers.Conv2D(4, 3),\n"
        "    keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)], name='My Net')\n"
        "x = numpy.random.default_rng(0).normal(size=(16, 6, 6, 2)).astype('float32')\n"
        "report = tinyflow.build(model, board='stm32f407', calibration=x, output='out')\n"
        "print(report.to_json())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    report = json.loads(result.stdout)
    assert report["model"]["name"] == "my_net"
    assert report["exact"]["mismatches"] == 0
    assert report["accuracy"] is None
    assert [layer["operator"] for layer in report["layers"]] == [
        "CONV_2D",
        "MEAN",
        "FULLY_CONNECTED",
    ]
