# SPDX-License-Identifier: Apache-2.0
"""Constants that start-up copies to RAM: the image is exact and faster, and the report says so."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import tinyflow
from tests.support.command_line import CommandLine
from tests.support.dense_model import dense_model
from tests.support.small_model import small_model
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import board_ids, load_board
from tinyflow.emulate.simulator import Simulator
from tinyflow.report.report_data import PlacedSection, Report
from tinyflow.settings.project_file import Objective
from tinyflow.toolchain.elf import Image, read_image

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

#: First address of constants: behind the data in the RAM without wait states.
FIRST = {"stm32f746": "DTCM", "stm32l4r5": "SRAM1", "stm32f407": "SRAM1", "nrf52840": "RAM"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "dense.tflite"
    path.write_bytes(dense_model())
    return path


def built(model: Path, board: str, folder: Path, **options: Any) -> Report:
    options = {"placement": "ram", "vectors": 3, **options}
    return tinyflow.build(model, board=board, output=folder, **options)


def image_of(folder: Path, report: Report) -> Image:
    return read_image(folder / report.artifacts["elf"])


def in_ram(report: Report) -> list[PlacedSection]:
    return [placed for placed in report.placement if placed.arrays]


@pytest.mark.parametrize("board", board_ids())
def test_weights_in_ram_are_exact_and_faster(board: str, model: Path, tmp_path: Path) -> None:
    stored = built(model, board, tmp_path / "code", placement="code")
    report = built(model, board, tmp_path / "ram")
    assert (report.exact.vectors, report.exact.mismatches) == (3, 0)
    assert not in_ram(stored) and stored.memory.ram.weights == 0
    (placed,) = in_ram(report)
    assert placed.memories == (FIRST[board],)
    assert placed.gain_cycles is not None
    saved = stored.latency.cycles - report.latency.cycles
    assert saved >= 0.02 * stored.latency.cycles
    assert placed.gain_cycles == pytest.approx(saved, rel=0.02)
    assert report.latency.instructions == stored.latency.instructions
    weights = sum(a * b + 4 * b for a, b in pairwise((128, 96, 64, 10)))
    ram, before = report.memory.ram, stored.memory.ram
    assert weights <= ram.weights == placed.bytes <= 1.3 * weights
    assert ram.total == ram.weights + ram.code + ram.data + ram.bss + ram.arena + ram.stack
    assert ram.total - ram.weights == before.total
    assert report.memory.flash.weights == pytest.approx(stored.memory.flash.weights, abs=64)
    assert report.memory.flash.total == pytest.approx(stored.memory.flash.total, abs=128)


@pytest.mark.parametrize("board_id", board_ids())
def test_start_up_copies_what_flash_holds(board_id: str, model: Path, tmp_path: Path) -> None:
    report = built(model, board_id, tmp_path / "build", vectors=1)
    board, image = load_board(board_id), image_of(tmp_path / "build", report)
    (placed,), (span,) = in_ram(report), image.ram_weights
    flash = {segment.address: segment.data for segment in image.segments}
    (stored,) = (data for data in flash.values() if len(data) == len(span))
    found = []
    with Simulator(image, board) as simulator:
        simulator.read(1, 1.0)  # until it waits for the host
        assert simulator.read_memory(span.start, len(span)) == stored
        for name in placed.arrays:
            symbol = image.symbol(name)
            assert symbol.address in span and symbol.address + symbol.size <= span.stop
            found.append(symbol.size)
    assert 0 <= len(span) - sum(found) < 4 * len(found)
    bss = image.symbol("_ebss").address
    assert bss <= span.start < bss + 16


@pytest.mark.parametrize("board", ["stm32l4r5", "stm32f746"])
def test_a_budget_of_ram_is_kept(board: str, model: Path, tmp_path: Path) -> None:
    free = built(model, board, tmp_path / "free")
    without = free.memory.ram.total - free.memory.ram.weights
    for limit, least, most in (
        (without / 1024 + 12, 6_000, 12 * 1024),  # one of the large arrays
        (without / 1024 + 1, 0, 0),  # what little there is room for gains too little
    ):
        report = built(model, board, tmp_path / "build", ram_kib=limit)
        assert least <= report.memory.ram.weights <= most
        assert all(item.kept for item in report.budget)
        assert report.exact.mismatches == 0


@pytest.mark.parametrize("optimize", get_args(Objective))
def test_weights_that_are_read_once_stay_unless_asked(
    optimize: Objective, model: Path, tmp_path: Path
) -> None:
    for placement in ("auto", "ram"):
        options = {"placement": placement, "optimize": optimize, "vectors": 1}
        report = built(model, "stm32l4r5", tmp_path / placement, **options)
        assert bool(in_ram(report)) == (placement == "ram") == (report.memory.ram.weights > 0)


@pytest.mark.parametrize("optimize", ["speed", "balanced"])
def test_speed_moves_weights_that_are_read_over_and_over(
    optimize: Objective, tmp_path: Path
) -> None:
    """The weights belong to a convolution whose kernel reads all of them for every two pixels."""
    b = TfliteBuilder()
    x = b.tensor((1, 8, 8, 32), scale=0.05)
    y = b.tensor((1, 8, 8, 32), scale=0.4)
    weights = np.random.default_rng(0).integers(-127, 128, (32, 3, 3, 32)).astype(np.int8)
    w = b.tensor(weights.shape, data=weights, scale=0.01)
    b.operator("CONV_2D", [x, w], [y], strideH=1, strideW=1)
    model = tmp_path / "convolution.tflite"
    model.write_bytes(b.build([x], [y]))
    options = {"placement": "auto", "optimize": optimize, "kernels": "cmsis-nn"}
    report = built(model, "stm32l4r5", tmp_path / "build", **options)
    assert report.exact.mismatches == 0
    assert bool(in_ram(report)) == (optimize == "speed")
    assert report.memory.ram.weights >= (weights.size if optimize == "speed" else 0)


def test_what_does_not_fit_the_fastest_ram_goes_on_or_stays(tmp_path: Path) -> None:
    """280 KB of weights: the L4R5 has more RAM of nearly that speed, the F746 none that pays."""
    model = tmp_path / "large.tflite"
    model.write_bytes(dense_model((512, 192, 512, 160)))
    report = built(model, "stm32l4r5", tmp_path / "l4r5", vectors=2)
    assert [placed.memories for placed in in_ram(report)] == [("SRAM1", "SRAM2"), ("SRAM3",)]
    assert report.exact.mismatches == 0
    assert sum(placed.bytes for placed in in_ram(report)) > 270_000
    model.write_bytes(dense_model((512, 64, 512, 160)))
    report = built(model, "stm32f746", tmp_path / "f746", vectors=2)
    (placed,) = in_ram(report)
    assert placed.memories == ("DTCM",)
    assert 30_000 < placed.bytes < 61_000
    assert report.exact.mismatches == 0


@pytest.mark.parametrize("board", ["stm32l4r5", "stm32f746"])
def test_code_and_weights_together(
    board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYFLOW_CACHE", str(tmp_path / "cache"))  # the choice is not to be kept
    monkeypatch.setattr("tinyflow.placement.choose.LEAST_GAIN", {"speed": -1.0})
    monkeypatch.setattr("tinyflow.plan.code_in_ram.LEAST_GAIN", {"speed": -1.0})
    monkeypatch.setattr("tinyflow.plan.code_in_ram.LEAST_WAIT", 0.0)
    monkeypatch.setattr("tinyflow.plan.constants_in_ram.LEAST_GAIN", 0.0)
    model = tmp_path / "small.tflite"
    model.write_bytes(small_model())
    options = {"kernels": "cmsis-nn", "optimize": "speed"}
    code = built(model, board, tmp_path / "code", placement="code", **options)
    report = built(model, board, tmp_path / "ram", **options)
    assert report.exact.mismatches == 0
    assert report.memory.ram.code == code.memory.ram.code > 4096
    assert report.memory.ram.weights > 0
    (placed,) = in_ram(report)
    assert placed.memories == (FIRST[board],)
    saved = code.latency.cycles - report.latency.cycles
    assert placed.gain_cycles == pytest.approx(saved, abs=50)
    assert report.latency.split.flash_data < code.latency.split.flash_data


@pytest.mark.parametrize(
    ("board", "side", "memories"),
    [
        ("stm32f746", 64, ("DTCM",)),
        ("stm32f746", 112, ("DTCM", "SRAM1")),
        ("stm32l4r5", 112, ("SRAM1",)),
        ("stm32l4r5", 184, ("SRAM1", "SRAM2", "SRAM3")),
    ],
)
def test_the_arena_takes_the_fastest_ram_first(
    board: str, side: int, memories: tuple[str, ...], tmp_path: Path
) -> None:
    b = TfliteBuilder()
    x = b.tensor((1, side, side, 8), scale=0.05)
    y = b.tensor((1, side // 4, side // 4, 8), scale=0.05)
    window: dict[str, Any] = {
        "filterHeight": 4,
        "filterWidth": 4,
        "strideH": 4,
        "strideW": 4,
        "padding": 1,
    }
    b.operator("MAX_POOL_2D", [x], [y], **window)
    model = tmp_path / "pool.tflite"
    model.write_bytes(b.build([x], [y]))
    report = built(model, board, tmp_path / "build", vectors=1)
    assert report.exact.mismatches == 0
    assert {p.what: p.memories for p in report.placement}["arena"] == memories


def test_the_tools_know_weights_in_ram(model: Path, tmp_path: Path, tinyflow: CommandLine) -> None:
    build, options = tmp_path / "build", ("--placement", "ram", "--vectors", "2")
    done = tinyflow("build", str(model), "--board", "stm32l4r5", "--output", str(build), *options)
    assert "weights in RAM" in done.out
    found = tinyflow("profile", str(build), "--json").json
    (placed,) = (each for each in found["in_ram"] if each["what"] == "weights in RAM")
    assert found["latency"]["cycles"] == Report.read(build / "report.json").latency.cycles
    assert f"arrays, {placed['bytes']:,} bytes in SRAM1" in (build / "profile.html").read_text()
    inputs = build / "vectors/input_0.npy"
    assert tinyflow("bisect", str(build), "--inputs", inputs).code == 0
    outputs = tmp_path / "outputs.npy"
    assert tinyflow("run", str(build), "--inputs", inputs, "--outputs", outputs).code == 0
    expected = np.load(build / "vectors/output_0.npy")
    assert np.array_equal(np.load(outputs).ravel(), expected.ravel())
