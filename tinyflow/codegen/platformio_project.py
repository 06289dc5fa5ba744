# SPDX-License-Identifier: Apache-2.0
"""The PlatformIO project around a model: everything but the model's own library.

These are `platformio.ini`, `src/main.c`, `lib/tinyflow_harness/`, `platform/` and `README.md`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tinyflow.boards import Board
from tinyflow.errors import InputError
from tinyflow.plan.in_ram import NOTHING_IN_RAM, InRam
from tinyflow.render import render
from tinyflow.resources import FIRMWARE
from tinyflow.storage.manifest import WORKSPACE

_C_TYPES = {
    "int8": "TINYFLOW_INT8",
    "uint8": "TINYFLOW_UINT8",
    "int16": "TINYFLOW_INT16",
    "int32": "TINYFLOW_INT32",
    "int64": "TINYFLOW_INT64",
    "uint32": "TINYFLOW_UINT32",
    "uint64": "TINYFLOW_UINT64",
    "float32": "TINYFLOW_FLOAT32",
    "bool": "TINYFLOW_BOOL",
}


@dataclass(frozen=True)
class HarnessTensor:
    """One input or output as the harness describes it to the host; `bytes` is its size there.

    One that is `converted` is float32 to the host, and quantised in the model's memory.
    """

    dtype: str
    shape: tuple[int, ...]
    bytes: int
    scale: float
    zero_point: int
    converted: bool = False

    @property
    def type_constant(self) -> str:
        """The name of the type in `tinyflow_harness.h`."""
        return _C_TYPES[self.dtype]


@dataclass(frozen=True)
class ModelHarness:
    """Fields that the harness reports to the host about a model.

    `c_name` is the model's C identifier and the name of its library and header; `digest` is the
    first 8 bytes of the SHA-256 of the .tflite file.
    """

    c_name: str
    digest: bytes
    arena_bytes: int
    layer_count: int
    inputs: tuple[HarnessTensor, ...]
    outputs: tuple[HarnessTensor, ...]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", self.c_name):
            raise ValueError(f"{self.c_name!r} is not a C identifier of at most 63 characters")
        if len(self.digest) != 8:
            raise ValueError("the digest has 8 bytes")
        if not 0 < len(self.inputs) < 256 or not 0 < len(self.outputs) < 256:
            raise ValueError("the harness supports 1 to 255 inputs and outputs")


def project_files(
    board: Board,
    model: ModelHarness,
    *,
    cmsis_nn_lib_deps: str | None = None,
    in_ram: InRam = NOTHING_IN_RAM,
) -> dict[str, bytes]:
    """The project's files by relative path.

    Args:
        board: The board to build for.
        model: The model's description; its code is expected in `lib/<c_name>/`.
        cmsis_nn_lib_deps: A `lib_deps` entry that gives CMSIS-NN; None if the model's
            library holds the kernels it uses.
        in_ram: the functions and constants that start-up copies to RAM.

    Raises:
        InputError: the board's family has no C file.
    """
    context = {"board": board, "model": model, "cmsis_nn_lib_deps": cmsis_nn_lib_deps}
    texts = {
        "platform/memory.ld": linker_script(board, in_ram),
        "src/main.c": render("project/main.c.j2", **context),
        "platformio.ini": render("project/platformio.ini.j2", **context),
        "README.md": render("project/README.md.j2", **context),
        ".gitignore": f"{WORKSPACE}/\n",
    }
    return {
        **{f"platform/{name}": data for name, data in platform_files(board).items()},
        **{f"lib/tinyflow_harness/{name}": data for name, data in _firmware_files("harness")},
        **{name: text.encode("utf-8") for name, text in texts.items()},
    }


def upload_files(board: Board) -> dict[str, bytes]:
    """A project that has no sources: what PlatformIO needs to program a board with an image."""
    context = {"board": board, "cmsis_nn_lib_deps": None}
    return {
        **{f"platform/{name}": data for name, data in platform_files(board).items()},
        "platform/memory.ld": linker_script(board).encode("utf-8"),
        "platformio.ini": render("project/platformio.ini.j2", **context).encode("utf-8"),
    }


def linker_script(board: Board, in_ram: InRam = NOTHING_IN_RAM) -> str:
    """The text of `platform/memory.ld`."""
    return render("project/memory.ld.j2", board=board, in_ram=in_ram)


def platform_files(board: Board) -> dict[str, bytes]:
    """PlatformIO's platform for a board, by relative path.

    The board's description, start-up code, and the file of the board's family only.

    Raises:
        InputError: the board's family has no C file.
    """
    mcu = dict(_firmware_files("mcu"))
    family = f"{board.family}.c"
    if family not in mcu:
        raise InputError(
            f"{board.path}: no microcontroller family {board.family!r}",
            hint=f"There are {', '.join(sorted(n[:-2] for n in mcu if n.endswith('.c')))}; "
            "docs/adding-a-board.md says how to add one.",
        )
    sources = {n: data for n, data in mcu.items() if n == family or n.endswith(".h")}
    return {
        **dict(_firmware_files("platform")),
        **{f"core/{name}": data for name, data in _firmware_files("core")},
        **{f"mcu/{name}": data for name, data in sources.items()},
        f"boards/{board.id}.json": board.path.read_bytes(),
    }


def _firmware_files(folder: str) -> list[tuple[str, bytes]]:
    """The files of one folder of `firmware/`: relative paths and contents."""
    root = FIRMWARE / folder
    return [
        (path.relative_to(root).as_posix(), path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
