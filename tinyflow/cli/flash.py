# SPDX-License-Identifier: Apache-2.0
"""`tinyflow flash`."""

from __future__ import annotations

from tinyflow.boards import load_board
from tinyflow.cli.console import ConsoleProgress, out, print_json
from tinyflow.cli.shared_options import BuildFolder, Json
from tinyflow.tools.build_folder import read_build


def command(build: BuildFolder, as_json: Json = False) -> None:
    """Program the board with a build's image, through PlatformIO.

    PlatformIO uses OpenOCD, or pyOCD where the board names it. Of the build's folder only the image
    is used: with settings of your own in its platformio.ini, run `pio run -t upload` there.

    Afterwards the firmware waits on the board's serial port:

    \b
      tinyflow run BUILD --inputs x.npy --target serial:/dev/ttyACM0
    """
    from tinyflow.tools.flash import program

    built = read_build(build)
    board = load_board(built.report.board.id)
    with ConsoleProgress() as progress:
        progress.stage(f"program {board.name}")
        program(built, board, progress.line)
    if as_json:
        print_json({"board": board.id, "flashed": True})
    else:
        out.print(f"{board.name} runs {built.report.model.name}")


command.__name__ = "flash"
