# SPDX-License-Identifier: Apache-2.0
"""Models with IF and WHILE as firmware: the original file is the oracle's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tinyflow as tf
from tests.support.command_line import CommandLine
from tests.support.control_flow import branches, loop
from tinyflow.tools.build_folder import read_build

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)


@pytest.mark.parametrize(
    ("content", "operators"),
    [
        (branches(), ["RELU", "ADD", "SELECT_V2", "RELU"]),
        (loop(3), ["ADD", "ADD", "ADD"]),
    ],
    ids=["branches", "loop"],
)
def test_a_build_is_exact_and_bisected(
    content: bytes, operators: list[str], tmp_path: Path, tinyflow: CommandLine
) -> None:
    (tmp_path / "flow.tflite").write_bytes(content)
    report = tf.build(tmp_path / "flow.tflite", board="stm32f407", output=tmp_path / "build")
    assert report.exact.mismatches == 0
    assert [layer.operator for layer in read_build(tmp_path / "build").report.layers] == operators
    inputs = sorted((tmp_path / "build" / "vectors").glob("input_*.npy"))
    files = [argument for path in inputs for argument in ("--inputs", path)]
    assert tinyflow("bisect", tmp_path / "build", *files).code == 0


def test_a_loop_of_unknown_length_is_refused(tmp_path: Path, tinyflow: CommandLine) -> None:
    (tmp_path / "flow.tflite").write_bytes(loop(3, start=None))
    tinyflow.refused(
        4,
        *("build", tmp_path / "flow.tflite", "--board", "stm32f407"),
        says=("WHILE", "the number of its iterations is not known", "unroll=True"),
    )
