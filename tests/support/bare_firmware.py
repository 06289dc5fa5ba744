# SPDX-License-Identifier: Apache-2.0
"""Firmware of a few lines for the nRF52840: answers each byte by `run(byte)`, an asm function."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tinyflow.toolchain.elf import Image, read_image

GCC = "arm-none-eabi-gcc"
needs_gcc = pytest.mark.skipif(shutil.which(GCC) is None, reason=f"{GCC} is not installed")

STACK_BOTTOM, STACK_TOP = 0x20000000, 0x20001000

UART_SETUP = """
    REG(0x40000000) = 1;                         /* HFCLKSTART */
    while (!REG(0x40000100)) { }
    REG(0x50000508) = 1u << 6;                   /* OUTSET */
    REG(0x50000718) = 3;                         /* PIN_CNF[6]: output */
    REG(0x4000250C) = 6; REG(0x40002514) = 8;    /* PSEL */
    REG(0x40002524) = 0x01D7E000;                /* 115200 baud */
    REG(0x40002500) = 4;                         /* ENABLE */
    REG(0x40002000) = 1; REG(0x40002008) = 1;    /* STARTRX, STARTTX */
"""

MAIN = """
#define REG(address) (*(volatile unsigned *)(address))
unsigned run(unsigned byte);
unsigned get(void);
void start(void);
__attribute__((section(".vectors"), used))
const void *const vectors[2] = {(void *)0x20001000, (void *)start};
__attribute__((noinline)) unsigned get(void) {
    while (!REG(0x40002108)) { }
    REG(0x40002108) = 0;
    return REG(0x40002518) & 255;
}
static void put(unsigned byte) {
    REG(0x4000211C) = 0;
    REG(0x4000251C) = byte & 255;
    while (!REG(0x4000211C)) { }
}
__attribute__((noinline, used)) void tinyflow_halt(unsigned reason) { (void)reason; for (;;) { } }
void start(void) {
    SETUP
    for (;;) { put(run(get())); }
}
"""

LINK = """
SECTIONS {
    .text 0x00000000 : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
    _stack_start = 0x20000000;
}
"""


def build_firmware(
    directory: Path, run: str, *, setup: str = UART_SETUP, main: str = MAIN
) -> Image:
    """Compile the loop with `run`, given as assembly that defines `run` and what it calls."""
    (directory / "main.c").write_text(main.replace("SETUP", setup))
    (directory / "run.S").write_text(
        ".syntax unified\n.thumb\n.text\n.global run\n.thumb_func\n" + run + "\n"
    )
    (directory / "link.ld").write_text(LINK)
    elf = directory / "firmware.elf"
    subprocess.run(
        [GCC, "-mcpu=cortex-m4", "-mthumb", "-O1", "-fno-builtin", "-nostdlib", "-g0", "-Wall",
         "-Wl,-Tlink.ld", "-Wl,--no-warn-rwx-segments", "main.c", "run.S", "-o", elf.name],
        cwd=directory,
        check=True,
    )  # fmt: skip
    return read_image(elf)


def function(name: str, body: str) -> str:
    """A named Thumb function in assembly."""
    head = f".align 2\n.global {name}\n.type {name}, %function\n{name}:\n"
    return f"{head}{body}\n.size {name}, . - {name}\n"
