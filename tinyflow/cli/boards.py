# SPDX-License-Identifier: Apache-2.0
"""`tinyflow boards`."""

from __future__ import annotations

from tinyflow.boards import board_ids, load_board
from tinyflow.cli.console import out, print_json
from tinyflow.cli.shared_options import Json
from tinyflow.report.fitted_table import Column, FittedTable


def command(as_json: Json = False) -> None:
    """List the boards with core, clock, RAM and flash."""
    boards = [load_board(name) for name in board_ids()]
    if as_json:
        print_json(
            [
                {
                    "id": board.id,
                    "name": board.name,
                    "vendor": board.vendor,
                    "mcu": board.mcu,
                    "core": board.core,
                    "clock_hz": board.clock_hz,
                    "ram": board.ram.size,
                    "flash": board.flash.size,
                    "url": board.url,
                }
                for board in boards
            ]
        )
        return
    table = FittedTable(
        [
            *(Column(title) for title in ("board", "name", "core")),
            *(Column(title, "number") for title in ("clock", "RAM", "flash")),
        ]
    )
    for board in boards:
        table.add_row(
            board.id,
            board.name,
            board.core,
            f"{board.clock_hz / 1e6:g} MHz",
            f"{board.ram.size // 1024} KiB",
            f"{board.flash.size // 1024} KiB",
        )
    out.print(table)


command.__name__ = "boards"
