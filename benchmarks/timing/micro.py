# SPDX-License-Identifier: Apache-2.0
"""Loops of a few instructions, whose cycles follow from a manual by counting.

Each loop runs from flash and a second time, so that its code is in the instruction cache; what the
same loop takes with nothing in it is subtracted. What is expected is written as the source's rule
says it, not as the model computes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.boards import Board, Core, load_board
from tinyflow.timing.traced_run import FunctionCall, MeasuredCall, measure_code

#: Iterations of each loop.
TURNS = 40
_M4, _M4_PAIRS, _M0 = "Arm 100166, 3.3.1", "Arm 100166, 3.3.2", "Arm DDI 0484, table 3.1"
_M7 = "github.com/jnk0le/random, Cortex-M7"
_L4R5, _F407, _F746, _NRF = "stm32l4r5", "stm32f407", "stm32f746", "nrf52840"
#: Addresses in r0 and r1: behind the stack in RAM, and far behind the code in flash.
_RAM, _FLASH_OFFSET = 0x8000, 0x10000


@dataclass(frozen=True)
class Loop:
    """One loop.

    Attributes:
        name: what it shows.
        board: whose core and memories it runs on.
        body: the assembly of one turn. It finds RAM at r0, flash at r1, and leaves r3 alone.
        instructions: executed in one turn.
        cycles: of one turn, the least and the most that the source allows.
        source: where the rule is documented.
        core: if given, another core without wait states instead of the board's.
        ram: offset of r0 in RAM.
    """

    name: str
    board: str
    body: str
    instructions: int
    cycles: tuple[float, float]
    source: str
    core: Core | None = None
    ram: int = _RAM

    def measure(self) -> tuple[float, float]:
        """Executed instructions and modelled cycles of one turn, the loop's own end left out."""
        full, empty = self._run(self.body), self._run("")
        return (
            (full.timing.instructions - empty.timing.instructions) / TURNS,
            (full.timing.cycles - empty.timing.cycles) / TURNS,
        )

    def keeps(self, instructions: float, cycles: float) -> bool:
        """The figures are the expected ones.

        All turns together may be off by two cycles: on the M7 the last turn's branch pairs with
        what comes before the turns or behind them.
        """
        low, high = self.cycles
        slack = 2 / TURNS
        return instructions == self.instructions and low - slack <= cycles <= high + slack

    def _run(self, body: str) -> MeasuredCall:
        board = self._board()
        # M0+ has no wide conditional branch, others need one around much code
        width = "" if self.core == "cortex-m0plus" else ".w"
        call = FunctionCall(
            "run", (board.ram.origin + self.ram, board.flash.origin + _FLASH_OFFSET)
        )
        text = (
            ".syntax unified\n.thumb\n.text\n.balign 32\n.global run\n.type run, %function\n"
            f".thumb_func\nrun: movs r3, #{TURNS}\n.balign 32\n"
            f"1: {body}\n subs r3, #1\n bne{width} 1b\n bx lr\n .size run, . - run\n"
        )
        return measure_code({"loop.S": text}, board, call, warm=True)

    def _board(self) -> Board:
        board = load_board(self.board)
        if self.core is None:
            return board
        return board.model_copy(
            update={"core": self.core, "fpu": None, "float_abi": "soft", "timing": None}
        )


def _same(cycles: float) -> tuple[float, float]:
    return cycles, cycles


_STREAM_WORDS = 8
_STREAM = (
    "; ".join(f"ldr.w r2, [r1, #{4 * word}]" for word in range(_STREAM_WORDS)) + "; adds r1, #32"
)
#: Cycles of the core for a stream: N loads in a row take N + 1, and the ADDS one.
_STREAM_CORE = _STREAM_WORDS + 2
_NOP_FILL = ".rept 1024\n nop\n .endr"

