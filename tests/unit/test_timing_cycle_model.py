# SPDX-License-Identifier: Apache-2.0
"""Counting and pricing what small functions do on the boards' memories."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.assembly import instructions
from tests.support.bare_firmware import build_firmware, function, needs_gcc
from tinyflow.boards import Board, RunCurrent, board_ids, load_board
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import BuildError, DeviceError, InputError
from tinyflow.timing.counts import count, load_bursts, watched
from tinyflow.timing.cycle_model import CycleSplit, block_costs, predict
from tinyflow.timing.traced_run import (
    FunctionCall,
    MeasuredCall,
    call_function,
    compile_code,
    measure_code,
)
from tinyflow.timing.validation import BOARD_BARS, CORE_BARS, NO_MEMORY_BAR, error_bar
from tinyflow.timing.validation_points import POINT_SETS

pytestmark = needs_gcc

L4R5, F746, F407, NRF = map(load_board, ("stm32l4r5", "stm32f746", "stm32f407", "nrf52840"))


def assembly(body: str, data: str = "") -> dict[str, str]:
    head = ".syntax unified\n.thumb\n.text\n.balign 32\n.global run\n.type run, %function\n"
    return {"code.S": f"{head}.thumb_func\nrun:\n{body}\n.size run, . - run\n{data}\n"}


def measured(board: Board, body: str, *arguments: int, data: str = "") -> MeasuredCall:
    return measure_code(assembly(body, data), board, FunctionCall("run", arguments))


WEIGHTS = ".section .rodata\n.balign 64\n.global weights\nweights: .space 4096\n"


def test_a_loop_on_the_m4_is_worked_out_by_hand() -> None:
    # mov 1; ten times subs 1, bne 1, nine of them taken + 1; bx 1, whose return is not traced
    call = measured(L4R5, "movs r1, #10\n1: subs r1, #1\n bne 1b\n bx lr")
    assert call.timing.instructions == 1 + 10 * 2 + 1
    assert call.timing.split.core == 22
    assert call.timing.split.branch == 9
    # seven halfwords in one line of the instruction cache: one miss
    assert (call.timing.split.fetch, call.timing.split.flash_data) == (24, 0)
    assert call.timing.cycles == 22 + 9 + 24


@pytest.mark.parametrize(
    ("board", "reads", "cycles"),
    [
        # words of 8 bytes a line on the L4R5, 6 cycles a miss
        (L4R5, 16, 8 * 6),
        # 128-bit lines and 5 wait states on the F407
        (F407, 16, 4 * 5),
        # 32-byte lines on the F746: 4 cycles twice
        (F746, 16, 2 * 4),
        # every read of the nRF52840 pays, 16 times 3.3 rounds to 53
        (NRF, 16, 53),
    ],
)
def test_reading_weights_once(board: Board, reads: int, cycles: int) -> None:
    body = f"ldr r1, =weights\n movs r2, #{reads}\n1: ldr r3, [r1], #4\n subs r2, #1\n bne 1b\n"
    literal = "bx lr\n .balign 64\n .ltorg"
    call = measured(board, body + literal, data=WEIGHTS)
    without = measured(board, body.replace("ldr r3, [r1], #4", "nop") + literal, data=WEIGHTS)
    assert call.timing.split.flash_data - without.timing.split.flash_data in (cycles, cycles - 1)


def test_a_second_pass_hits_where_the_weights_fit() -> None:
    body = (
        "ldr r1, =weights\n movs r0, #5\n2: mov r3, r1\n movs r2, #{words}\n"
        "1: ldr r4, [r3], #4\n subs r2, #1\n bne 1b\n subs r0, #1\n bne 2b\n bx lr\n .ltorg"
    )
    push = "push {{r4}}\n" + body.replace("bx lr", "pop {{r4}}\n bx lr")
    fits = measured(L4R5, push.format(words=14), data=WEIGHTS)  # 7 of 8 lines; the literal's one
    exceeds = measured(L4R5, push.format(words=32), data=WEIGHTS)  # 16 lines
    assert fits.counts.overhead.flash_reads.total() == 1 + 7
    assert exceeds.counts.overhead.flash_reads.total() == 1 + 5 * 16


def test_a_loop_larger_than_the_instruction_cache_is_fetched_every_time() -> None:
    # 1 KB on the L4R5: 32 lines of 32 bytes
    body = "movs r1, #10\n1: .rept {nops}\n nop\n .endr\n subs r1, #1\n bne.w 1b\n bx lr"
    fits = measured(L4R5, body.format(nops=480)).counts.overhead.fetch_misses.total()
    exceeds = measured(L4R5, body.format(nops=600)).counts.overhead.fetch_misses.total()
    assert fits == 31
    assert exceeds == 10 * 38


def test_the_m7_predicts_loops_and_pays_for_surprises() -> None:
    loop = measured(F746, "movs r1, #100\n1: subs r1, #1\n bne 1b\n bx lr")
    assert loop.counts.overhead.mispredicted.total() == 2  # at its first turn, and at its end
    assert loop.timing.split.branch == 2 * 8
    # the branch on the lowest bit goes another way each time
    alternating = measured(
        F746, "movs r1, #100\n1: lsls r2, r1, #31\n beq 2f\n nop\n2: subs r1, #1\n bne 1b\n bx lr"
    )
    assert alternating.counts.overhead.mispredicted.total() >= 40


def test_tightly_coupled_memory_is_not_cached_on_the_f746() -> None:
    body = "movs r2, #16\n1: ldr r3, [r0], #32\n subs r2, #1\n bne 1b\n bx lr"
    assert measured(F746, body, 0x20008000).timing.split.ram == 0
    assert measured(F746, body, 0x20020000).timing.split.ram == 16 * 4


def test_slow_banks_charge_the_code_that_reads_them() -> None:
    body = "movs r2, #10\n1: ldr r3, [r0]\n subs r2, #1\n bne 1b\n bx lr"
    assert measured(L4R5, body, 0x20001000).timing.split.ram == 0  # SRAM1
    assert measured(L4R5, body, 0x20050000).timing.split.ram == 13  # SRAM3, 1.3 a burst
    assert measured(F407, body, 0x20001000).timing.split.ram == 5


def test_only_the_bursts_that_read_the_slow_bank_are_charged() -> None:
    # one load of SRAM3 in a block with three bursts of loads from SRAM1
    body = (
        "movs r3, #10\n1: ldr r2, [r0]\n nop\n ldr r2, [r0]\n nop\n ldr r2, [r0]\n nop\n"
        " ldr r2, [r1]\n subs r3, #1\n bne 1b\n bx lr"
    )
    call = measured(L4R5, body, 0x20001000, 0x20050000)
    assert call.counts.overhead.ram_bursts.total() == 10
    assert call.timing.split.ram == 13
    # four words in two bursts
    pairs = (
        "movs r3, #10\n1: ldr r2, [r1]\n ldr r2, [r1, #4]\n nop\n ldr r2, [r1, #8]\n"
        " ldr r2, [r1, #12]\n subs r3, #1\n bne 1b\n bx lr"
    )
    assert measured(L4R5, pairs, 0, 0x20050000).timing.split.ram == 26


def test_a_warm_call_finds_code_data_and_predictions() -> None:
    body = "movs r2, #100\n1: ldr r3, [r1]\n subs r2, #1\n bne 1b\n bx lr"
    for board in (L4R5, F746):
        address = board.flash.origin + 0x8000
        call = FunctionCall("run", (0, address))
        cold = measure_code(assembly(body), board, call)
        warm = measure_code(assembly(body), board, call, warm=True)
        assert warm.timing.instructions == cold.timing.instructions
        assert warm.timing.split.core == cold.timing.split.core
        assert warm.counts.overhead.executions == cold.counts.overhead.executions
        assert cold.timing.split.fetch > 0 and cold.timing.split.flash_data > 0
        assert warm.timing.split.fetch == warm.timing.split.flash_data == 0
    # the predictor still says taken: only the end of the loop is a surprise
    assert cold.counts.overhead.mispredicted.total() == 2
    assert warm.counts.overhead.mispredicted.total() == 1


def test_bursts() -> None:
    text = "ldr r0, [r1]; ldr r2, [r1, #4]; nop; ldr r0, [r1]; ldmia r1, {r2, r3}; str r0, [r1]"
    assert load_bursts(instructions(text)) == 3


def test_blocks_and_instructions_share_out_the_section() -> None:
    body = (
        "ldr r1, =weights\n movs r2, #9\n1: ldr r3, [r1], #4\n subs r2, #1\n bne 1b\n"
        " bx lr\n .ltorg"
    )
    for board in (L4R5, F746, NRF, F407):
        call = measured(board, body, data=WEIGHTS)
        costs = block_costs(call.counts, call.counts.overhead, board)
        total = sum((cost.split for cost in costs.values()), CycleSplit())
        assert (total.core, total.branch) == (call.timing.split.core, call.timing.split.branch)
        # rounded block by block, not section by section
        assert abs(total.cycles - call.timing.cycles) <= 3 * len(costs)
        for cost in costs.values():
            lines = [split for _, split in cost.instructions]
            assert sum(line.core for line in lines) == cost.split.core
            assert sum(line.branch for line in lines) == cost.split.branch
        text = [item.text for cost in costs.values() for item, _ in cost.instructions]
        assert any(line.startswith("ldr r3, [r1], #4") for line in text)


# ---- sections ----

LAYERS = (
    function("run", "push {r4, lr}\n nop\n bl one\n nop\n bl two\n bl one\n pop {r4, pc}")
    + function("one", "nop\n cmp r0, #3\n it eq\n ldreq r1, [sp]\n bx lr")
    + function("two", "push {lr}\n ldr r1, =run\n ldr r1, [r1]\n bl leaf\n pop {pc}\n .ltorg")
    + function("leaf", "adds r0, #1\n bx lr")
)


def test_layers_and_overhead_add_up(tmp_path: Path) -> None:
    image = build_firmware(tmp_path, LAYERS)
    names = ["one", "two"]
    results = []
    for _ in range(2):
        with Simulator(image, NRF) as simulator:
            simulator.write(b"\x05")
            with simulator.measure("run", names) as measurement:
                assert simulator.read(1, 1.0) == b"\x06"
            simulator.write(b"\x05")
            with simulator.trace("run", watched(NRF)) as tracer:
                assert simulator.read(1, 1.0) == b"\x06"
            counts = count(tracer.trace(), NRF, [image.symbol(name).address for name in names])
        timing = predict(counts, NRF)
        assert timing.instructions == measurement.instructions
        assert [layer.instructions for layer in timing.layers] == measurement.per_layer
        assert timing.overhead.instructions == measurement.overhead.instructions
        assert counts.layers[1].edges == measurement.layers[1].edges
        assert timing.cycles == timing.overhead.cycles + sum(x.cycles for x in timing.layers)
        results.append(timing)
    assert results[0] == results[1]


# ---- a hook on loads must not change what runs ----


@pytest.mark.parametrize("argument", range(8))
def test_predicated_loads_do_the_same_under_a_trace(argument: int) -> None:
    body = """
        ldr r3, =weights
        movs r2, #0
    1:  tst r0, #1
        ite ne
        ldrne r1, [r3]
        moveq r1, #100
        b 2f
    2:  add r2, r1
        cmp r0, #4
        itt hi
        ldrhi r1, [r3, #4]
        addhi r2, r1
        b 3f
    3:  adds r2, #1
        cbz r0, 4f
        subs r0, #1
        b 1b
    4:  mov r0, r2
        bx lr
        .ltorg
    """
    data = ".section .rodata\n.balign 4\nweights: .word 7, 1000\n"
    expected = sum((7 if n & 1 else 100) + (1000 if n > 4 else 0) + 1 for n in range(argument + 1))
    # `call_function` itself compares with a run that has no hooks
    assert measured(L4R5, body, argument, data=data).result == expected


# ---- measuring code ----


def test_c_code_is_compiled_for_the_core_and_its_memory_read_back() -> None:
    sources = {
        "sum.c": "#include <stdint.h>\nint8_t input[64]; int32_t output;\n"
        "void run(int n) { int32_t s = 0; for (int i = 0; i < n; ++i) s += input[i]; output = s; }"
    }
    call = FunctionCall("run", (64,), {"input": bytes([1] * 32 + [255] * 16 + [2] * 16)})
    for board in map(load_board, board_ids()):
        found = measure_code(sources, board, call, read=["output"])
        assert int.from_bytes(found.memory["output"], "little") == 32 - 16 + 32
        assert found.timing == measure_code(sources, board, call, read=["output"]).timing


def test_one_image_may_be_called_often() -> None:
    image = compile_code(assembly("1: subs r0, #1\n bne 1b\n bx lr"), L4R5)
    cycles = [
        call_function(image, L4R5, FunctionCall("run", (n,))).timing.split.core for n in (1, 2, 10)
    ]
    assert cycles == [3, 5, 21]


def test_wrong_code_is_an_error() -> None:
    with pytest.raises(BuildError, match="refused"):
        measured(L4R5, "no_such_instruction")
    with pytest.raises(InputError, match="no symbol missing"):
        measure_code(assembly("bx lr"), L4R5, FunctionCall("missing"))
    with pytest.raises(DeviceError, match="fault"):
        measured(L4R5, "ldr r0, [r0]\n bx lr", 0x60000000)


# ---- the boards' data ----


@pytest.mark.parametrize("board_id", board_ids())
def test_every_datum_names_its_source(board_id: str) -> None:
    board = load_board(board_id)
    timing = board.timing
    if timing is None:
        assert error_bar(board).percent >= 40
        return
    assert timing.source and timing.fetch.source and timing.flash_data.source
    assert all(bank.source for bank in timing.ram)
    ram = board.ram
    assert all(
        ram.origin <= bank.origin and bank.origin + bank.size <= ram.origin + ram.size
        for bank in timing.ram
    )
    assert 0 < error_bar(board).percent < NO_MEMORY_BAR.percent


def test_a_board_that_says_nothing_has_the_widest_bar() -> None:
    silent = L4R5.model_copy(update={"timing": None})
    call = measured(silent, "ldr r1, =weights\n ldr r1, [r1]\n bx lr\n .ltorg", data=WEIGHTS)
    assert call.timing.split.flash_data == call.timing.split.fetch == 0
    assert call.timing.error.percent == 40


def test_bars_cover_every_point_that_counts() -> None:
    for points in POINT_SETS:
        worst = points.counted_percent
        assert CORE_BARS[points.core].percent >= worst, points
        if points.speaks_for:
            assert BOARD_BARS[points.speaks_for].percent >= worst, points


def test_only_stated_outliers_do_not_count() -> None:
    errors = [
        (points.source, abs(program.error_percent), points.counted_percent)
        for points in POINT_SETS
        for program in points.programs
    ]
    assert len(errors) == 86
    outliers = [source for source, error, counted in errors if error > counted]
    assert outliers == ["Embench-IoT 2.0"] * 4


def test_some_points_of_every_measured_board_are_held_out() -> None:
    for board in BOARD_BARS:
        load_board(board)
        held_out = [p for p in POINT_SETS if p.speaks_for == board and not p.fitted]
        assert held_out, board


def test_a_part_that_was_never_measured_has_no_smaller_bar_than_one_that_was() -> None:
    for board in map(load_board, board_ids()):
        other = board.model_copy(update={"id": "another"})
        assert error_bar(other).percent >= error_bar(board).percent


def test_energy_is_power_times_time() -> None:
    current = RunCurrent(ma=Decimal("10"), volts=Decimal("3"), source="s")
    board = NRF.model_copy(update={"run_current": current})
    timing = measured(board, "bx lr").timing
    assert timing.power_mw == 30
    assert timing.microjoules(64_000) == pytest.approx(30.0)  # a millisecond at 30 mW
    assert replace(timing, power_mw=None).microjoules(64_000) is None
