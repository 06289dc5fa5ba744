# SPDX-License-Identifier: Apache-2.0
"""Builds side by side: `tinyflow build` for several boards, `tinyflow compare`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.small_model import small_model

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)


def test_two_boards_are_built_and_compared(in_project: CommandLine) -> None:
    boards = ("--board", "stm32l4r5", "--board", "stm32f746")
    built = in_project("build", "small.tflite", *boards, "--vectors", "2", "--json")
    reports, comparison = built.json["reports"], built.json["comparison"]
    assert [report["board"]["id"] for report in reports] == ["stm32l4r5", "stm32f746"]
    first, second = comparison["builds"]
    assert (first["instructions"], second["flash"]) == (
        reports[0]["latency"]["instructions"],
        reports[1]["memory"]["flash"]["total"],
    )
    for name, ratios in comparison["ratios"].items():
        assert ratios == [1.0, pytest.approx(second[name] / first[name])]
    for index, report in enumerate(reports):
        for figure in ("instructions", "cycles", "ms"):
            assert [layer[figure][index] for layer in comparison["layers"]] == [
                layer[figure] for layer in report["layers"]
            ]

    again = in_project("compare", "build/stm32l4r5", "build/stm32f746", "--json")
    assert again.json == comparison
    table = in_project("compare", "build/stm32f746", "build/stm32l4r5").out
    assert "stm32l4r5" in table and "216 MHz" in table and "CONV_2D" in table


def test_builds_of_unlike_models_have_no_common_layers(in_project: CommandLine) -> None:
    Path("other.tflite").write_bytes(small_model(lambda name: f"other/{name}"))
    for name in ("small", "other"):
        options = ("--board", "stm32l4r5", "--vectors", "1", "--output", name)
        assert in_project("build", f"{name}.tflite", *options).code == 0
    comparison = in_project("compare", "small", "other", "--json").json
    assert comparison["layers"] == []
    assert comparison["ratios"]["instructions"] == [1.0, 1.0]
    assert [build["title"] for build in comparison["builds"]] == ["small", "other"]


def test_what_cannot_be_compared_is_refused(in_project: CommandLine) -> None:
    in_project.refused(3, "compare", "nothing", says=("nothing: not a finished build",))
    options = ("--board", "stm32f746", "--board", "stm32f747", "--json")
    refused = in_project("build", "small.tflite", *options)
    assert refused.code == 3
    assert "did you mean" in refused.json["error"]["message"]
    assert not Path("build").exists()


def test_a_broken_budget_does_not_stop_the_other_boards(in_project: CommandLine) -> None:
    Path("tinyflow.toml").write_text(
        '[model]\npath = "small.tflite"\n[budget]\nram_kib = 0.1\n', encoding="utf-8"
    )
    boards = ("--board", "stm32l4r5", "--board", "stm32f746")
    outcome = in_project("build", *boards)
    assert "budget broken: ram_kib" in outcome.err
    assert outcome.code != 0
    assert "side by side" in outcome.out
    assert Path("build/stm32f746/report.json").is_file()
