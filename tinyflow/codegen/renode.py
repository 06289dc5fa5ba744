"""What Renode needs beside a build: a script, a Robot suite, the board's description.

The script and the suite also work without tinyflow: `renode NAME.resc`, `renode-test NAME.robot`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinyflow.boards import Board
from tinyflow.codegen.render import render, write_folder
from tinyflow.resources import RENODE

if TYPE_CHECKING:
    from tinyflow.report.model import Report

#: Where the script puts the UART unless told otherwise.
DEFAULT_PORT = 3456
#: Test vectors the suite runs at most.
MAX_VECTORS = 20
#: Renode's steps of time, of up to 1 us, at both ends of a measurement.
_TIME_SLACK_S = 2e-6
#: Host seconds a test may take: long before that, the firmware hangs.
_TEST_TIMEOUT_S = 600
_SUPPORT = ("tinyflow_harness.py", "tinyflow_measure.py")


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
    port: int = DEFAULT_PORT,
) -> str:
    """The text of a `.resc`.

    Args:
        board: The board.
        name: The machine's name, a C identifier.
        elf: The firmware, relative to the script's folder.
        cycles_per_instruction: What virtual time and CYCCNT follow.
        port: The TCP port that carries the UART.
    """
    return render(
        "renode/model.resc.j2",
        board=board,
        name=name,
        elf=elf,
        port=port,
        cycles_per_instruction=cycles_per_instruction,
        mips=performance_in_mips(board, cycles_per_instruction),
    )


def platform_description(board: Board) -> bytes:
    """The board's `.repl`."""
    return (RENODE / board.renode.platform).read_bytes()


def write_renode(folder: Path, board: Board, report: Report) -> None:
    """Write `renode/` of a build: the script, the suite and what they use.

    The suite compares the firmware with the report: its model, the outputs for the vectors in
    `vectors/`, the instructions of one inference, and the time that it takes.

    Args:
        folder: The build's folder.
        board: Its board.
        report: Its report; `artifacts["elf"]` is relative to the folder.
    """
    name = report.model.name
    latency = report.latency
    files: dict[str, str | bytes] = {
        board.renode.platform: platform_description(board),
        f"{name}.resc": render_script(
            board,
            name=name,
            elf=f"../{report.artifacts['elf']}",
            cycles_per_instruction=latency.cycles / latency.instructions,
        ),
        f"{name}.robot": render(
            "renode/model.robot.j2",
            board=board,
            name=name,
            latency=latency,
            digest=report.model.sha256[:16],
            arena_bytes=report.memory.ram.arena,
            layer_count=len(report.layers),
            inputs=report.model.inputs,
            outputs=report.model.outputs,
            vector_count=min(report.exact.vectors, MAX_VECTORS),
            time_slack_cycles=round(_TIME_SLACK_S * board.clock_hz),
            test_timeout_s=_TEST_TIMEOUT_S,
        ),
        **{support: (RENODE / support).read_bytes() for support in _SUPPORT},
    }
    write_folder(folder / "renode", files)
