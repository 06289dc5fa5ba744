# SPDX-License-Identifier: Apache-2.0
"""The simulator: exact counts, strict memory, faults that say where."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

import pytest

from tests.support.bare_firmware import MAIN, UART_SETUP, build_firmware, function, needs_gcc
from tinyflow.boards import load_board
from tinyflow.emulate.engine import Engine
from tinyflow.emulate.measurement import Measurement, thumb_instructions
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import DeviceError, InputError
from tinyflow.toolchain.elf import Image

BOARD = load_board("nrf52840")
pytestmark = needs_gcc

ECHO = function("run", "bx lr")


def build(tmp_path: Path, run: str, **options: str) -> Image:
    return build_firmware(tmp_path, run, **options)


def fault(image: Image, sent: bytes = b"a", **options: float) -> DeviceError:
    with Simulator(image, BOARD, **options) as simulator, pytest.raises(DeviceError) as caught:
        simulator.write(sent)
        simulator.read(1, 1.0)
    return caught.value


# ---- talking ----


def test_bytes_go_in_and_come_out(tmp_path: Path) -> None:
    with Simulator(build(tmp_path, ECHO), BOARD) as simulator:
        assert simulator.read(1, 1.0) == b""  # the firmware waits: known at once
        simulator.write(b"hello")
        assert simulator.read(2, 1.0) == b"he"
        assert simulator.read(100, 1.0) == b"llo"
        assert simulator.read(1, 1.0) == b""
        for value in range(256):
            simulator.write(bytes([value]))
            assert simulator.read(1, 1.0) == bytes([value])


def test_polling_in_an_it_block_resumes_well(tmp_path: Path) -> None:
    # The status is read and the wait continued under a condition: a stop inside an IT block.
    run = function(
        "run",
        """
        push {r4, lr}
        mov r4, r0
        ldr r1, =0x40002108
    1:  cmp r1, #0
        itt ne
        ldrne r2, [r1]
        cmpne r2, #0
        beq 1b
        cmp r1, #0
        ite ne
        movne r3, #0
        moveq r3, #1
        it ne
        strne r3, [r1]
        b 2f
    2:  adds r4, #1
        b 3f
    3:  adds r4, #1
        ldr r1, =0x40002518
        cmp r4, #0
        it ne
        ldrne r0, [r1]
        b 4f
    4:  adds r0, r4
        pop {r4, pc}
        .ltorg
        """,
    )
    with Simulator(build(tmp_path, run), BOARD) as simulator:
        for first, second in ((1, 2), (100, 27), (0, 0), (200, 55)):
            simulator.write(bytes([first]))
            assert simulator.read(1, 1.0) == b""
            simulator.write(bytes([second]))
            assert simulator.read(1, 1.0) == bytes([(first + second + 2) & 255])


# ---- counting ----

CASES = {
    # name: (assembly of run, instructions by hand for the argument 5, of them predicated off)
    "return": ("bx lr", 1, 0),
    "loop": ("mov r1, #1000\n1: subs r1, #1\n bne 1b\n bx lr", 1 + 2 * 1000 + 1, 0),
    "wide": ("mov.w r1, #10\n1: subs.w r1, r1, #1\n bne.w 1b\n bx lr", 1 + 2 * 10 + 1, 0),
    "IT true": ("cmp r0, #5\n itte eq\n addeq r0, #1\n addeq r0, #1\n movne r0, #0\n bx lr", 6, 1),
    "IT false": ("cmp r0, #4\n itte eq\n addeq r0, #1\n addeq r0, #1\n movne r0, #0\n bx lr", 6, 2),
    "IT return": ("cmp r0, #5\n it eq\n bxeq lr\n movs r0, #0\n bx lr", 3, 0),
    "IT no return": ("cmp r0, #4\n it eq\n bxeq lr\n movs r0, #0\n bx lr", 5, 1),
    "IT memory": (
        "mov r3, #0x20000000\n mov r2, #7\n1: tst r2, #1\n ite ne\n ldrne r1, [r3]\n"
        " streq r2, [r3]\n subs r2, #1\n bne 1b\n bx lr",
        2 + 7 * 6 + 1,
        7,
    ),
    "cbz": ("cbz r0, 1f\n subs r0, #1\n b run\n1: bx lr", 5 * 3 + 2, 0),
    "call": ("push {lr}\n bl leaf\n bl leaf\n pop {pc}", 4 + 2 * 2, 0),
    "tail call": ("adds r0, #1\n b.w leaf", 2 + 2, 0),
    "recursion": (
        "cbz r0, 1f\n push {lr}\n subs r0, #1\n bl run\n pop {pc}\n1: bx lr",
        5 * 5 + 2,
        0,
    ),
    "table branch": (
        "and r1, r0, #3\n tbb [pc, r1]\n2: .byte (3f-2b)/2, (4f-2b)/2, (3f-2b)/2, (3f-2b)/2\n"
        "3: bx lr\n4: nop\n bx lr",
        4,
        0,
    ),
    "across pages": (".rept 1500\n nop\n.endr\n bx lr", 1501, 0),
    "function pointer": ("push {lr}\n ldr r1, =leaf\n blx r1\n pop {pc}\n .ltorg", 4 + 2, 0),
}
LEAF = function("leaf", "adds r0, #1\n bx lr")


def single_step(image: Image) -> int:
    """The same count with a hook on every instruction, but for those predicated off."""
    entry = image.symbol("run").address
    with Simulator(image, BOARD) as simulator:
        assert simulator.read(1, 1.0) == b""
        engine: Engine = simulator._engine
        count, inside, back, stack = 0, False, 0, 0

        def on_instruction(_uc: int, address: int, _size: int, _data: int) -> None:
            nonlocal count, inside, back, stack
            if not inside and address == entry:
                inside, back, stack = True, engine.lr & ~1, engine.sp
            elif inside and address == back and engine.sp == stack:
                inside = False
            count += inside

        remove = engine.hook_instructions(on_instruction)
        simulator.write(b"\x05")
        assert len(simulator.read(1, 1.0)) == 1
        remove()
    return count


def measured(image: Image, *layers: str, times: int = 1) -> Measurement:
    with Simulator(image, BOARD) as simulator, simulator.measure("run", layers) as measurement:
        for _ in range(times):
            simulator.write(b"\x05")
            assert len(simulator.read(1, 1.0)) == 1
    return measurement


@pytest.mark.parametrize("case", CASES)
def test_counts_are_exact(case: str, tmp_path: Path) -> None:
    body, by_hand, predicated_off = CASES[case]
    image = build(tmp_path, function("run", body) + LEAF)
    measurement = measured(image)
    assert measurement.calls == 1
    assert measurement.instructions == by_hand == single_step(image) + predicated_off
    assert measurement.per_layer == []
    assert (
        sum(
            count * thumb_instructions(_code(image, block))
            for block, count in measurement.blocks.items()
        )
        == by_hand
    )


def _code(image: Image, block: tuple[int, int]) -> bytes:
    (segment,) = image.segments
    start = block[0] - segment.address
    return segment.data[start : start + block[1]]


def test_several_calls_add_up_and_results_are_the_same_as_unmeasured(tmp_path: Path) -> None:
    image = build(tmp_path, function("run", CASES["IT memory"][0]))
    measurement = measured(image, times=3)
    assert measurement.calls == 3
    assert measurement.instructions == 3 * CASES["IT memory"][1]


def test_layers_share_the_instructions(tmp_path: Path) -> None:
    image = build(
        tmp_path,
        function("run", "push {r4, lr}\n nop\n bl one\n nop\n bl two\n bl one\n pop {r4, pc}")
        + function("one", "nop\n bx lr")
        + function("two", "push {lr}\n bl leaf\n pop {pc}")
        + LEAF,
    )
    measurement = measured(image, "one", "two")
    # push, nop, bl | nop, bx, nop, bl + nop, bx, pop | push, bl, adds, bx, pop, bl
    assert measurement.overhead.instructions == 3
    assert measurement.per_layer == [4 + 3, 6]
    assert measurement.instructions == 16
    leaf, two = image.symbol("leaf").address, image.symbol("two").address
    assert measurement.layers[1].edges[two, leaf] == 1


def test_the_entry_may_be_a_tail_call_of_the_last_layer(tmp_path: Path) -> None:
    image = build(tmp_path, function("run", "nop\n b.w leaf") + LEAF)
    measurement = measured(image, "leaf")
    assert (measurement.overhead.instructions, measurement.per_layer) == (2, [2])


def test_a_stop_inside_the_measured_function_is_not_counted_twice(tmp_path: Path) -> None:
    image = build(
        tmp_path,
        function(
            "run",
            "ldr r1, =0x40002108\n1: nop\n ldr r2, [r1]\n nop\n cmp r2, #0\n beq 1b\n"
            " movs r2, #0\n str r2, [r1]\n ldr r1, =0x40002518\n ldr r0, [r1]\n bx lr\n .ltorg",
        ),
    )
    with Simulator(image, BOARD) as simulator, simulator.measure("run") as measurement:
        simulator.write(b"a")
        assert simulator.read(1, 1.0) == b""
        simulator.write(b"b")
        assert simulator.read(1, 1.0) == b"b"
    # Two polls in vain, the third answered after the stop: three turns of five instructions.
    assert measurement.instructions == 1 + 3 * 5 + 5


def test_a_function_that_is_not_there_cannot_be_measured(tmp_path: Path) -> None:
    with (
        Simulator(build(tmp_path, ECHO), BOARD) as simulator,
        pytest.raises(InputError, match="no function layer_7"),
        simulator.measure("run", ["layer_7"]),
    ):
        pass


CYCCNT = """
    push {lr}
    ldr r1, =0xE000EDFC
    mov r2, #0x01000000
    cbz r0, 1f
    str r2, [r1]
