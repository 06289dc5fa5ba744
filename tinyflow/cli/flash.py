"""`tinyflow flash`."""

from __future__ import annotations

from tinyflow.cli.console import ConsoleProgress, out, print_json
from tinyflow.cli.options import BuildFolder, Json
from tinyflow.tools.build_folder import read_build


def command(build: BuildFolder, as_json: Json = False) -> None:
    """Program the board with a build, through PlatformIO.

    PlatformIO uses OpenOCD, or pyOCD where the board names it.

    Afterwards the firmware waits on the board's serial port:

    \b
      tinyflow run BUILD --inputs x.npy --target serial:/dev/ttyACM0
    """
    from tinyflow.toolchain.platformio import upload

    built = read_build(build)
    with ConsoleProgress() as progress:
        progress.stage(f"program {built.report.board.name}")
        upload(built.folder, on_line=progress.line)
    if as_json:
        print_json({"board": built.report.board.id, "flashed": True})
    else:
        out.print(f"{built.report.board.name} runs {built.report.model.name}")


command.__name__ = "flash"
