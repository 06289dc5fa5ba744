# SPDX-License-Identifier: Apache-2.0
"""Assembles snippets, decodes them, and says what a core's pipeline makes of them."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from elftools.elf.elffile import ELFFile

from tests.support.bare_firmware import GCC
from tinyflow.boards import Core
from tinyflow.timing.core_pipeline import EdgeCost
from tinyflow.timing.cores import PIPELINES
from tinyflow.timing.instructions import Instruction, decode

#: The floating-point unit to assemble for; none for the cores without one.
_FPU = {"cortex-m4": "fpv4-sp-d16", "cortex-m7": "fpv5-sp-d16", "cortex-m33": "fpv5-sp-d16"}


@cache
def assemble(text: str, core: Core = "cortex-m4") -> bytes:
    """Machine code of assembly; instructions are split by newlines or semicolons."""
    fpu = [f"-mfpu={_FPU[core]}", "-mfloat-abi=hard"] if core in _FPU else []
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "code.S", Path(name) / "code.o"
        source.write_text(f".syntax unified\n.thumb\n.text\n{text}\n")
        subprocess.run(
            [GCC, f"-mcpu={core}", "-mthumb", *fpu, "-c", str(source), "-o", str(out)], check=True
        )
        with out.open("rb") as stream:
            section = ELFFile(stream).get_section_by_name(".text")
            code: bytes = section.data()
            return code


def instructions(
    text: str, core: Core = "cortex-m4", address: int = 0x1000
) -> tuple[Instruction, ...]:
    """The same, decoded as if it lay at an address."""
    return decode(assemble(text, core), address)


def block_cycles(text: str, core: Core = "cortex-m4") -> list[int]:
    """Cycles of each instruction of a block that is entered from nowhere."""
    return list(PIPELINES[core].block(instructions(text, core)))


def edge_cost(before: str, block: str, core: Core, *, at: int | None = None) -> EdgeCost:
    """The cost of entering a block behind another: at its end, or by a taken branch to `at`."""
    first = instructions(before, core)
    second = instructions(block, core, first[-1].end if at is None else at)
    return PIPELINES[core].edge(first, second)
