# SPDX-License-Identifier: Apache-2.0
"""The call tree of a trace: calls, returns, tail calls, recursion, and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bare_firmware import build_firmware, function, needs_gcc
from tinyflow.boards import load_board
from tinyflow.emulate.simulator import Simulator
from tinyflow.timing.counts import Blocks, Counts, count, watched
from tinyflow.timing.cycle_model import CycleSplit, apportioned, predict
from tinyflow.timing.stacks import Functions, Stack, StackCounts, count_stacks
from tinyflow.toolchain.elf import Image

BOARD = load_board("nrf52840")


def stacks_of(
    folder: Path, code: str, *, layers: tuple[str, ...] = (), byte: int = 5
) -> tuple[Image, StackCounts]:
    image = build_firmware(folder, code)
    with Simulator(image, BOARD) as simulator:
        simulator.write(bytes([byte]))
        with simulator.trace("run", watched(BOARD)) as tracer:
            assert simulator.read(1, 1.0)
        trace = tracer.trace()
    entries = [image.symbol(name).address for name in layers]
    found = count_stacks(Blocks(trace), image, BOARD, entries)
    # the stacks divide what the layers' counts hold
    sections = count(trace, BOARD, entries).sections
    for number, section in enumerate(sections):
        parts = [
            part
            for stack, part in zip(found.stacks, found.counts.layers, strict=True)
            if stack.section == number
        ]
        assert Counts.merged(parts) == section
    assert found.counts.overhead == Counts()
    return image, found


def calls(found: StackCounts) -> dict[str, int]:
    return {" ".join(stack.frames): found.calls[stack] for stack in found.stacks}


@needs_gcc
def test_calls_and_returns(tmp_path: Path) -> None:
    code = (
        function("run", "push {r4, lr}\n bl one\n bl two\n bl one\n pop {r4, pc}")
        + function("one", "push {lr}\n bl leaf\n bl leaf\n pop {pc}")
        + function("two", "mov r3, lr\n bl leaf\n mov pc, r3")
        + function("leaf", "adds r0, #1\n bx lr")
    )
    _, found = stacks_of(tmp_path, code)
    assert calls(found) == {
        "run": 1,
        "run one": 2,
        "run one leaf": 4,
        "run two": 1,
        "run two leaf": 1,
    }
    ran = dict(zip(found.stacks, found.counts.layers, strict=True))
    leaf = ran[Stack(0, ("run", "one", "leaf"))]
    assert found.counts.instructions(leaf) == 4 * 2


@needs_gcc
def test_a_tail_call_stands_below_its_caller_and_returns_with_it(tmp_path: Path) -> None:
    code = (
        function("run", "push {r4, lr}\n bl wrapper\n bl wrapper\n nop\n pop {r4, pc}")
        + function("wrapper", "cbz r0, 1f\n b.w kernel\n1: bx lr")
        + function("kernel", "ldr r3, =helper\n bx r3\n .ltorg")
        + function("helper", "adds r0, #1\n bx lr")
    )
    _, found = stacks_of(tmp_path, code)
    assert calls(found) == {
        "run": 1,
        "run wrapper": 2,
        "run wrapper kernel": 2,
        "run wrapper kernel helper": 2,
    }


@needs_gcc
def test_a_part_of_a_function_is_left_for_the_function(tmp_path: Path) -> None:
    code = (
        function("run", "push {r4, lr}\n bl hot\n pop {r4, pc}")
        + ".global hot\n.type hot, %function\n"
        "hot: movs r2, #3\nback: subs r2, #1\n bne cold\n bx lr\n.size hot, . - hot\n"
        + function("cold", "nop\n b.w back")
    )
    _, found = stacks_of(tmp_path, code)
    assert calls(found) == {"run": 1, "run hot": 1, "run hot cold": 2}


@needs_gcc
def test_recursion(tmp_path: Path) -> None:
    code = function("run", "push {r4, lr}\n bl down\n pop {r4, pc}") + function(
        "down", "push {r4, lr}\n subs r0, #1\n beq 1f\n bl down\n1: pop {r4, pc}"
    )
    _, found = stacks_of(tmp_path, code, byte=4)
    assert calls(found) == {"run" + depth * " down": 1 for depth in range(5)}


@needs_gcc
def test_code_that_is_called_and_jumps_elsewhere_does_not_pile_up(tmp_path: Path) -> None:
    code = function(
        "run",
        "push {r4, lr}\n movs r4, #9\n1: bl switch\n nop\n2: subs r4, #1\n bne 1b\n pop {r4, pc}",
    ) + function("switch", "mov r3, lr\n adds r3, #2\n bx r3")
    _, found = stacks_of(tmp_path, code)
    assert calls(found) == {"run": 1, "run switch": 9}


@needs_gcc
def test_sections_are_told_apart(tmp_path: Path) -> None:
    code = (
        function("run", "push {r4, lr}\n nop\n bl one\n nop\n bl two\n nop\n pop {r4, pc}")
        + function("one", "push {lr}\n bl leaf\n pop {pc}")
        + function("two", "push {lr}\n bl leaf\n pop {pc}")
        + function("leaf", "adds r0, #1\n bx lr")
    )
    _, found = stacks_of(tmp_path, code, layers=("one", "two"))
    assert [(stack.section, *stack.frames) for stack in found.stacks] == [
        (0, "run"),
        (1, "run", "one"),
        (1, "run", "one", "leaf"),
        (1, "run"),
        (2, "run", "two"),
        (2, "run", "two", "leaf"),
        (2, "run"),
    ]


@needs_gcc
def test_code_without_a_size_has_the_name_before_it(tmp_path: Path) -> None:
    code = function("run", "push {r4, lr}\n bl bare\n pop {r4, pc}") + (
        ".align 2\n.type bare, %function\nbare: movs r0, #6\n bx lr\n"
    )
    image, found = stacks_of(tmp_path, code)
    assert calls(found) == {"run": 1, "run bare": 1}
    names = Functions(image)
    assert names.start(image.symbol("bare").address + 2) == image.symbol("bare").address


@needs_gcc
def test_the_whole_is_the_same_whichever_way_it_is_divided(tmp_path: Path) -> None:
    code = function("run", "push {r4, lr}\n bl one\n bl one\n pop {r4, pc}") + function(
        "one", "ldr r1, =run\n ldr r1, [r1]\n movs r0, #7\n bx lr\n .ltorg"
    )
    _, found = stacks_of(tmp_path, code)
    merged = Counts.merged(found.counts.layers)
    alone = predict(found.counts, BOARD)
    assert alone.split.core == sum(split.core for split in (layer.split for layer in alone.layers))
    assert merged.executions.total() == 5


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (10, [1, 1, 1], [3, 3, 4]),
        (7, [0, 5, 0, 9], [0, 2, 0, 5]),
        (100, [100], [100]),
        (3, [0, 0], [0, 3]),
        (0, [4, 5], [0, 0]),
    ],
)
def test_shares_add_up(total: int, weights: list[int], shares: list[int]) -> None:
    found = apportioned(
        CycleSplit(core=total, ram=total),
        [CycleSplit(core=weight, ram=weight) for weight in weights],
    )
    assert [split.core for split in found] == [split.ram for split in found] == shares
    assert sum(split.cycles for split in found) == 2 * total
