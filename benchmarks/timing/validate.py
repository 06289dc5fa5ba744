# SPDX-License-Identifier: Apache-2.0
"""Compares modelled cycles with measured ones, for code that PyPI carries, and with the manuals.

    python benchmarks/timing/validate.py

Needs `bakenn` (the extra `cmsis-nn`) and the cross-compiler. The measurements whose code is not on
PyPI are listed in docs/latency.md.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import Json, finish, out, verdict

from benchmarks.timing.bakenn_workloads import BOARD, WORKLOADS
from benchmarks.timing.micro import LOOPS, Loop
from tinyflow.boards import load_board

#: Largest error of a measured network, percent.
BAR = 5.0


@dataclass(frozen=True)
class Network:
    """A measured network as the model has it."""

    name: str
    published_in: str
    instructions: int
    published: int
    modelled: int

    @property
    def error_percent(self) -> float:
        return 100 * (self.modelled / self.published - 1)

    @property
    def kept(self) -> bool:
        return abs(self.error_percent) <= BAR


def networks() -> list[Network]:
    """The measured networks, built and run through the model."""
    board = load_board(BOARD)
    found = []
    for workload in WORKLOADS:
        timing = workload.measure(board).timing
        found.append(
            Network(
                workload.name,
                workload.published_in,
                timing.instructions,
                workload.published_cycles,
                timing.cycles,
            )
        )
    return found


def main(
    as_json: Json = False,
    loops: Annotated[bool, typer.Option(help="The loops as well.")] = True,
) -> None:
    """Print measured and modelled cycles of networks, and expected and modelled ones of loops.

    Exits with 1 when a network is off by more than 5 %, or a loop executes other instructions or
    takes other cycles than the manual says.
    """
    measured = networks()
    turns = [(loop, *loop.measure()) for loop in LOOPS] if loops else []
    if not as_json:
        out.print(_network_table(measured))
    kept = [network.kept for network in measured]
    kept += [loop.keeps(instructions, cycles) for loop, instructions, cycles in turns]
    figures: dict[str, Any] = {
        "networks": [
            {**vars(network), "board": BOARD, "error_percent": network.error_percent}
            for network in measured
        ],
        "loops": [
            {
                "name": loop.name,
                "board": loop.board,
                "core": loop.core or load_board(loop.board).core,
                "instructions": instructions,
                "cycles": cycles,
                "expected_instructions": loop.instructions,
                "expected_cycles": loop.cycles,
                "source": loop.source,
            }
            for loop, instructions, cycles in turns
        ],
    }
    table = _loop_table(turns)
    finish(table, [], figures, as_json=as_json, passed=all(kept))


def _loop_table(turns: list[tuple[Loop, float, float]]) -> Table:
    table = Table(title="One turn of a loop: cycles", box=None)
    for column in ("loop", "core", "source", "expected", "modelled", ""):
        table.add_column(column, no_wrap=column != "loop")
    for loop, instructions, cycles in turns:
        low, high = loop.cycles
        table.add_row(
            loop.name,
            loop.core or load_board(loop.board).core,
            loop.source,
            f"{low:g}" if low == high else f"{low:g} to {high:g}",
            f"{cycles:g}",
            verdict(loop.keeps(instructions, cycles)),
        )
    return table


def _network_table(measured: list[Network]) -> Table:
    table = Table(title=f"Networks timed on the {BOARD}: cycles of one inference", box=None)
    table.add_column("network", no_wrap=True)
    for column in ("instructions", "measured", "modelled", "error", f"bar {BAR:g} %"):
        table.add_column(column, justify="right", no_wrap=True)
    for network in measured:
        table.add_row(
            network.name,
            f"{network.instructions:,}",
            f"{network.published:,}",
            f"{network.modelled:,}",
            f"{network.error_percent:+.1f} %",
            verdict(network.kept),
        )
    return table


if __name__ == "__main__":
    typer.run(main)
