"""A finished build on disk, read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tinyflow.errors import InputError
from tinyflow.report.model import Report


@dataclass(frozen=True)
class Built:
    """A folder that `tinyflow build` made."""

    folder: Path
    report: Report

    @property
    def elf(self) -> Path:
        """The firmware image."""
        return self.folder / self.report.artifacts["elf"]


def read_build(folder: Path) -> Built:
    """Read a build.

    Raises:
        InputError: the folder holds no finished build, or its image is gone.
    """
    hint = "Give a folder that `tinyflow build` made, such as build/stm32f746."
    path = folder / "report.json"
    if not path.is_file():
        raise InputError(f"{folder}: not a finished build (no report.json)", hint=hint)
    try:
        built = Built(folder.resolve(), Report.read(path))
        bytes.fromhex(built.report.model.sha256)
        elf = built.elf
    except (OSError, ValidationError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: damaged, or of another version of tinyflow", hint=hint
        ) from error
    if not elf.is_file():
        raise InputError(f"{elf}: the firmware image is missing", hint="Build it again.")
    return built
