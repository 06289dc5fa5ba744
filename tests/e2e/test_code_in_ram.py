# SPDX-License-Identifier: Apache-2.0
"""Code that start-up copies to RAM: the image is exact, and the report says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tinyflow
from tests.support.command_line import CommandLine
from tests.support.small_model import small_model
from tinyflow.boards import Board, board_ids, load_board
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import InputError
from tinyflow.report.report_data import Report
from tinyflow.storage.cache import Cache
from tinyflow.toolchain.elf import Image, read_image

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

BOARDS = [name for name in board_ids() if load_board(name).code_ram is not None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(small_model())
    return path


@pytest.fixture(scope="module", params=BOARDS)
def build(
    request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A build in which every function that waited for flash at all runs from RAM."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYFLOW_CACHE", str(folder / "cache"))  # the choice is not to be kept
        patch.setattr("tinyflow.plan.code_in_ram.LEAST_GAIN", {"balanced": -1.0})
        patch.setattr("tinyflow.plan.code_in_ram.LEAST_WAIT", 0.0)
        tinyflow.build(
            model,
            board=request.param,
            output=folder / "build",
            vectors=4,
            kernels="cmsis-nn",  # whose loops are larger than a cache
        )
    return folder / "build"


def opened(build: Path) -> tuple[Report, Board, Image]:
    report = Report.read(build / "report.json")
    return report, load_board(report.board.id), read_image(build / report.artifacts["elf"])


def test_the_image_is_exact_and_runs_from_ram(build: Path) -> None:
    report, board, image = opened(build)
    assert (report.exact.vectors, report.exact.mismatches) == (4, 0)
    part = board.code_ram
    assert part is not None
    (placed,) = (item for item in report.placement if item.functions)
    assert placed.memories == (part.name,)
    place = range(part.fetched_from, part.fetched_from + part.size)
    moved = {name: image.symbol(name).address for name in placed.functions}
    assert {f"{report.model.name}_invoke", "arm_convolve_wrapper_s8"} <= set(moved)
    own = [name for name in moved if name.startswith((report.model.name, "arm_", "tinyflow_"))]
    assert all(moved[name] in place and moved[name] in image.ram_code for name in own)
    assert image.symbol("Reset_Handler").address not in place


def test_ram_and_flash_count_the_code(build: Path, model: Path, tmp_path: Path) -> None:
    report, board, image = opened(build)
    plain = tinyflow.build(
        model,
        board=board,
        output=tmp_path / "build",
        placement="flash",
        vectors=1,
        kernels="cmsis-nn",
    )
    ram, before = report.memory.ram, plain.memory.ram
    assert ram.code == len(image.ram_code) > 4096
    assert before.code == 0
    assert ram.total == ram.code + ram.data + ram.bss + ram.arena + ram.state + ram.stack
    assert ram.total - ram.code == pytest.approx(before.total, abs=64)
    outside = board.id == "stm32f746"  # whose ITCM RAM is no part of the other RAM
    assert ram.available - before.available == (16384 if outside else 0)
    assert plain.latency.split.fetch > 10 * report.latency.split.fetch
    saved = plain.latency.split.fetch - report.latency.split.fetch
    (placed,) = (item for item in report.placement if item.functions)
    assert placed.gain_cycles == pytest.approx(saved, rel=0.3)


def test_what_lies_where_is_told(build: Path) -> None:
    report, _, _ = opened(build)
    first = {"stm32f746": "DTCM", "stm32l4r5": "SRAM1"}[report.board.id]
    memories = {item.what: item.memories for item in report.placement}
    assert memories["arena"] == memories["stack"] == (first,)
    assert memories["weights"] == memories["code"] == ("FLASH",)


def test_a_budget_of_ram_is_kept(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tinyflow.plan.code_in_ram.LEAST_GAIN", {"balanced": -1.0})
    monkeypatch.setattr("tinyflow.plan.code_in_ram.LEAST_WAIT", 0.0)
    free = tinyflow.build(model, board="stm32l4r5", output=tmp_path / "build", vectors=1)
    limit = (free.memory.ram.total - free.memory.ram.code) / 1024 + 3
    report = tinyflow.build(
        model,
        board="stm32l4r5",
        output=tmp_path / "build",
        vectors=1,
        ram_kib=limit,
    )
    assert 0 < report.memory.ram.code < free.memory.ram.code
    assert all(item.kept for item in report.budget)


def test_a_second_build_does_not_ask_again(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYFLOW_CACHE", str(tmp_path / "cache"))
    first = tinyflow.build(model, board=BOARDS[0], output=tmp_path / "build", vectors=1)
    script = tmp_path / "build" / "platform" / "memory.ld"
    stamp = script.stat().st_mtime_ns
    monkeypatch.setattr("tinyflow.placement.choose.trace_inference", None)
    again = tinyflow.build(model, board=BOARDS[0], output=tmp_path / "build", vectors=1)
    assert again == first
    assert script.stat().st_mtime_ns == stamp
    assert any(Cache().root.iterdir())


def test_the_tools_know_code_in_ram(build: Path, tinyflow: CommandLine) -> None:
    found = tinyflow("profile", str(build), "--json").json
    assert found["latency"]["cycles"] > 0
    names = {function["name"] for function in found["functions"]}
    assert "arm_convolve_wrapper_s8" in names
    assert tinyflow("bisect", str(build), "--inputs", build / "vectors/input_0.npy").code == 0


def test_the_ram_is_one_memory_at_both_addresses(build: Path) -> None:
    _, board, image = opened(build)
    part = board.code_ram
    assert part is not None
    with Simulator(image, board) as simulator:
        simulator.read(0, 1.0)
        simulator.write_memory(part.fetched_from + part.size - 16, bytes(range(16)))
        assert simulator.read_memory(part.origin + part.size - 16, 16) == bytes(range(16))


def test_without_code_in_ram_its_address_faults(model: Path, tmp_path: Path) -> None:
    for name in BOARDS:
        report = tinyflow.build(
            model, board=name, output=tmp_path / name, placement="flash", vectors=1
        )
        board = load_board(name)
        assert board.code_ram is not None
        image = read_image(tmp_path / name / report.artifacts["elf"])
        assert not image.ram_code
        with Simulator(image, board) as simulator, pytest.raises(Exception, match="UNMAPPED"):
            simulator.read_memory(board.code_ram.fetched_from, 4)


def test_an_image_for_a_board_without_such_ram_is_refused(build: Path) -> None:
    _, board, image = opened(build)
    other = board.model_copy(update={"ram_parts": ()})
    with pytest.raises(InputError, match="is not in a RAM for code"):
        Simulator(image, other)


def test_data_that_needs_the_ram_keeps_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the L4R5 the RAM for code is a part of the RAM for data."""
    monkeypatch.setenv("TINYFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tinyflow.plan.code_in_ram.LEAST_GAIN", {"balanced": -1.0})
    monkeypatch.setattr("tinyflow.plan.code_in_ram.LEAST_WAIT", 0.0)
    board = load_board("stm32l4r5")
    parts = [
        part.model_copy(update={"origin": 0x20001000, "size": 4096})
        if part.name == "SRAM2"
        else part
        for part in board.ram_parts
        if part.name != "SRAM1"
    ]
    tight = board.model_copy(update={"ram_parts": tuple(parts)})
    report = tinyflow.build(model, board=tight, output=tmp_path / "build", vectors=1)
    assert report.memory.ram.code == 0
    assert report.exact.mismatches == 0
