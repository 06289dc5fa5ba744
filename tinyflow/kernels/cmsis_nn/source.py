# SPDX-License-Identifier: Apache-2.0
"""Sources of CMSIS-NN: their origin, their version, and the files that a model needs.

Searched in this order: a folder the user names, an installed CMSIS-Pack, the copy inside PyPI's
`bakenn`, and PlatformIO's `lib_deps` by git tag, which needs a network when building.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from tinyflow.errors import InputError

Origin = Literal["folder", "pack", "bakenn", "lib_deps"]

#: Release that PlatformIO fetches if no copy is on the machine.
LIB_DEPS_VERSION = "7.0.0"
LIB_DEPS = f"https://github.com/ARM-software/CMSIS-NN.git#v{LIB_DEPS_VERSION}"

#: The revision in `arm_nnfunctions.h` of each release.
_RELEASES = {
    "V.11.2.0": "4.0.0",
    "V.11.3.0": "4.1.0",
    "V.12.4.0": "5.0.0",
    "V.16.0.0": "6.0.0",
    "V.18.0.0": "7.0.0",
}
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")
_DEFINITION = re.compile(r"^(?!static|typedef|#)[A-Za-z_][\w \t\*]*?\b(arm_\w+)\s*\(", re.MULTILINE)
#: Functions of 7.0.0 that an earlier version may lack; what `has` answers for `lib_deps`.
_OPTIONAL = frozenset(
    {
        "arm_elementwise_add_s8",
        "arm_fully_connected_per_channel_s8",
        "arm_nn_mat_mult_kernel_row_offset_s8_s16",
        "arm_pad_s8",
        "arm_softmax_s8",
    }
)


@dataclass(frozen=True)
class CmsisNN:
    """One copy of CMSIS-NN.

    Attributes:
        version: the release, or the header's revision if it is not a release.
        origin: how it was found.
        root: the folder of `Include` and `Source`; None for `lib_deps`.
        core_include: CMSIS-Core's headers, which releases before 5 need.
        files: the source file that defines each function.
    """

    version: str
    origin: Origin
    root: Path | None
    core_include: Path | None
    files: Mapping[str, Path]

    def has(self, function: str) -> bool:
        """Whether this copy defines the function."""
        return function in (_OPTIONAL if self.root is None else self.files)

    @property
    def description(self) -> str:
        """Version and origin, for the report."""
        return f"{self.version} ({self.origin})"

    def headers(self) -> dict[str, Path]:
        """Every header, by its path below the include folder."""
        if self.root is None:
            return {}
        folders = [self.root / "Include"] + ([self.core_include] if self.core_include else [])
        return {
            str(path.relative_to(folder)): path
            for folder in folders
            for path in sorted(folder.rglob("*.h"))
        }

    def closure(self, functions: Iterable[str]) -> list[Path]:
        """The source files that define the functions and all that these call.

        Raises:
            InputError: this copy lacks a function.
        """
        needed: set[Path] = set()
        pending = sorted(set(functions))
        for function in pending:
            if function not in self.files:
                raise InputError(f"CMSIS-NN {self.description} at {self.root} lacks {function}")
        while pending:
            path = self.files[pending.pop()]
            if path not in needed:
                needed.add(path)
                pending.extend(_identifiers(path) & self.files.keys())
        return sorted(needed)


def find_cmsis_nn(folder: Path | None = None) -> CmsisNN:
    """The copy of CMSIS-NN to build with.

    Args:
        folder: a copy the user names; that of TINYFLOW_CMSIS_NN if None.

    Raises:
        InputError: the named folder holds no CMSIS-NN.
    """
    named = folder or (Path(value) if (value := os.environ.get("TINYFLOW_CMSIS_NN")) else None)
    if named is not None:
        if not (named / "Include" / "arm_nnfunctions.h").is_file():
            raise InputError(
                f"{named}: no CMSIS-NN (Include/arm_nnfunctions.h is missing)",
                hint="Name the folder that holds CMSIS-NN's Include and Source.",
            )
        return _read(named.resolve(), "folder")
    for pack in _packs():
        return _read(pack, "pack")
    bundled = _bakenn()
    if bundled is not None:
        return _read(bundled, "bakenn")
    return CmsisNN(LIB_DEPS_VERSION, "lib_deps", None, None, {})


@cache
def _read(root: Path, origin: Origin) -> CmsisNN:
    header = (root / "Include" / "arm_nnfunctions.h").read_text(errors="replace")
    found = re.search(r"\$Revision:\s*(\S+)", header)
    revision = found[1] if found else "unknown"
    files = {
        name: path
        for path in sorted((root / "Source").rglob("*.c"))
        for name in _DEFINITION.findall(_COMMENT.sub("", path.read_text(errors="replace")))
    }
    math_types = (root / "Include" / "arm_nn_math_types.h").read_text(errors="replace")
    core = _core_include(root) if '#include "cmsis_compiler.h"' in math_types else None
    return CmsisNN(_RELEASES.get(revision, f"header {revision}"), origin, root, core, files)


def _core_include(root: Path) -> Path:
    """Return CMSIS-Core's headers: next to this CMSIS-NN, in a pack, or in `bakenn`."""
    bundled = _bakenn()
    candidates = [
        root / "Include",
        root.parent / "cmsis_core" / "Include",
        root.parent / "Core" / "Include",
        *_pack_folders("CMSIS", "CMSIS/Core/Include"),
        *([bundled.parent / "cmsis_core" / "Include"] if bundled else []),
    ]
    for folder in candidates:
        if (folder / "cmsis_compiler.h").is_file():
            return folder
    raise InputError(
        f"{root}: this CMSIS-NN needs CMSIS-Core's cmsis_compiler.h, which was not found",
        hint=f"Put CMSIS-Core's headers in {root.parent / 'Core' / 'Include'}, "
        "or use CMSIS-NN 7.0.0.",
    )


def _packs() -> list[Path]:
    return [
        folder
        for folder in _pack_folders("CMSIS-NN", ".")
        if (folder / "Include" / "arm_nnfunctions.h").is_file()
    ]


def _pack_folders(name: str, below: str) -> list[Path]:
    """Installed versions of an Arm pack, the newest first."""
    root = Path(os.environ.get("CMSIS_PACK_ROOT", Path.home() / ".cache" / "arm" / "packs"))
    versions = sorted((root / "ARM" / name).glob("*"), key=_version_key, reverse=True)
    return [(folder / below).resolve() for folder in versions if (folder / below).is_dir()]


def _version_key(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", folder.name))


def _bakenn() -> Path | None:
    """CMSIS-NN inside the installed `bakenn`, whose code is not imported."""
    spec = importlib.util.find_spec("bakenn")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent / "backend" / "cmsis_nn" / "vendor" / "cmsis_nn"
    return root if (root / "Include" / "arm_nnfunctions.h").is_file() else None


@cache
def _identifiers(path: Path) -> frozenset[str]:
    text = _COMMENT.sub("", path.read_text(errors="replace"))
    return frozenset(_IDENTIFIER.findall(text))
