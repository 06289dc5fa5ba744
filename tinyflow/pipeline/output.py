"""The output folder: replaced as a whole, so that a failed build leaves what was there before."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyflow.errors import (
    BudgetError,
    DeviceError,
    ExactnessError,
    InputError,
)

#: Marks a folder as made by tinyflow, which it therefore may replace.
MARKER = ".tinyflow-build"

#: What SCons, the shell it runs commands in, or gcc would take for more than a letter of a path.
_NOT_IN_PATHS = re.compile(r"""[$"'`\\,;&<>|()\x00-\x1f\x7f]""")

#: After these the project is whole, and worth looking at.
_KEPT_AFTER = (BudgetError, DeviceError, ExactnessError)


def check_output(folder: Path) -> None:
    """Check that a build may write there.

    Raises:
        InputError: it exists, is not empty, and was not made by tinyflow, or PlatformIO cannot
            build there.
    """
    if not folder.name:
        raise InputError(f"{folder}: cannot be an output folder", hint="Choose another --output.")
    unfit = _NOT_IN_PATHS.search(str(folder))
    if unfit is not None:
        raise InputError(
            f"{folder}: PlatformIO cannot build in a folder whose path holds {unfit[0]!r}",
            hint="Choose another --output.",
        )
    _restore(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file, not a folder", hint="Choose another --output.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise InputError(
            f"{folder}: holds files that tinyflow did not make, and would be replaced",
            hint="Choose another --output, or an empty folder.",
        )


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give the folder to be rewritten; put the former one back where that fails.

    What was in the folder before is in it at the start, so that PlatformIO rebuilds only what
    changed. A build that was killed half-way is undone by the next.
    """
    check_output(folder)
    aside = _aside(folder)
    existed = folder.is_dir()
    new_parents = [parent for parent in folder.parents if not parent.exists()]
    try:
        if existed:
            shutil.copytree(folder, aside.with_suffix(".copying"), symlinks=True)
            aside.with_suffix(".copying").rename(aside)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written: {error.strerror or error}",
            hint="Choose another --output.",
        ) from error
    try:
        (folder / MARKER).touch()
        yield folder
    except _KEPT_AFTER:
        _drop(aside)
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if existed:
            aside.rename(folder)
        with contextlib.suppress(OSError):
            for parent in new_parents:
                parent.rmdir()
        raise
    _drop(aside)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.previous")


def _drop(aside: Path) -> None:
    """Forget the former build in one step: half of it must never be taken for a whole one."""
    if aside.is_dir():
        aside.rename(aside.with_suffix(".copying"))
        shutil.rmtree(aside.with_suffix(".copying"), ignore_errors=True)


def _restore(folder: Path) -> None:
    """Undo a build that was killed."""
    aside = _aside(folder)
    shutil.rmtree(aside.with_suffix(".copying"), ignore_errors=True)
    if aside.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
