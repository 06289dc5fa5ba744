# SPDX-License-Identifier: Apache-2.0
"""`tinyflow run` shows real numbers and the top classes, and writes them with `--dequantize`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import tinyflow as package
from tests.support.command_line import CommandLine
from tests.support.small_model import CLASSES, INPUT_SHAPE, small_model
from tinyflow.cli import console
from tinyflow.errors import InputError
from tinyflow.report.report_data import Report
from tinyflow.tools.run import top_classes

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
LABELS = [
    "zero",
    "one",
    "a label that is far too long for a column of a narrow terminal, by far",
    "3",
]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "net.tflite").write_bytes(small_model())
    package.build(folder / "net.tflite", board="stm32l4r5", output=folder / "build", vectors=2)
    samples = np.random.default_rng(3).integers(-128, 128, (8, *INPUT_SHAPE[1:]), np.int8)
    np.save(folder / "x.npy", samples)
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    return folder


def test_outputs_are_written_as_real_numbers(
    build: Path, tinyflow: CommandLine, tmp_path: Path
) -> None:
    run = ("run", build / "build", "--inputs", build / "x.npy", "--outputs")
    assert tinyflow(*run, tmp_path / "raw.npy").code == 0
    shown = tinyflow(*run, tmp_path / "real.npy", "--dequantize", "--json").json
    raw, real = np.load(tmp_path / "raw.npy"), np.load(tmp_path / "real.npy")
    (output,) = Report.read(build / "build" / "report.json").model.outputs
    assert output.scale is not None and output.zero_point is not None
    assert (raw.dtype, real.dtype) == (np.int8, np.float32)
    np.testing.assert_array_equal(
        real, (raw.astype(np.float32) - output.zero_point) * np.float32(output.scale)
    )
    assert shown["first_outputs"] == [raw[0].ravel().tolist()]
    assert shown["first_values"] == [real[0].ravel().tolist()]
    tinyflow.refused(3, "run", *run[1:-1], "--dequantize", says=("--outputs",))


@pytest.mark.parametrize("width", [80, 120])
def test_the_top_classes_are_shown(
    build: Path, tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(console.out, "_width", width)
    run = ("run", build / "build", "--inputs", build / "x.npy", "--labels", build / "labels.txt")
    output = tinyflow(*run, "--json").json["top_classes"]
    assert len(output) == 1 and len(output[0]) == 8
    shown = tinyflow(*run).out
    assert all(len(line) <= width for line in shown.splitlines())
    for sample in output[0]:
        values = [each["value"] for each in sample]
        assert values == sorted(values, reverse=True)
        assert all(each["label"] == LABELS[each["index"]] for each in sample)
    for sample in output[0][:5]:
        assert f"{sample[0]['value']:.6g}" in shown
    assert "and 3 samples more" in shown
    without = tinyflow(*run[:4]).out
    assert "rank" in without and "label" not in without


@pytest.mark.parametrize("width", [80, 120])
def test_bisect_fits_the_terminal(
    build: Path, tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(console.out, "_width", width)
    bisect = ("bisect", build / "build", "--inputs", build / "x.npy")
    layers = tinyflow(*bisect, "--json").json["layers"]
    shown = tinyflow(*bisect).out
    assert all(len(line) <= width for line in shown.splitlines())
    rows = shown.splitlines()[1:]
    assert len(rows) == len(layers)
    for row, layer in zip(rows, layers, strict=True):
        assert f"{layer['elements']:,}" in row.split()


def test_wrong_labels(build: Path, tinyflow: CommandLine, tmp_path: Path) -> None:
    run = ("run", build / "build", "--inputs", build / "x.npy", "--labels")
    (tmp_path / "few.txt").write_text("a\nb\n")
    tinyflow.refused(3, *run, tmp_path / "few.txt", says=(f"2 labels for an output of {CLASSES}",))
    tinyflow.refused(3, *run, tmp_path / "none.txt", says=("none.txt",))
    (tmp_path / "few.txt").write_text("")
    tinyflow.refused(3, *run, tmp_path / "few.txt", says=("no labels",))


def test_which_outputs_are_classes() -> None:
    found = top_classes(np.array([[[0.1, 0.7, 0.2]]], np.float32), [], 2)
    assert found is not None
    assert [(each.index, each.label) for each in found[0]] == [(1, None), (2, None)]
    assert top_classes(np.zeros((3, 1, 1), np.float32), [], 2) is None
    assert top_classes(np.zeros((3, 1, 4, 4), np.float32), [], 2) is None
    with pytest.raises(InputError, match="4 labels for an output of 3 classes"):
        top_classes(np.zeros((3, 1, 3), np.float32), list("abcd"), 2)