1:  ldr r1, =0xE0001000
    mov r2, #1
    str r2, [r1]
    b 2f
2:  ldr r2, [r1, #4]
    b 3f
3:  mov r0, #50
4:  subs r0, #1
    bne 4b
    b 5f
5:  ldr r0, [r1, #4]
    subs r0, r2
    pop {pc}
    .ltorg
"""


def test_cyccnt_counts_modelled_cycles_while_measuring(tmp_path: Path) -> None:
    image = build(tmp_path, function("run", CYCCNT))
    with Simulator(image, BOARD, cycles_per_instruction=1.5) as simulator:
        simulator.write(b"\x01")
        assert simulator.read(1, 1.0) == b"\x00"  # stopped outside `measure`
        with simulator.measure("run"):
            simulator.write(b"\x01")
            (cycles,) = simulator.read(1, 1.0)
        # 104 instructions lie between the block of the first reading and that of the second,
        # and both readings take their own block for executed.
        assert 1.5 * 102 <= cycles <= 1.5 * 108
        with simulator.measure("run"):
            simulator.write(b"\x01")
            assert simulator.read(1, 1.0) == bytes([cycles])


def test_cyccnt_needs_trcena(tmp_path: Path) -> None:
    image = build(tmp_path, function("run", CYCCNT))
    with Simulator(image, BOARD) as simulator, simulator.measure("run"):
        simulator.write(b"\x00")
        assert simulator.read(1, 1.0) == b"\x00"


# ---- faults ----


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        (
            "mov r1, #0x30000000\n bad: ldr r0, [r1, #4]",
            "read fault, 4 byte(s) at 0x30000004",
            None,
        ),
        ("mov r1, #0x30000000\n bad: strb r0, [r1]", "write fault, 1 byte(s) at 0x30000000", None),
        ("ldr r1, =0x20040000\n bad: ldrh r0, [r1]", "read fault, 2 byte(s) at 0x20040000", None),
        ("movs r1, #0\n bad: str r0, [r1, #64]", "write fault, 4 byte(s) at 0x00000040", "Flash"),
        ("nop\n bad: udf #1", "undefined instruction", None),
        ("nop\n bad: bkpt #1", "breakpoint", None),
        (
            "mov r1, #0x20000000\n mov sp, r1\n bad: push {r0-r3}",
            "write fault, 4 byte(s) at 0x1ffffff0",
            "a stack overflow. The board's stack_size is 4096 bytes",
        ),
        ("ldr r1, =0x40003000\n bad: ldr r0, [r1]", "read fault, 4 byte(s) at 0x40003000", None),
        ("ldr r1, =0x40002700\n bad: ldr r0, [r1]", "read of uart0 at offset 0x700", None),
        ("mov r1, #0x40000000\n bad: str r0, [r1, #16]", "write of clock at offset 0x10", None),
        ("ldr r1, =0xE000ED0C\n ldr r2, =0x05FA0004\n bad: str r2, [r1]", "resets itself", None),
    ],
)
def test_a_fault_says_what_and_where(
    body: str, message: str, hint: str | None, tmp_path: Path
) -> None:
    image = build(tmp_path, ".global bad\n" + function("run", body + "\n bx lr\n .ltorg"))
    error = fault(image)
    assert message in error.message
    bad, run = image.symbol("bad").address & ~1, image.symbol("run").address
    assert error.message.endswith(f", at PC {bad:#010x} (run+{bad - run:#x})")
    assert (error.hint is None) == (hint is None)
    assert hint is None or hint in str(error.hint)


def test_a_jump_into_nothing_names_the_address(tmp_path: Path) -> None:
    image = build(tmp_path, function("run", "ldr r1, =0x30000001\n bx r1\n .ltorg"))
    assert "memory fetch fault, 2 byte(s) at 0x30000000" in fault(image).message


def test_a_dead_simulator_stays_dead(tmp_path: Path) -> None:
    with Simulator(build(tmp_path, function("run", "udf #0")), BOARD) as simulator:
        simulator.write(b"a")
        for _ in range(2):
            with pytest.raises(DeviceError, match="undefined instruction"):
                simulator.read(1, 1.0)
        with pytest.raises(DeviceError, match="undefined instruction"):
            simulator.write(b"b")


def test_a_hang_ends(tmp_path: Path) -> None:
    error = fault(build(tmp_path, function("run", "b run")), limit_s=0.1)
    assert "no end after 0.1 s of CPU time, at PC" in error.message
    assert "(run+0x0)" in error.message


@pytest.mark.parametrize("measuring", [False, True])
def test_ctrl_c_ends_a_hang(measuring: bool, tmp_path: Path) -> None:
    image = build(tmp_path, function("run", "b run"))
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with Simulator(image, BOARD, limit_s=20) as simulator:
        simulator.write(b"a")
        with (
            simulator.measure("run") if measuring else contextlib.nullcontext(),
            pytest.raises(KeyboardInterrupt),
        ):
            timer.start()
            simulator.read(1, 1.0)
    timer.join()


def test_a_halt_gives_its_reason_and_its_caller(tmp_path: Path) -> None:
    image = build(tmp_path, function("run", "movs r0, #2\n nop\n bl tinyflow_halt"))
    error = fault(image)
    assert (
        "the firmware halted: an oscillator, PLL or regulator never became ready" in error.message
    )
    assert "called at PC" in error.message and "(run+0x4)" in error.message


def test_ram_is_not_zero_at_start(tmp_path: Path) -> None:
    image = build(tmp_path, function("run", "mov r1, #0x20000000\n ldrb r0, [r1, #16]\n bx lr"))
    with Simulator(image, BOARD) as simulator:
        simulator.write(b"a")
        assert simulator.read(1, 1.0) != b"\x00"


def test_an_image_for_another_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are not in the flash of stm32f746"):
        Simulator(build(tmp_path, ECHO), load_board("stm32f746"))


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ("REG(0x40000000) = 1;", None),  # the wait for the oscillator never ends
        ("REG(0x50000718) = 3;", "uses pin P0.06, which is not an output"),
        ("REG(0x4000250C) = 6;", "PSEL.TXD at 0xffffffff; the board's pin is 0x6"),
        ("REG(0x40002524) = 0x01D7E000;", "runs at 250000 baud; the board's speed is 115200"),
        ("REG(0x40002500) = 4;", "is started while ENABLE is not 4"),
        ("REG(0x40002008) = 1;", "waits for TXDRDY, but STARTTX was not triggered|not started"),
        ("REG(0x40002000) = 1;", "waits for a byte, but it was not started"),
    ],
)
def test_a_uart_that_is_not_set_up_faults(remove: str, message: str | None, tmp_path: Path) -> None:
    assert remove in UART_SETUP
    image = build(tmp_path, ECHO, setup=UART_SETUP.replace(remove, ""), main=MAIN)
    error = fault(image, limit_s=0.3)
    if message is None:
        assert "no end after" in error.message
    else:
        assert any(part in error.message for part in message.split("|"))
