# SPDX-License-Identifier: Apache-2.0
"""`tinyflow profile` on builds: sums, what a person reads, the page, and hostile names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinyflow as package
from tests.support.chromium import chromium_page, needs_chromium
from tests.support.command_line import CommandLine
from tests.support.small_model import small_model
from tests.support.stateful_model import stateful_model
from tinyflow.kernels.name import KernelName
from tinyflow.report.report_data import Report

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

HOSTILE = "</script><script>alert(1)</script>[red]\x1b[31m"
MODELS: dict[str, Callable[[], bytes]] = {
    "small on stm32l4r5": small_model,
    "stateful on stm32f746": stateful_model,
    "hostile on nrf52840": lambda: small_model(lambda name: f"{name}{HOSTILE}"),
}


@pytest.fixture(scope="module", params=MODELS)
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name, _, board = request.param.split()
    folder = tmp_path_factory.mktemp(name)
    (folder / "net.tflite").write_bytes(MODELS[request.param]())
    package.build(folder / "net.tflite", board=board, output=folder / "build", vectors=2)
    return folder / "build"


@pytest.fixture
def profile(build: Path, tinyflow: CommandLine) -> Any:
    return tinyflow("profile", build, "--json").json


def test_the_parts_add_up_to_the_reports_figures(build: Path, profile: Any) -> None:
    report = Report.read(build / "report.json")
    assert profile["latency"] == report.latency.model_dump()
    cycles = report.latency.cycles
    for ours, theirs in zip(profile["layers"], report.layers, strict=True):
        assert (ours["cycles"], ours["split"]) == (theirs.cycles, theirs.split.model_dump())
        assert ours["cycles_per_mac"] == (theirs.cycles / theirs.macs if theirs.macs else None)
    functions = profile["functions"]
    assert sum(each["self_cycles"] for each in functions) == cycles
    assert sum(each["instructions"] for each in functions) == report.latency.instructions
    for each in functions:
        assert sum(each["split"].values()) == each["self_cycles"] <= each["total_cycles"]


def test_the_call_tree_holds_the_layers_and_what_they_call(build: Path, profile: Any) -> None:
    report = Report.read(build / "report.json")
    frames = profile["frames"]
    assert (frames[0]["parent"], frames[0]["cycles"]) == (-1, report.latency.cycles)
    assert sum(frame["self_cycles"] for frame in frames) == report.latency.cycles
    below = [frame for frame in frames if frame["parent"] == 0]
    assert [(frame["name"], frame["cycles"]) for frame in below] == [
        ("before the first layer", report.latency.overhead.cycles),
        *((layer.name, layer.cycles) for layer in report.layers),
    ]
    for index, frame in enumerate(frames):
        children = [each for each in frames if each["parent"] == index]
        assert frame["parent"] < index
        assert frame["cycles"] == frame["self_cycles"] + sum(each["cycles"] for each in children)
    called = {frame["name"] for frame in frames}
    for layer in report.layers:
        if layer.cycles > 1000:
            assert layer.kernel in called or (
                layer.generated and any(map(KernelName.parse, called))
            )


def test_blocks_say_what_each_instruction_costs(profile: Any) -> None:
    assert len(profile["blocks"]) == 20
    cycles = [block["cycles"] for block in profile["blocks"]]
    assert cycles == sorted(cycles, reverse=True)
    for block in profile["blocks"]:
        assert block["instructions"][0]["address"] == block["address"]
        assert sum(line["core"] for line in block["instructions"]) == block["split"]["core"]
        assert sum(line["branch"] for line in block["instructions"]) == block["split"]["branch"]
        assert sum(use["executions"] for use in block["uses"]) == block["executions"]


def test_a_person_reads_tables_and_where_the_page_is(build: Path, tinyflow: CommandLine) -> None:
    (build / "profile.html").unlink(missing_ok=True)
    outcome = tinyflow("profile", build, "--top", 1)
    report = Report.read(build / "report.json")
    assert f"±{report.latency.error_percent} %, modelled: {report.latency.cycles:,} cycles" in (
        outcome.out
    )
    hottest = tinyflow("profile", build, "--json").json["blocks"][0]
    assert f"{hottest['function']}+{hottest['offset']:#x}" in outcome.out
    for line in hottest["instructions"]:
        assert f"{line['address']:08x}" in outcome.out
    assert outcome.out.count("each time") == 1
    assert str(build / "profile.html") in outcome.err
    assert "\x1b[31m" not in outcome.out
    assert (build / "profile.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@needs_chromium
def test_the_page_opens(build: Path, tinyflow: CommandLine) -> None:
    report = Report.read(build / "report.json")
    assert tinyflow("profile", build).code == 0
    with chromium_page() as page:
        page.open(build / "profile.html")
        assert page.problems == []
        text = "[...document.querySelectorAll('[aria-level=\"2\"]')].map(each => each.textContent)"
        layers = page.evaluate(text)
        # the narrowest are not drawn

        assert set(layers) >= {
            layer.name for layer in report.layers if layer.cycles > 0.01 * report.latency.cycles
        }
        assert page.evaluate("document.scripts.length") == 2


def test_a_rebuild_drops_the_page(build: Path, tinyflow: CommandLine, tmp_path: Path) -> None:
    report = Report.read(build / "report.json")
    folder = tmp_path / "build"
    source = build.parent / "net.tflite"
    package.build(source, board=report.board.id, output=folder, vectors=2)
    assert tinyflow("profile", folder).code == 0
    assert (folder / "profile.html").is_file()
    package.build(source, board=report.board.id, output=folder, vectors=2)
    assert not (folder / "profile.html").exists()


def test_a_sample_of_ones_own_and_a_page_elsewhere(
    build: Path, tinyflow: CommandLine, tmp_path: Path
) -> None:
    report = Report.read(build / "report.json")
    shape = report.model.inputs[0].shape
    np.save(tmp_path / "x.npy", np.zeros((3, *shape[1:]), np.float32))
    page = tmp_path / "p.html"
    data = tinyflow("profile", build, "--inputs", tmp_path / "x.npy", "--html", page, "--json").json
    assert data["model"]["input"] == "x.npy"
    assert data["latency"]["instructions"] > 0
    assert page.is_file()


def test_what_cannot_be_profiled_is_named(
    build: Path, tinyflow: CommandLine, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 2), np.float32))
    tinyflow.refused(3, "profile", build, "--inputs", tmp_path / "x.npy", says=("x.npy",))
    tinyflow.refused(3, "profile", tmp_path, says=("not a finished build",))
    elsewhere = tmp_path / "none" / "p.html"
    tinyflow.refused(3, "profile", build, "--html", elsewhere, says=("does not exist",))
    copy = tmp_path / "copy"
    shutil.copytree(build, copy)
    (copy / "plan.json").write_text("{}")
    tinyflow.refused(3, "profile", copy, says=("plan.json: missing or damaged",))
