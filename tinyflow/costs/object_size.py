# SPDX-License-Identifier: Apache-2.0
"""Size and symbols of one generated file's object code."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tinyflow.boards import Board
from tinyflow.toolchain.compiler import compile_in


@dataclass(frozen=True)
class ObjectCode:
    """An object file: bytes that go to flash, and the symbols that it defines."""

    size: int
    symbols: frozenset[str]


def object_code(file: str, text: str, board: Board) -> ObjectCode:
    """Compile or assemble one file.

    Raises:
        ToolMissingError: the cross-compiler is not on PATH.
        BuildError: it refused the file.
    """
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        folder = Path(name)
        (folder / file).write_text(text, encoding="utf-8")
        compile_in(folder, board, ("-O2", "-c", file, "-o", "code.o"), file)
        with (folder / "code.o").open("rb") as stream:
            return _read(ELFFile(stream))


def _read(elf: ELFFile) -> ObjectCode:
    size = sum(
        section["sh_size"]
        for section in elf.iter_sections()
        if section["sh_type"] == "SHT_PROGBITS"
        and section["sh_flags"] & SH_FLAGS.SHF_ALLOC
        and not section["sh_flags"] & SH_FLAGS.SHF_WRITE
    )
    table = elf.get_section_by_name(".symtab")
    defined = (one.name for one in table.iter_symbols() if one["st_shndx"] != "SHN_UNDEF")
    return ObjectCode(size, frozenset(defined))
