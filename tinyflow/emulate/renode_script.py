# SPDX-License-Identifier: Apache-2.0
"""Files that Renode needs to run an image: a script and the description of the board."""

from __future__ import annotations

from tinyflow.boards import Board
from tinyflow.render import render
from tinyflow.resources import RENODE


def performance_in_mips(board: Board, cycles_per_instruction: float) -> int:
    """Renode's speed of a core: it counts every instruction as the same time.

    The figure is a whole number, so that virtual time is off by up to half of one: 1.1 % at
    47 million instructions a second.
    """
    return max(1, round(board.clock_hz / cycles_per_instruction / 1e6))


def render_script(
    board: Board,
    *,
    name: str,
    elf: str,
    cycles_per_instruction: float,
) -> str:
    """The text of a `.resc`; it puts the UART on a pseudo terminal, `NAME.uart` next to it.

    A socket of Renode's would listen on every network that the machine is on.

    Args:
        board: The board.
        name: The machine's name, a C identifier.
        elf: The firmware, relative to the script's folder.
        cycles_per_instruction: What virtual time and CYCCNT follow.
    """
    return render(
        "renode/model.resc.j2",
        board=board,
        name=name,
        elf=elf,
        cycles_per_instruction=cycles_per_instruction,
        mips=performance_in_mips(board, cycles_per_instruction),
    )


def platform_description(board: Board) -> bytes:
    """The board's `.repl`."""
    return (RENODE / board.renode.platform).read_bytes()
