# SPDX-License-Identifier: Apache-2.0
"""Reading an ELF: segments, symbols, sizes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tinyflow.boards import load_board
from tinyflow.codegen.platformio_project import linker_script
from tinyflow.errors import InputError
from tinyflow.toolchain.elf import Image, read_image

COMPILER = "arm-none-eabi-gcc"

SOURCE = """\
#include <stdint.h>
static int8_t tiny_arena[48] __attribute__((used, aligned(16)));
__attribute__((section(".rodata.tinyflow_weights.w"), used)) static const int8_t w[32] = {1};
__attribute__((used)) static const int8_t table[8] = {2};
int32_t counter[3] = {1, 2, 3};
__attribute__((section(".isr_vector"), used)) const uint32_t vectors[2] = {1, 2};
int add(int a, int b) { return a + b + counter[0] + w[a] + table[b] + tiny_arena[a]; }
void Reset_Handler(void) { for (;;) { counter[1] = add(1, 2); } }
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not on PATH")
    folder = tmp_path_factory.mktemp("elf")
    (folder / "tiny.c").write_text(SOURCE)
    script = linker_script(load_board("stm32f407"))
    (folder / "memory.ld").write_text(script)
    flags = "-mthumb -mcpu=cortex-m4 -O1 -fdata-sections -ffunction-sections -fno-inline"
    link = "-nostdlib -Wl,--gc-sections -Wl,--fatal-warnings -T memory.ld -o tiny.elf"
    subprocess.run([COMPILER, *flags.split(), "tiny.c", *link.split()], cwd=folder, check=True)
    return read_image(folder / "tiny.elf")


def test_the_segments_hold_what_flash_holds(image: Image) -> None:
    assert image.segments[0].address == 0x08000000
    assert image.segments[0].data[:8] == bytes([1, 0, 0, 0, 2, 0, 0, 0])
    assert sum(len(segment.data) for segment in image.segments) == image.flash_bytes


def test_initial_data_is_loaded_into_flash(image: Image) -> None:
    last = image.segments[-1]
    assert last.data == bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0])
    assert last.address < 0x20000000


def test_sizes_by_kind(image: Image) -> None:
    assert image.weights_bytes == 32
    assert image.data_bytes == 12
    assert image.bss_bytes == 48
    assert image.stack_bytes == 4096
    assert image.code_bytes + 32 + 12 == image.flash_bytes
    assert image.data_bytes + image.bss_bytes + image.stack_bytes == 4096 + 12 + 48
    assert image.arena_bytes("tiny") == 48


def test_stack_lies_at_the_bottom_of_ram(image: Image) -> None:
    assert image.symbol("_stack_start").address == 0x20000000
    assert image.symbol("_stack_end").address == 0x20001000
    assert image.symbol("_sdata").address == 0x20001000


def test_symbols_by_name_and_address(image: Image) -> None:
    add = image.symbol("add")
    assert add.kind == "function"
    assert add.address % 2 == 0
    assert image.entry == image.symbol("Reset_Handler").address | 1
    assert image.symbol_at(add.address) == add
    assert image.symbol_at(add.address + add.size - 1) == add
    arena = image.symbol_at(image.symbol("tiny_arena").address + 47)
    assert arena is not None
    assert (arena.name, arena.kind, arena.size) == ("tiny_arena", "object", 48)
    assert image.symbol_at(0) is None
    assert image.symbol_at(0x30000000) is None
    with pytest.raises(KeyError):
        image.symbol("nothing")


def test_a_file_that_is_no_elf(tmp_path: Path) -> None:
    path = tmp_path / "firmware.elf"
    path.write_text("not an ELF")
    with pytest.raises(InputError, match="not a firmware image"):
        read_image(path)
    with pytest.raises(InputError, match="not a firmware image"):
        read_image(tmp_path / "none.elf")