LOOPS = (
    # ---- Cortex-M4: the core ----
    Loop("4 loads in a row: N + 1", _L4R5,
         "ldr r2, [r0]; ldr r2, [r0, #4]; ldr r2, [r0, #8]; ldr r2, [r0, #12]",
         4, _same(5), _M4_PAIRS),
    Loop("4 loads apart: 2 each", _L4R5,
         ".rept 4\n ldr r2, [r0]\n nop\n .endr", 8, _same(12), _M4),
    Loop("4 stores in a row: 1 each", _L4R5,
         ".rept 4\n str r2, [r0, #4]\n .endr", 4, _same(4), _M4_PAIRS),
    Loop("PUSH, LDM, POP of 3, 4, 3 words: 1 + N", _L4R5,
         "push {r4-r6}; ldmia r0, {r2, r4-r6}; pop {r4-r6}", 3, _same(4 + 5 + 4), _M4),
    Loop("8 multiply-accumulates: 1 each", _L4R5,
         ".rept 8\n smlad r2, r2, r2, r2\n .endr", 8, _same(8), _M4),
    Loop("4 long multiply-accumulates: 1 each", _L4R5,
         ".rept 4\n smlal r2, r12, r2, r2\n .endr", 4, _same(4), _M4),
    Loop("UDIV: 2 to 12", _L4R5, "udiv r2, r0, r0", 1, (2, 12), _M4),
    Loop("taken branch: 1 + P, P 1 to 3", _L4R5, "b 2f; nop; 2:", 1, (2, 4), _M4),
    Loop("branch not taken: 1", _L4R5, "cbz r0, 2f; 2:", 1, _same(1), _M4),
    Loop("call and return: 2 + 2 P", _L4R5,
         "mov r12, lr; bl 2f; mov lr, r12; b 3f; nop; 2: bx lr; nop; 3:", 5, (8, 14), _M4),
    # ---- Cortex-M7: pairs ----
    Loop("8 independent ADDs: 2 a cycle", _F746,
         ".rept 4\n add.w r2, r0, r1\n add.w r12, r0, r1\n .endr", 8, _same(4), _M7),
    Loop("4 MACs paired with 4 ADDs: a pair a cycle", _F746,
         ".rept 4\n smlad r2, r0, r1, r2\n add.w r12, r0, r1\n .endr", 8, _same(4), _M7),
    Loop("8 MACs: 1 a cycle", _F746,
         ".rept 8\n smlad r2, r0, r1, r2\n .endr", 8, _same(8), _M7),
    Loop("8 stores: 1 a cycle", _F746, ".rept 8\n str r2, [r0]\n .endr", 8, _same(8), _M7),
    Loop("8 loads from two banks: 2 a cycle", _F746,
         ".rept 4\n ldr r2, [r0]\n ldr.w r12, [r0, #4]\n .endr", 8, _same(4), _M7, ram=0x4000),
    Loop("8 loads from one bank: 1 a cycle", _F746,
         ".rept 4\n ldr r2, [r0]\n ldr.w r12, [r0, #8]\n .endr", 8, _same(8), _M7, ram=0x4000),
    # ---- Cortex-M0+ ----
    Loop("4 loads: 2 each", _NRF, ".rept 4\n ldr r2, [r0]\n .endr", 4, _same(8), _M0,
         core="cortex-m0plus"),
    Loop("8 MULS: 1 each", _NRF, ".rept 8\n muls r2, r2\n .endr", 8, _same(8), _M0,
         core="cortex-m0plus"),
    Loop("taken branch: 2", _NRF, "b 2f; nop; 2:", 1, _same(2), _M0, core="cortex-m0plus"),
    # ---- memories: a stream of words from flash, each line once ----
    Loop("stream from flash: 6 each 8 bytes", _L4R5, _STREAM,
         _STREAM_WORDS + 1, _same(_STREAM_CORE + 6 * _STREAM_WORDS * 4 / 8), "boards/stm32l4r5"),
    Loop("stream from flash: 5 each 16 bytes", _F407, _STREAM,
         _STREAM_WORDS + 1, _same(_STREAM_CORE + 5 * _STREAM_WORDS * 4 / 16), "boards/stm32f407"),
    Loop("stream from flash: 3.3 each read", _NRF, _STREAM,
         _STREAM_WORDS + 1, _same(_STREAM_CORE + 3.3 * _STREAM_WORDS), "boards/nrf52840"),
    Loop("2 loads from SRAM3: 1.3 the burst", _L4R5,
         "ldr r2, [r0]; ldr r2, [r0, #4]", 2, _same(3 + 1.3), "boards/stm32l4r5", ram=0x50000),
    Loop("2 KB of code in a 1 KB cache: 24 each 32 bytes", _L4R5, f"{_NOP_FILL}\n b 2f\n 2:",
         1025, (1026 + 24 * 64, 1028 + 24 * 66), "boards/stm32l4r5"),
)  # fmt: skip
