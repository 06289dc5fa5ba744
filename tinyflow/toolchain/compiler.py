# SPDX-License-Identifier: Apache-2.0
"""The cross-compiler: its identity, calls of it, and compilers' messages for a full disk."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tinyflow.boards import Board
from tinyflow.errors import BuildError, InputError, ToolMissingError
from tinyflow.progress import log_command

_log = logging.getLogger(__name__)

COMPILER = "arm-none-eabi-gcc"


def compiler_identity() -> str:
    """The compiler's identity: its path, size and date; no process is started."""
    found = shutil.which(COMPILER)
    if found is None:
        return "PlatformIO's package"
    status = Path(found).resolve().stat()
    return f"{found} {status.st_size} {status.st_mtime_ns}"


#: Messages of the system, gcc, as, ld and SCons.
_FULL = re.compile(
    r".*(No space left on device|Disk quota exceeded|File too large|File size limit exceeded).*"
)


def check_disk(output: str, folder: Path) -> None:
    """Check whether a program failed because it could not write.

    Args:
        output: what it printed.
        folder: where it worked.

    Raises:
        InputError: the disk is full, or a limit on the size of files was met.
    """
    said = _FULL.search(output)
    if said is not None:
        temporary = tempfile.gettempdir()
        elsewhere = temporary in said[0] and str(folder) not in said[0]
        raise InputError(
            f"{temporary if elsewhere else folder}: the disk is full: {said[1]}",
            hint="Free some space there and in the folder of temporary files, or raise the limit "
            "(quota, `ulimit -f`).",
        )


def compile_in(folder: Path, board: Board, arguments: Sequence[str], what: str) -> None:
    """Call the cross-compiler in a folder, for a board's core.

    Args:
        folder: where the sources lie.
        board: its core and FPU are compiled for.
        arguments: further options and files.
        what: the sources, for messages.

    Raises:
        ToolMissingError: the cross-compiler is not on PATH.
        BuildError: it refused the sources.
        InputError: the disk is full.
    """
    command = [
        COMPILER, "-mthumb", f"-mcpu={board.core}", f"-mfloat-abi={board.float_abi}",
        *([f"-mfpu={board.fpu}"] if board.fpu else []),
        "-std=c11", "-ffreestanding", *arguments,
    ]  # fmt: skip
    log_command(_log, command, folder)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ToolMissingError(f"{COMPILER} is not on PATH") from error
    if done.returncode:
        check_disk(done.stderr, folder)
        raise BuildError(f"the compiler refused {what}:\n{done.stderr.strip()}")
