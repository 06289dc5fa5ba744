# SPDX-License-Identifier: Apache-2.0
"""The comparison with the oracle finds differences."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import tinyflow
from tests.conformance import convolutions, tables
from tests.conformance.driver import model_of
from tinyflow.boards import load_board
from tinyflow.emulate.verify import verify_firmware
from tinyflow.tflite.importer import import_model
from tinyflow.toolchain.elf import read_image
from tinyflow.tools.build_folder import read_build

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)


def test_one_weight_changed_is_found(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    content = model_of({"dense": convolutions.CASES["fully_connected"]})
    model.write_bytes(content)
    report = tinyflow.build(model, board="nrf52840", output=tmp_path / "build")
    built = read_build(tmp_path / "build")
    # The oracle is given the same model with its last weight negated.
    (weights,) = (
        tensor.values
        for tensor in import_model(content, model, name="net").tensors
        if tensor.shape == (11, 37)
    )
    values = weights.tobytes()
    assert values in content
    assert weights[-1, -1] != 0
    other = content.replace(values, values[:-1] + bytes([(-values[-1]) & 0xFF]))
    rng = np.random.default_rng(9)
    vectors = [(rng.integers(-128, 128, (1, 37), dtype=np.int8),) for _ in range(20)]

    def verify(tflite: bytes) -> int:
        return verify_firmware(
            read_image(built.elf),
            load_board("nrf52840"),
            tflite,
            entry="net_invoke",
            layers=["net_layer_00_fully_connected"],
            vectors=vectors,
            samples=[],
            stateful=False,
            on_progress=lambda done, total: None,
        ).mismatches

    assert verify(content) == 0
    # Only the last of eleven outputs reads the weight.
    assert 0 < verify(other) <= 20
    assert report.exact.mismatches == 0


def test_counts_and_outputs_do_not_change_from_run_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(model_of({"softmax": tables.CASES["softmax"]}))
    reports = []
    for index in range(2):
        monkeypatch.setenv("TINYFLOW_CACHE", str(tmp_path / f"cache{index}"))
        reports.append(
            tinyflow.build(model, board="stm32f407", output=tmp_path / "build").model_dump()
        )
    assert reports[0] == reports[1]
