# SPDX-License-Identifier: Apache-2.0
"""A serial port, played by a pseudo terminal: there, silent, gone, and with firmware behind it."""

from __future__ import annotations

import contextlib
import os
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.bare_firmware import build_firmware, function, needs_gcc
from tinyflow.boards import load_board
from tinyflow.emulate import open_target
from tinyflow.emulate.serial_board import SerialBoard
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import DeviceError, InputError

pty = pytest.importorskip("pty")
BOARD = load_board("nrf52840")


@dataclass
class Line:
    """A pseudo terminal: `far` is the board's end, `port` names the host's."""

    far: int
    near: int
    port: str

    def hang_up(self) -> None:
        for end in (self.far, self.near):
            with contextlib.suppress(OSError):
                os.close(end)


@pytest.fixture
def line() -> Iterator[Line]:
    far, near = pty.openpty()
    found = Line(far, near, os.ttyname(near))
    yield found
    found.hang_up()


def test_bytes_cross_the_line(line: Line) -> None:
    with SerialBoard(line.port, 115200) as board:
        assert board.name == f"serial:{line.port}"
        board.write(b"to the board \x00\x03\x11\x13\xff\n")
        assert os.read(line.far, 100) == b"to the board \x00\x03\x11\x13\xff\n"
        os.write(line.far, b"abc\r\n\x00")
        assert board.read(2, 1.0) == b"ab"
        assert board.read(4, 1.0) == b"c\r\n\x00"


def test_a_silent_board_costs_the_time_out_and_no_more(line: Line) -> None:
    with SerialBoard(line.port, 115200) as board:
        os.write(line.far, b"x")
        start = time.monotonic()
        assert board.read(5, 0.2) == b"x"
        assert 0.1 < time.monotonic() - start < 2.0


def test_what_came_before_opening_is_not_read(line: Line) -> None:
    os.write(line.far, b"old")
    with SerialBoard(line.port, 115200) as board:
        assert board.read(3, 0.05) == b""


@pytest.mark.parametrize("action", ["read", "write"])
def test_a_port_that_vanishes_is_named(line: Line, action: str) -> None:
    with SerialBoard(line.port, 115200) as board:
        line.hang_up()
        with pytest.raises(DeviceError) as caught:
            if action == "read":
                board.read(1, 1.0)
            else:
                board.write(b"x")
                board.read(1, 1.0)
    assert f"the serial port {line.port} vanished" in caught.value.message
    assert "cable" in str(caught.value.hint)


def test_a_port_that_vanishes_during_a_read_is_named(line: Line) -> None:
    with SerialBoard(line.port, 115200) as board:
        timer = threading.Timer(0.1, line.hang_up)
        timer.start()
        with pytest.raises(DeviceError, match="vanished"):
            board.read(1, 5.0)
        timer.join()


def test_a_port_that_vanishes_while_bytes_leave_is_named(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drain(fd: int) -> None:
        raise termios.error(5, "Input/output error")

    with SerialBoard(line.port, 115200) as board:
        monkeypatch.setattr(termios, "tcdrain", drain)
        with pytest.raises(DeviceError, match="vanished"):
            board.write(b"x")


def test_a_missing_port_is_an_input_error_that_lists_ports() -> None:
    with pytest.raises(
        InputError, match="cannot open the serial port /dev/tinyflow-none"
    ) as caught:
        SerialBoard("/dev/tinyflow-none", 115200)
    assert "serial port" in str(caught.value.hint).lower()


@pytest.mark.parametrize("spec", ["qemu", "serial:", "serial", "", "Simulator"])
def test_an_unknown_target_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match="unknown target") as caught:
        open_target(spec, Path("firmware.elf"), BOARD)
    assert "simulator, renode and serial:PORT" in str(caught.value.hint)


@needs_gcc
def test_firmware_answers_through_the_port(line: Line, tmp_path: Path) -> None:
    image = build_firmware(tmp_path, function("run", "adds r0, #1\n bx lr"))

    def play_the_board() -> None:
        with Simulator(image, BOARD) as device, contextlib.suppress(OSError):
            while data := os.read(line.far, 100):
                device.write(data)
                os.write(line.far, device.read(100, 0.0))

    player = threading.Thread(target=play_the_board)
    with open_target(f"serial:{line.port}", image, BOARD) as board:
        player.start()
        for value in range(20):
            board.write(bytes([value]))
            assert board.read(1, 5.0) == bytes([value + 1])
    line.hang_up()
    player.join(5.0)
    assert not player.is_alive()
