# SPDX-License-Identifier: Apache-2.0
"""A board at a serial port, played by the simulator behind a pseudo terminal."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from tinyflow.boards import Board
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import DeviceError

pty = pytest.importorskip("pty")


@contextmanager
def board_at_port(
    elf: Path, board: Board, *, cycles_per_instruction: float, entry: str | None
) -> Iterator[str]:
    """The name of a port with firmware behind it.

    Args:
        elf: the image.
        board: its board.
        cycles_per_instruction: what the cycle counter runs by.
        entry: the function while which it runs; None if it stops.
    """
    far, near = pty.openpty()
    ended = threading.Event()

    def play() -> None:
        with Simulator(elf, board, cycles_per_instruction=cycles_per_instruction) as device:
            counting: AbstractContextManager[object]
            counting = nullcontext() if entry is None else device.measure(entry)
            with counting, contextlib.suppress(OSError, DeviceError):
                while not ended.is_set():
                    if not select.select([far], [], [], 0.1)[0]:
                        continue
                    device.write(os.read(far, 4096))
                    while sent := device.read(4096, 0.0):
                        os.write(far, sent)

    player = threading.Thread(target=play)
    player.start()
    try:
        yield os.ttyname(near)
    finally:
        ended.set()
        player.join(30.0)
        for end in (far, near):
            os.close(end)
