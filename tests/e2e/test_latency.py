"""The modelled latency of a build: on every board, whole, and the same again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import tinyflow
from tests.support.small_model import small_model
from tinyflow.boards import board_ids, load_board
from tinyflow.report.model import Report
from tinyflow.timing.validation import error_bar
from tinyflow.tools.build_folder import read_build
from tinyflow.tools.run import run_inputs

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)


@pytest.fixture(scope="module", params=board_ids())
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    model = folder / "small.tflite"
    model.write_bytes(small_model())
    tinyflow.build(model, board=request.param, output=folder / "build", vectors=2)
    return folder / "build"


def test_layers_causes_and_overhead_add_up(build: Path) -> None:
    report = Report.read(build / "report.json")
    latency = report.latency
    cycles = [layer.cycles for layer in report.layers]
    assert sum(cycles) + latency.overhead.cycles == latency.cycles
    assert (
        sum(layer.instructions for layer in report.layers) + latency.overhead.instructions
        == latency.instructions
    )
    parts: list[Any] = [latency, latency.overhead, *report.layers]
    for part in parts:
        assert sum(part.split.model_dump().values()) == part.cycles
    assert latency.ms == pytest.approx(1e3 * latency.cycles / report.board.clock_hz)
    assert 0.4 < latency.cycles_per_instruction < 4


def test_bar_and_energy_are_the_boards(build: Path) -> None:
    report = Report.read(build / "report.json")
    board, latency = load_board(report.board.id), report.latency
    bar = error_bar(board)
    assert (latency.error_percent, latency.error_basis) == (bar.percent, bar.basis)
    assert (latency.energy is None) == (board.run_current is None)
    if latency.energy is not None:
        assert latency.energy.uj == pytest.approx(latency.ms * latency.energy.power_mw)
        energies = [layer.energy_uj for layer in report.layers]
        assert None not in energies
        assert sum(energy or 0 for energy in energies) <= latency.energy.uj


def test_a_build_with_nothing_cached_gives_the_same_report(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYFLOW_CACHE", str(tmp_path / "cache"))
    board = json.loads((build / "report.json").read_text())["board"]["id"]
    model = build.parent / "small.tflite"
    tinyflow.build(model, board=board, output=tmp_path / "build", vectors=2)
    assert (tmp_path / "build/report.json").read_text() == (build / "report.json").read_text()


def test_the_simulators_counter_runs_by_the_report(build: Path) -> None:
    built = read_build(build)
    board = load_board(built.report.board.id)
    inputs = sorted((build / "vectors").glob("input_*.npy"))
    result = run_inputs(built, board, inputs, target="simulator")
    # the harness reads the counter around the call, some instructions apart
    assert result.cycles == pytest.approx(built.report.latency.cycles, rel=0.02, abs=100)
