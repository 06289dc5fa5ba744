# SPDX-License-Identifier: Apache-2.0
"""The check of the calling convention finds what breaks it."""

from __future__ import annotations

import shutil

import pytest

from tests.support.calling_convention import CanaryCalls, assembly_functions
from tinyflow.boards import load_board
from tinyflow.timing.traced_run import FunctionCall, compile_code, results_of

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

BOARD = load_board("stm32l4r5")


def _problems(body: str) -> list[str]:
    files = {
        "callee.S": ".syntax unified\n.thumb\n.text\n.global callee\n.type callee, %function\n"
        f"callee:\n{body}\n  bx lr\n",
        "main.c": "extern void callee(void);\nvoid entry(void);\nvoid entry(void) { callee(); "
        "callee(); }\n",
    }
    image = compile_code(files, BOARD)
    canaries = CanaryCalls(assembly_functions(files), BOARD)
    results_of(image, BOARD, [FunctionCall("entry")], [], watch=canaries.watch)
    assert canaries.calls == {"callee": 2}
    return canaries.problems


def test_a_function_that_keeps_its_registers_passes() -> None:
    body = "  push {r4-r11, lr}\n  vpush {s16-s31}\n  mov r4, #1\n  mov r11, #1\n  vmov s16, r4\n"
    assert _problems(body + "  vpop {s16-s31}\n  pop {r4-r11, lr}\n  mov r3, #0") == []


@pytest.mark.parametrize(
    ("body", "register"),
    [
        ("  mov r4, #1", "r4"),
        ("  mov r11, #1", "r11"),
        ("  vmov s16, r0", "s16"),
        ("  vmov s31, r0", "s31"),
        ("  sub sp, #8", "sp"),
    ],
)
def test_a_changed_register_is_named(body: str, register: str) -> None:
    assert _problems(body)[0] == f"callee changes {register}"
