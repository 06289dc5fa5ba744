# SPDX-License-Identifier: Apache-2.0
"""Calibration by a board at a serial port, played by the simulator, and the reports after it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tinyflow as package
from tests.support.command_line import CommandLine
from tests.support.serial_stand_in import board_at_port
from tests.support.small_model import small_model
from tinyflow.boards import Board, load_board
from tinyflow.emulate.protocol import DeviceInfo, DeviceStats, HarnessClient
from tinyflow.errors import DeviceError, InputError
from tinyflow.report.report_data import Report
from tinyflow.tools.board_cycles import measure_on_board
from tinyflow.tools.build_folder import Built, read_build
from tinyflow.tools.run import first_sample

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
BOARD = load_board("stm32l4r5")
FACTOR = 1.25

Port = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built]:
    folder = tmp_path_factory.mktemp("builds")
    for name, seed in (("small", 0), ("other", 1)):
        (folder / f"{name}.tflite").write_bytes(small_model(seed=seed))
        package.build(folder / f"{name}.tflite", board=BOARD.id, output=folder / name, vectors=2)
    return read_build(folder / "small"), read_build(folder / "other")


@pytest.fixture
def build(builds: tuple[Built, Built]) -> Built:
    return builds[0]


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYFLOW_CONFIG", str(tmp_path))
    return tmp_path / "calibration.json"


@pytest.fixture
def port(build: Built) -> Port:
    def at(factor: float, built: Built = build, *, counts: bool = True) -> Any:
        latency = build.report.latency
        return board_at_port(
            built.elf,
            BOARD,
            cycles_per_instruction=factor * latency.cycles / latency.instructions,
            entry=f"{built.report.model.name}_invoke" if counts else None,
        )

    return at


@pytest.fixture
def refused(build: Built, own_file: Path, tinyflow: CommandLine) -> Iterator[Callable[..., None]]:
    def check(name: str, *says: str, code: int = DeviceError.exit_code) -> None:
        target = f"serial:{name}"
        tinyflow.refused(code, "calibrate", build.folder, "--target", target, says=says)

    yield check
    assert not own_file.exists()


def test_later_reports_and_profiles_follow_the_board(
    build: Built, port: Port, own_file: Path, tinyflow: CommandLine, tmp_path: Path
) -> None:
    before = build.report.latency
    with port(FACTOR) as name:
        target = f"serial:{name}"
        outcome = tinyflow("calibrate", build.folder, "--target", target, "--runs", "3", "--json")
    found = outcome.json
    assert found["measurement"]["modelled"] == before.cycles
    assert found["measurement"]["measured"] == pytest.approx(FACTOR * before.cycles, rel=0.02)
    factor = found["calibration"]["factor"]
    assert factor == pytest.approx(FACTOR, rel=0.02)
    assert json.loads(own_file.read_text())["measurements"] == [found["measurement"]]

    model = build.folder.parent / "small.tflite"
    folder = tmp_path / "again"
    shown = tinyflow("build", model, "--board", BOARD.id, "--output", folder, "--vectors", "2")
    assert shown.code == 0
    output = " ".join(shown.out.split())
    assert f"calibrated: x{factor:.3g} from 1 measurement on a board of yours" in output
    report = Report.read(folder / "report.json")
    latency = report.latency
    assert latency.calibration is not None
    assert latency.calibration.factor == factor
    assert latency.calibration.measurements == 1
    assert latency.instructions == before.instructions
    assert latency.cycles == pytest.approx(factor * before.cycles, rel=1e-3)
    assert latency.error_percent == found["calibration"]["error_percent"] < before.error_percent
    assert sum(each.cycles for each in report.layers) + latency.overhead.cycles == latency.cycles

    # a build of before is left alone, its profile is of now
    assert Report.read(build.folder / "report.json").latency == before
    profile = tinyflow("profile", build.folder, "--html", tmp_path / "p.html", "--json").json
    assert profile["latency"]["cycles"] == latency.cycles
    assert sum(each["self_cycles"] for each in profile["functions"]) == latency.cycles
    assert "calibrated: x" in (tmp_path / "p.html").read_text(encoding="utf-8")

    assert tinyflow("calibrate", "--forget", BOARD.id).code == 0
    package.build(model, board=BOARD.id, output=folder, vectors=2)
    assert Report.read(folder / "report.json").latency == before


def test_a_counter_that_stands_still_is_refused(port: Port, refused: Callable[..., None]) -> None:
    with port(1.0, counts=False) as name:
        refused(name, "the cycle counter reads 0")


@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_an_absurd_factor_is_refused(
    port: Port, refused: Callable[..., None], factor: float
) -> None:
    with port(factor) as name:
        refused(name, "too far off", f"x{factor:.2g}"[:4])


def test_a_board_with_another_model_is_refused(
    port: Port, builds: tuple[Built, Built], refused: Callable[..., None]
) -> None:
    with port(1.0, builds[1]) as name:
        refused(name, "the device runs the model 'other'", "tinyflow flash")


@pytest.mark.parametrize("target", ["simulator", "renode", "nothing"])
def test_what_is_no_board_is_refused(build: Built, tinyflow: CommandLine, target: str) -> None:
    tinyflow.refused(
        3, "calibrate", build.folder, "--target", target, says=("is not a board", "serial:PORT")
    )


def test_no_target_and_no_port(build: Built, tinyflow: CommandLine) -> None:
    tinyflow.refused(3, "calibrate", build.folder, says=("no board named",))
    missing = "serial:/dev/tinyflow-none"
    tinyflow.refused(3, "calibrate", build.folder, "--target", missing, says=("cannot open",))


def measure(build: Built, name: str, board: Board = BOARD) -> None:
    sample, _ = first_sample(build, None)
    measure_on_board(build, board, sample, target=f"serial:{name}", runs=3)


def test_another_clock_is_refused(
    build: Built, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = HarnessClient.info

    def slower(client: HarnessClient) -> DeviceInfo:
        found = genuine(client)
        serial = client._target.name.startswith("serial:")
        return replace(found, clock_hz=found.clock_hz // 2) if serial else found

    monkeypatch.setattr(HarnessClient, "info", slower)
    with port(1.0) as name, pytest.raises(DeviceError, match=r"runs at 60 MHz, .* says 120 MHz"):
        measure(build, name)


def test_a_core_without_a_counter_is_refused(build: Built) -> None:
    board = BOARD.model_copy(update={"core": "cortex-m0plus"})
    with pytest.raises(InputError, match="Cortex-M0\\+ has no cycle counter"):
        measure(build, "/dev/tinyflow-none", board)


def test_runs_that_differ_are_refused(
    build: Built, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = HarnessClient.stats

    def disturbed(client: HarnessClient) -> DeviceStats:
        found = genuine(client)
        more = 40_000 if found.inferences == 2 else 0
        return replace(found, last_cycles=found.last_cycles + more)

    monkeypatch.setattr(HarnessClient, "stats", disturbed)
    with port(1.0) as name, pytest.raises(DeviceError, match="the same inference took"):
        measure(build, name)


def test_other_outputs_than_the_images_are_refused(
    build: Built, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = HarnessClient.read_output

    def disturbed(client: HarnessClient, index: int) -> Any:
        found = genuine(client, index)
        return found if client._target.name == "simulator" else found ^ 1

    monkeypatch.setattr(HarnessClient, "read_output", disturbed)
    with port(1.0) as name, pytest.raises(DeviceError, match="does not run this build's image"):
        measure(build, name)
