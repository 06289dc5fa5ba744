# SPDX-License-Identifier: Apache-2.0
"""Calls assembly functions with canaries in the registers that they must give back.

The rules are those of Arm's procedure call standard (AAPCS32, section 6): a function keeps r4 to
r11, s16 to s31 and sp, and its caller has aligned sp to 8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from unicorn import arm_const as arm

from tinyflow.boards import Board
from tinyflow.emulate.engine import Engine
from tinyflow.toolchain.elf import Image

_GLOBAL = re.compile(r"^\s*\.global\s+(\w+)", re.MULTILINE)
_CORE = {f"r{n}": getattr(arm, f"UC_ARM_REG_R{n}") for n in range(4, 12)}
_FLOAT = {f"s{n}": getattr(arm, f"UC_ARM_REG_S{n}") for n in range(16, 32)}


def assembly_functions(files: Mapping[str, str | bytes]) -> set[str]:
    """The global symbols that the `.S` files among a library's files define."""
    texts = (text for name, text in files.items() if name.endswith(".S"))
    return {name for text in texts for name in _GLOBAL.findall(str(text))}


@dataclass(frozen=True)
class _Frame:
    """A call that has not returned: what its caller's registers held."""

    function: str
    returns_to: int
    sp: int
    kept: Mapping[str, int]


@dataclass
class CanaryCalls:
    """Watches an engine's calls of assembly functions.

    Attributes:
        functions: the functions to watch, by name.
        problems: what was broken, one line each.
        calls: how often each watched function was called.
    """

    functions: set[str]
    board: Board
    problems: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)

    def watch(self, engine: Engine, image: Image) -> None:
        """Watch every call that the engine makes from now on."""
        uc = engine._uc
        entries = {
            symbol.address & ~1: symbol.name
            for symbol in image.symbols
            if symbol.name in self.functions
        }
        registers = _CORE | (_FLOAT if self.board.fpu else {})
        canaries = {name: 0xC0DE0000 + 257 * n for n, name in enumerate(registers)}
        frames: list[_Frame] = []

        def read() -> dict[str, int]:
            return {name: int(uc.reg_read(number)) for name, number in registers.items()}

        def write(values: Mapping[str, int]) -> None:
            for name, number in registers.items():
                uc.reg_write(number, values[name])

        def on_block(_uc: int, address: int, _size: int, _data: int) -> None:
            while frames and address == frames[-1].returns_to:
                frame = frames.pop()
                found = read()
                broken = [name for name in registers if found[name] != canaries[name]]
                if engine.sp != frame.sp:
                    broken.append("sp")
                if broken:
                    self.problems.append(f"{frame.function} changes {', '.join(broken)}")
                write(frame.kept)
                engine.sp = frame.sp
            name = entries.get(address)
            if name is not None:
                if engine.sp % 8:
                    self.problems.append(f"{name} is called with sp at {engine.sp:#x}")
                frames.append(_Frame(name, engine.lr & ~1, engine.sp, read()))
                write(canaries)
                self.calls[name] = self.calls.get(name, 0) + 1

        engine.hook_blocks(on_block)
