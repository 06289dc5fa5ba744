# SPDX-License-Identifier: Apache-2.0
"""Runs firmware: in the embedded simulator, in Renode, or on a board at a serial port."""

from __future__ import annotations

from pathlib import Path

from tinyflow.boards import Board
from tinyflow.emulate.target import Target
from tinyflow.errors import InputError
from tinyflow.toolchain.elf import Image

__all__ = ["Target", "open_target"]

_SERIAL = "serial:"


def open_target(
    spec: str, elf: Path | Image, board: Board, *, cycles_per_instruction: float = 1.0
) -> Target:
    """Open what a user names: `simulator`, `renode` or `serial:PORT`.

    Args:
        spec: The target's name.
        elf: The firmware; a serial board must have been programmed with it.
        board: The board it was built for.
        cycles_per_instruction: What the counter of an emulated core runs by.

    Raises:
        InputError: there is no such target, port or image.
        RenodeMissingError: Renode is not installed.
    """
    if spec == "simulator":
        from tinyflow.emulate.simulator import Simulator

        return Simulator(elf, board, cycles_per_instruction=cycles_per_instruction)
    if spec == "renode":
        from tinyflow.emulate.renode import Renode

        renode: Target = Renode(elf, board, cycles_per_instruction=cycles_per_instruction)
        return renode
    if spec.startswith(_SERIAL) and len(spec) > len(_SERIAL):
        from tinyflow.emulate.serial_board import SerialBoard

        return SerialBoard(spec.removeprefix(_SERIAL), board.uart.baud)
    raise InputError(
        f"unknown target {spec!r}", hint="Targets are simulator, renode and serial:PORT."
    )
