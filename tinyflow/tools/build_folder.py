# SPDX-License-Identifier: Apache-2.0
"""A finished build on disk, read back: perhaps somebody else's, so that nothing in it is believed.

What is read is data, and checked: of what the report says, only what has the form that a build
gives it reaches a script or another program. No link in the folder is followed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from tinyflow.errors import InputError
from tinyflow.ir.types import DType
from tinyflow.report.report_data import Report

_HINT = "Give a folder that `tinyflow build` made, such as build/stm32f746."
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DTYPES = {dtype.value for dtype in DType}


@dataclass(frozen=True)
class Built:
    """A folder that `tinyflow build` made."""

    folder: Path
    report: Report

    @property
    def elf(self) -> Path:
        """The firmware image."""
        return self.file(self.report.artifacts["elf"])

    def file(self, name: str) -> Path:
        """The path of a file of the build, by its relative path.

        Raises:
            InputError: it lies outside the folder, or a link is on the way to it.
        """
        return _inside(self.folder, name)


def read_build(folder: Path) -> Built:
    """Read a build.

    Raises:
        InputError: the folder holds no finished build, or its image is gone.
    """
    path = folder / "report.json"
    if not path.is_file():
        raise InputError(f"{folder}: not a finished build (no report.json)", hint=_HINT)
    built_in = folder.resolve()
    for name in ("report.json", "plan.json", "model.tflite"):
        _inside(built_in, name)
    try:
        built = Built(built_in, Report.read(path))
        _check(built.report)
        built.report.artifacts["elf"]
    except (OSError, ValidationError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: damaged, or of another version of tinyflow", hint=_HINT
        ) from error
    if not built.elf.is_file():
        raise InputError(f"{built.elf}: the firmware image is missing", hint="Build it again.")
    return built


def _check(report: Report) -> None:
    """Check what goes into names, scripts and quotients.

    Raises:
        ValueError: it has not the form that a build gives it.
    """
    model, latency = report.model, report.latency
    well_formed = (
        _IDENTIFIER.fullmatch(model.name)
        and _SHA256.fullmatch(model.sha256)
        and all(tensor.dtype in _DTYPES for tensor in (*model.inputs, *model.outputs))
        and latency.instructions > 0
        and latency.cycles > 0
    )
    if not well_formed:
        raise ValueError("the report is not one of a build")


def _inside(folder: Path, name: str) -> Path:
    relative = PurePosixPath(name)
    path = folder / name
    steps = [folder.joinpath(*relative.parts[: count + 1]) for count in range(len(relative.parts))]
    leads_out = relative.is_absolute() or ".." in relative.parts or not relative.parts
    if leads_out or any(step.is_symlink() for step in steps):
        raise InputError(f"{path}: leads out of the build's folder, or is a link", hint=_HINT)
    return path
