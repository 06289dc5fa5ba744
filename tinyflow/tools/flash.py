# SPDX-License-Identifier: Apache-2.0
"""Programs a board with a build's image, from a project that tinyflow writes for it.

The build's own folder may be somebody else's: its `platformio.ini` and its platform are programs
that PlatformIO would run. Only the image is taken from it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from tinyflow.boards import Board
from tinyflow.codegen.platformio_project import upload_files
from tinyflow.errors import InputError
from tinyflow.storage.files import write_file
from tinyflow.storage.folders import write_folder
from tinyflow.toolchain.elf import read_image
from tinyflow.toolchain.platformio import elf_path, upload
from tinyflow.tools.build_folder import Built


def program(built: Built, board: Board, on_line: Callable[[str], None] = lambda line: None) -> None:
    """Program the board with the image.

    Args:
        built: the build.
        board: the board it was built for, as tinyflow knows it.
        on_line: called with each line that PlatformIO prints.

    Raises:
        InputError: the image is not one, or would write outside the board's flash.
        ToolMissingError: PlatformIO, the compiler or the programmer is missing.
        DeviceError: the board or its probe was not found, or did not verify.
    """
    with tempfile.TemporaryDirectory(prefix="tinyflow-flash-") as name:
        folder = Path(name).resolve()
        write_folder(folder, upload_files(board))
        image = elf_path(folder)
        image.parent.mkdir(parents=True)
        write_file(image, built.elf.read_bytes())
        _check_image(image, board, built.elf)
        upload(folder, built=True, on_line=on_line)


def _check_image(image: Path, board: Board, source: Path) -> None:
    flash = board.flash
    for segment in read_image(image).segments:
        end = segment.address + len(segment.data)
        if not flash.origin <= segment.address <= end <= flash.origin + flash.size:
            raise InputError(
                f"{source}: writes to 0x{segment.address:08X}, outside the flash of {board.id}",
                hint="Build it again.",
            )
