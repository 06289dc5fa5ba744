# SPDX-License-Identifier: Apache-2.0
"""`tinyflow build --dump`: from the command line, tinyflow.toml and Python."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tinyflow
from tests.support.command_line import CommandLine, snapshot

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)


def test_the_dump_agrees_with_the_report(in_project: CommandLine) -> None:
    boards = ("--board", "stm32l4r5", "--board", "stm32f746")
    options = ("--vectors", "1", "--dump", "dumps", "--json", "-v")
    built = in_project("build", "small.tflite", *boards, *options)
    assert built.code == 0
    assert "info: selection.select: memory plan: " in built.err
    for report in built.json["reports"]:
        folder = Path("dumps", report["board"]["id"])
        data = json.loads((folder / "dump.json").read_text())
        assert (data["board"], data["failed"]) == (report["board"]["id"], None)
        assert data["plan"]["arena"] == report["memory"]["ram"]["arena"]
        assert [(layer["kernel"], layer["name"]) for layer in data["plan"]["layers"]] == [
            (layer["kernel"], layer["name"]) for layer in report["layers"]
        ]
        assert [layer["taken"]["cycles"] for layer in data["choice"]["layers"]] == [
            layer["predicted_cycles"] for layer in report["layers"]
        ]
        assert [len(layer["alternatives"]) + 1 for layer in data["choice"]["layers"]] == [
            len(layer["alternatives"]) for layer in report["layers"]
        ]


def test_the_project_file_and_python_dump_the_same(in_project: CommandLine) -> None:
    Path("tinyflow.toml").write_text(
        '[model]\npath = "small.tflite"\n'
        '[build]\nboard = "stm32l4r5"\nvectors = 1\ndump = "from_file"\n'
    )
    assert in_project("build").code == 0
    tinyflow.build("small.tflite", board="stm32l4r5", vectors=1, dump="from_python")
    assert snapshot(Path("from_file")) == snapshot(Path("from_python"))
    assert "dump" not in Path("build", "stm32l4r5", "report.json").read_text()
    plain = snapshot(Path("build"))
    shutil.rmtree("build")
    tinyflow.build("small.tflite", board="stm32l4r5", vectors=1)
    assert snapshot(Path("build")) == plain
