"""Cycles from executed instructions, by one figure per core: an estimate, and called so.

The figures stand for int8 networks on CMSIS-NN with code and weights in flash behind the
vendor's accelerator or cache. They were chosen from published silicon cycles of CMSIS-NN builds of
the MLPerf Tiny models (rounds v1.0 and v1.1: NUCLEO-L4R5ZI, nRF5340 DK) divided by the
instructions that CMSIS-NN 7.0.0 executes on them: 0.86 to 1.78 on the Cortex-M4, 1.23 to 1.38 on
the Cortex-M33; `docs/latency.md` has the table. The Cortex-M7 issues two instructions a cycle;
published ratios of the same code put it 1.3 to 1.7 times ahead of an M4 per clock. M0+ and M3
are unchecked.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.boards import Board, Core


@dataclass(frozen=True)
class Estimate:
    """Cycles of one inference and how far they may be off.

    Attributes:
        cycles: core clock cycles.
        milliseconds: at the board's clock.
        cycles_per_instruction: the figure used.
        error_percent: half the width of the error bar.
    """

    cycles: int
    milliseconds: float
    cycles_per_instruction: float
    error_percent: int


CYCLES_PER_INSTRUCTION: dict[Core, float] = {
    "cortex-m0plus": 1.5,
    "cortex-m3": 1.4,
    "cortex-m4": 1.35,
    "cortex-m7": 0.85,
    "cortex-m33": 1.3,
}
#: The spread of the measured ratios, and of memory systems that this figure does not tell apart.
ERROR_PERCENT = 40


def estimate(instructions: int, board: Board) -> Estimate:
    """The estimated latency of that many executed instructions on the board."""
    ratio = CYCLES_PER_INSTRUCTION[board.core]
    cycles = round(instructions * ratio)
    return Estimate(cycles, 1e3 * cycles / board.clock_hz, ratio, ERROR_PERCENT)
