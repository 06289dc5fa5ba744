# SPDX-License-Identifier: Apache-2.0
"""Firmware in the real Renode: the harness's firmware on every board, and whole suites."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tinyflow
from tests.support.dense_model import dense_model
from tests.support.fake_model import PLUS_ONE, write_fake_model
from tests.support.small_model import small_model
from tests.support.stateful_model import stateful_model
from tinyflow.boards import board_ids, load_board
from tinyflow.emulate import open_target, renode
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.renode import Renode, find_renode, find_renode_test
from tinyflow.emulate.robot_suite import run_hil_tests
from tinyflow.errors import DeviceError, HilTestError, RenodeMissingError
from tinyflow.report.renode_suite import write_renode
from tinyflow.report.report_data import Report
from tinyflow.sandbox.loopback import can_enter_loopback
from tinyflow.toolchain.platformio import build_project


def _missing() -> str | None:
    try:
        find_renode()
        find_renode_test()
    except RenodeMissingError as error:
        return error.message
    return None if shutil.which("arm-none-eabi-gcc") else "arm-none-eabi-gcc is not on PATH"


pytestmark = [
    pytest.mark.renode,
    pytest.mark.skipif(_missing() is not None, reason=_missing() or ""),
]


@pytest.fixture(scope="module", autouse=True)
def core_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """PlatformIO's own folder, shared by the tests and apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path_factory.mktemp("platformio")))
        yield


@pytest.mark.parametrize("board_id", board_ids())
def test_the_harness_answers_on_every_board(board_id: str, tmp_path: Path) -> None:
    board = load_board(board_id)
    write_fake_model(tmp_path, board)
    elf = build_project(tmp_path)
    with open_target("renode", elf, board) as target:
        client = HarnessClient(target)
        info = client.info()
        assert (info.model, info.board, info.clock_hz) == ("plus_one", board.id, board.clock_hz)
        for start in (-100, 0, 100):
            values = np.arange(start, start + 16, dtype=np.int8).reshape(PLUS_ONE.inputs[0].shape)
            (output,) = client.run(values)
            assert output.ravel().tolist() == (values.ravel() + 1).tolist()
        target.write(b"TF garbage, and a wrong CRC" * 20)
        client.reset()
        stats = client.stats()
        assert stats.inferences == 3
        assert 0 < stats.stack_peak < stats.stack_size == board.stack_size
        # CYCCNT counts; it moves in steps of 1 us of virtual time.
        assert stats.last_cycles <= 50 + 2e-6 * board.clock_hz
        assert isinstance(target, Renode)
        process = target._process
        assert _listening(process.pid) == []
    assert process.poll() is not None
    target.close()
    with pytest.raises(DeviceError, match="closed"):
        target.write(b"x")


def _processes() -> Iterator[Path]:
    return (path for path in Path("/proc").iterdir() if path.name.isdecimal())


def _networks(argument: str) -> set[str]:
    """The network namespaces of the processes that have this argument."""
    found = set()
    for process in _processes():
        with contextlib.suppress(OSError):
            if argument.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.add(str((process / "ns/net").readlink()))
    return found


def _inode(descriptor: Path) -> str | None:
    """A socket's number, as the kernel's tables have it."""
    with contextlib.suppress(OSError):
        link = str(descriptor.readlink())
        return link[8:-1] if link.startswith("socket:[") else None
    return None


