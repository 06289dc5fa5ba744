# SPDX-License-Identifier: Apache-2.0
"""ELF reader: the bytes to load, the symbols, and the sizes by kind."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section, SymbolTableSection

from tinyflow.errors import InputError

SymbolKind = Literal["function", "object", "label"]
_KINDS: dict[str, SymbolKind] = {
    "STT_FUNC": "function",
    "STT_OBJECT": "object",
    "STT_NOTYPE": "label",
}
#: Prefix of the names of sections of constants that are copied to RAM; a number follows.
_RAM_WEIGHTS = ".ram_weights_"


@dataclass(frozen=True)
class Segment:
    """Bytes the image puts into flash, at that address."""

    address: int
    data: bytes


@dataclass(frozen=True)
class Symbol:
    """A named address; a function's has its Thumb bit cleared. `size` is 0 for a label."""

    name: str
    address: int
    size: int
    kind: SymbolKind


@dataclass(frozen=True)
class Image:
    """A linked firmware image. All sizes are bytes.

    `flash_bytes` is what the ELF loads: `code_bytes` (vectors, code, constants, alignment),
    `weights_bytes` and `data_bytes` (the initial values of `.data`). `ram_code` is where the code
    lies that start-up copies to RAM; its image is part of `code_bytes`. `ram_weights` are where it
    copies constants to; their image is part of `weights_bytes`.
    """

    path: Path
    entry: int
    segments: tuple[Segment, ...]
    symbols: tuple[Symbol, ...]
    weights_bytes: int
    data_bytes: int
    bss_bytes: int
    stack_bytes: int
    _spans: tuple[Symbol, ...] = field(repr=False)
    ram_code: range = range(0)
    ram_weights: tuple[range, ...] = ()
    _flash_weights: range = range(0)

    @property
    def flash_bytes(self) -> int:
        """Everything the image occupies in flash."""
        return sum(len(segment.data) for segment in self.segments)

    @property
    def code_bytes(self) -> int:
        """Flash other than weights and initial data."""
        return self.flash_bytes - self.weights_bytes - self.data_bytes

    @property
    def ram_weights_bytes(self) -> int:
        """The RAM that constants take."""
        return sum(len(span) for span in self.ram_weights)

    @property
    def weights(self) -> tuple[Symbol, ...]:
        """The arrays of constants that are read from flash, by address."""
        return tuple(
            symbol
            for symbol in self._spans
            if symbol.kind == "object" and symbol.address in self._flash_weights
        )

    def arena_bytes(self, model: str) -> int:
        """The size of the arena of the model of that C name; it is part of `bss_bytes`."""
        return self.symbol(f"{model}_arena").size

    def state_bytes(self, model: str) -> int:
        """The size of the state of the model of that C name, 0 without one; part of `bss_bytes`."""
        try:
            return self.symbol(f"{model}_state").size
        except KeyError:
            return 0

    def symbol(self, name: str) -> Symbol:
        """The symbol of that name, the lowest where file-local ones share it.

        Raises:
            KeyError: there is none.
        """
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol
        raise KeyError(name)

    def symbol_at(self, address: int) -> Symbol | None:
        """The function or object that holds the address, or None."""
        index = bisect_right(self._spans, address, key=lambda span: span.address) - 1
        if index < 0:
            return None
        span = self._spans[index]
        return span if address < span.address + span.size else None


def read_image(path: Path) -> Image:
    """Read a firmware ELF.

    Raises:
        InputError: the file cannot be read, or is no ELF with a symbol table.
    """
    try:
        with path.open("rb") as stream:
            return _read(path, ELFFile(stream))
    except (OSError, ELFError) as error:
        raise InputError(f"{path}: not a firmware image: {error}") from error


def _read(path: Path, elf: ELFFile) -> Image:
    segments = tuple(
        Segment(segment["p_paddr"], segment.data())
        for segment in elf.iter_segments("PT_LOAD")
        if segment["p_filesz"]
    )
    symbols = _symbols(path, elf)
    ram_weights = tuple(
        _span(section)
        for section in elf.iter_sections()
        if section.name.startswith(_RAM_WEIGHTS) and section["sh_size"]
    )
    flash_weights = _span(elf.get_section_by_name(".weights"))
    return Image(
        path=path,
        entry=elf["e_entry"],
        segments=segments,
        symbols=symbols,
        weights_bytes=len(flash_weights) + sum(len(span) for span in ram_weights),
        data_bytes=_section_size(elf, ".data"),
        bss_bytes=_section_size(elf, ".bss"),
        stack_bytes=_section_size(elf, ".stack"),
        _spans=tuple(symbol for symbol in symbols if symbol.size),
        ram_code=_span(elf.get_section_by_name(".ram_code")),
        ram_weights=ram_weights,
        _flash_weights=flash_weights,
    )


def _section_size(elf: ELFFile, name: str) -> int:
    return len(_span(elf.get_section_by_name(name)))


def _span(section: Section | None) -> range:
    """The addresses of a section, none if there is no such one."""
    if section is None:
        return range(0)
    return range(section["sh_addr"], section["sh_addr"] + section["sh_size"])


def _symbols(path: Path, elf: ELFFile) -> tuple[Symbol, ...]:
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        raise InputError(f"{path}: the image has no symbol table")
    found = []
    for entry in table.iter_symbols():
        kind = _KINDS.get(entry["st_info"]["type"])
        # names that begin with $ only mark code and data for disassemblers
        if kind is None or entry["st_shndx"] == "SHN_UNDEF" or entry.name[:1] in ("", "$"):
            continue
        address = entry["st_value"] & ~1 if kind == "function" else entry["st_value"]
        found.append(Symbol(entry.name, address, entry["st_size"], kind))
    return tuple(sorted(found, key=lambda symbol: (symbol.address, symbol.name)))
