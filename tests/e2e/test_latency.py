# SPDX-License-Identifier: Apache-2.0
"""The modelled latency of a build: on every board, whole, and the same again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

import tinyflow
from tests.support.small_model import INPUT_SHAPE, small_model
from tinyflow.boards import board_ids, load_board
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import BudgetError
from tinyflow.report.report_data import Report
from tinyflow.timing.validation import error_bar
from tinyflow.tools.build_folder import read_build
from tinyflow.tools.run import read_samples, run_inputs

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


def test_every_inference_is_counted_and_the_worst_is_stated(build: Path, tmp_path: Path) -> None:
    """The figures are those of the vectors they name: each is counted here again."""
    name = json.loads((build / "report.json").read_text())["board"]["id"]
    board = load_board(name)
    model = build.parent / "small.tflite"
    report = tinyflow.build(model, board=name, output=tmp_path / "build", vectors=20)
    built = read_build(tmp_path / "build")
    (vectors,) = read_samples(built, [tmp_path / "build/vectors/input_0.npy"])
    counted = []
    with Simulator(built.elf, board) as simulator:
        client = HarnessClient(simulator)
        for vector in vectors:
            with simulator.measure(f"{report.model.name}_invoke") as measurement:
                client.run(vector)
            counted.append(measurement.instructions)
    found = report.inferences
    assert found is not None
    assert (found.vectors, found.traced) == (20, 3)
    assert (found.fewest_instructions, found.most_instructions) == (min(counted), max(counted))
    assert report.latency.instructions == counted[found.vector]
    assert found.worst.instructions == counted[found.worst.vector]
    assert found.worst.cycles >= report.latency.cycles
    assert found.worst.ms == pytest.approx(1e3 * found.worst.cycles / board.clock_hz)
    assert min(counted) < max(counted), "SOFTMAX branches on data: else this tests nothing"


def test_ram_is_what_the_image_reserves(build: Path, tmp_path: Path) -> None:
    built = read_build(build)
    ram = built.report.memory.ram
    board = load_board(built.report.board.id)
    with built.elf.open("rb") as file:
        sections = [
            section
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC
            and not any(
                region.kind == "flash"
                and region.origin <= section["sh_addr"] < region.origin + region.size
                for region in board.memory
            )
        ]
        reserved = sum(section["sh_size"] for section in sections)
    assert ram.total == reserved
    assert ram.stack == board.stack_size
    assert 0 < ram.stack_peak < ram.stack
    assert ram.total == (
        ram.arena + ram.state + ram.data + ram.bss + ram.stack + ram.code + ram.weights
    )
    # A budget between the reserved and the used stack is broken.
    used = ram.total - ram.code - ram.weights - ram.stack + ram.stack_peak
    with pytest.raises(BudgetError, match="ram_kib"):
        tinyflow.build(
            build.parent / "small.tflite",
            board=board,
            output=tmp_path / "build",
            vectors=2,
            placement="flash",
            ram_kib=(used + 64) / 1024,
        )


def test_the_comparison_has_every_kind_of_input(tmp_path: Path) -> None:
    (tmp_path / "small.tflite").write_bytes(small_model())
    rng = np.random.default_rng(7)
    np.savez(
        tmp_path / "test.npz",
        x=rng.integers(-128, 128, (30, *INPUT_SHAPE[1:]), np.int8),
        y=rng.integers(0, 4, 30),
    )
    for data, due in ((tmp_path / "test.npz", (8, 8, 4)), (None, (0, 16, 4))):
        report = tinyflow.build(
            tmp_path / "small.tflite", board="nrf52840", output=tmp_path / "build", test=data
        )
        exact = report.exact
        assert (exact.real, exact.random, exact.extreme) == due
        assert (exact.vectors, exact.mismatches) == (20, 0)
    inputs = np.load(tmp_path / "build/vectors/input_0.npy")
    assert (inputs[16] == -128).all() and (inputs[17] == 127).all()