def _listening(group: int) -> list[str]:
    """The TCP sockets on which the processes of a group listen, as the kernel lists them."""
    inodes = set()
    for process in _processes():
        with contextlib.suppress(OSError):
            if os.getpgid(int(process.name)) == group:
                inodes |= {_inode(descriptor) for descriptor in (process / "fd").iterdir()}
    rows = [
        line
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    return [row for row in rows if row.split()[3] == "0A" and row.split()[9] in inodes]


@pytest.mark.parametrize("board_id", ["stm32f746", "stm32l4r5"])
def test_code_that_runs_from_ram(
    board_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYFLOW_CACHE", str(tmp_path / "cache"))  # the choice is not to be kept
    monkeypatch.setattr("tinyflow.plan.code_in_ram.LEAST_GAIN", {"balanced": -1.0})
    monkeypatch.setattr("tinyflow.plan.code_in_ram.LEAST_WAIT", 0.0)
    (tmp_path / "small.tflite").write_bytes(small_model())
    report = tinyflow.build(
        tmp_path / "small.tflite", board=board_id, output=tmp_path / "build", vectors=3
    )
    assert report.memory.ram.code > 4096
    _gives_the_expected_outputs(tmp_path / "build", report)


@pytest.mark.parametrize("board_id", ["stm32f746", "stm32l4r5"])
def test_weights_that_lie_in_ram(board_id: str, tmp_path: Path) -> None:
    (tmp_path / "dense.tflite").write_bytes(dense_model())
    report = tinyflow.build(
        tmp_path / "dense.tflite",
        board=board_id,
        output=tmp_path / "build",
        placement="ram",
        vectors=3,
    )
    assert report.memory.ram.weights > 16384
    _gives_the_expected_outputs(tmp_path / "build", report)


def _gives_the_expected_outputs(build: Path, report: Report) -> None:
    inputs = np.load(build / "vectors/input_0.npy")
    outputs = np.load(build / "vectors/output_0.npy")
    with open_target(
        "renode", build / report.artifacts["elf"], load_board(report.board.id)
    ) as target:
        client = HarnessClient(target)
        for values, expected in zip(inputs, outputs, strict=True):
            (found,) = client.run(values[None])
            assert found.tobytes() == expected.tobytes()


def test_firmware_that_is_silent_or_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image for another board writes to a UART that is not there."""
    monkeypatch.setattr(renode, "FIRMWARE_TIMEOUT_S", 1.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    write_fake_model(tmp_path / "f4", load_board("stm32f407"))
    elf = build_project(tmp_path / "f4")
    with pytest.raises(DeviceError, match="the firmware does not answer") as caught:
        Renode(elf, load_board("stm32l4r5"))
    assert "Renode's last output" in (caught.value.hint or "")
    with Renode(elf, load_board("stm32f407")) as target:
        os.killpg(target._process.pid, 9)
        with pytest.raises(DeviceError, match="renode: "):
            HarnessClient(target).info()
    assert [path.name for path in tmp_path.iterdir()] == ["f4"]


@pytest.mark.parametrize("board_id", ["stm32f746", "nrf52840"])
def test_the_suite_of_a_build_passes(board_id: str, tmp_path: Path) -> None:
    model = tmp_path / "small.tflite"
    model.write_bytes(small_model())
    folder = tmp_path / "a build"
    report = tinyflow.build(model, board=board_id, output=folder)
    write_renode(folder, load_board(board_id), report)
    lines: list[str] = []
    networks: set[str] = set()

    def on_line(line: str) -> None:
        lines.append(line)
        networks.update(_networks("--robot-server-port"))

    result = run_hil_tests(folder, on_line=on_line)
    assert [test.name for test in result.tests if test.status != "PASS"] == []
    assert len(result.tests) == 5
    what = f"{report.model.name} on {board_id}, {len(report.layers)} layers"
    assert any(line.startswith(what) for line in lines)
    # Robot Framework's server listens on every address: of a network that only it is in.
    assert networks
    if can_enter_loopback():
        assert str(Path("/proc/self/ns/net").readlink()) not in networks
    if board_id == "stm32f746":
        _fails_when_the_build_is_another(folder, report.latency.instructions)


def test_the_suite_of_a_model_with_a_state_passes(tmp_path: Path) -> None:
    model = tmp_path / "stream.tflite"
    model.write_bytes(stateful_model())
    tinyflow.build(model, board="stm32f407", output=tmp_path / "build")
    result = run_hil_tests(tmp_path / "build")
    assert [test.status for test in result.tests] == ["PASS"] * 5


def _fails_when_the_build_is_another(folder: Path, instructions: int) -> None:
    """One byte of an expected output, and one instruction."""
    outputs = np.load(folder / "vectors" / "output_0.npy")
    outputs.reshape(-1).view(np.uint8)[-1] ^= 1
    np.save(folder / "vectors" / "output_0.npy", outputs)
    (suite,) = (folder / "renode").glob("*.robot")
    text = suite.read_text()
    suite.write_text(text.replace(f"    {instructions}\n", f"    {instructions + 1}\n"))
    with pytest.raises(HilTestError) as caught:
        run_hil_tests(folder)
    message = caught.value.message
    assert message.startswith("2 of 5 tests of ")
    assert "Gives The Expected Outputs: vector 19: output 0 differs in 1 of" in message
    assert f"Executes The Reported Instructions: {instructions} != {instructions + 1}" in message
