# SPDX-License-Identifier: Apache-2.0
"""Compiler that a build would use, and compilers' messages for a full disk."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from tinyflow.errors import InputError

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
