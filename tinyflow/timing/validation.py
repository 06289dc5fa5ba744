"""How wrong the model has been against measured silicon, and the error bars that follow.

The one place where both are declared: the report prints the bars, `docs/latency.md` the points.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.boards import Board, Core


@dataclass(frozen=True)
class Point:
    """Published measurements of code that was rebuilt, beside the model's cycles for it.

    Attributes:
        board: the id of the board, or the name of a part that tinyflow has no file for.
        conditions: the core's clock, and what was particular.
        code: what ran.
        source: who measured.
        errors_percent: the model's cycles less the measured ones, in percent of these: one for
            each program, or as `note` says.
        note: what the errors are, where they are not one for each program.
        fitted: parameters of the board's memory were chosen on these very points.
    """

    board: str
    conditions: str
    code: str
    source: str
    errors_percent: tuple[float, ...]
    note: str = ""
    fitted: bool = False

    @property
    def worst_percent(self) -> float:
        """The largest error, either way."""
        return max(abs(error) for error in self.errors_percent)


POINTS: tuple[Point, ...] = (
    Point(
        "stm32l4r5",
        "120 MHz",
        "kws, vww, ic, ad: Tiny ONNC with CMSIS-NN, mbed build",
        "MLPerf Tiny v1.1, Skymizer",
        (1.0, -0.3, 1.3, -2.2),
        fitted=True,
    ),
    Point(
        "stm32l4r5",
        "120 MHz",
        "kws, vww, ic, ad: microTVM with CMSIS-NN",
        "MLPerf Tiny v1.0, OctoML",
        (1.7, -1.4, -5.1, -5.8),
        fitted=True,
    ),
    Point(
        "stm32l4r5",
        "120 MHz",
        "kws and vww, ic, ad: Tiny ONNC with CMSIS-NN, Zephyr build",
        "MLPerf Tiny v1.1, Skymizer",
        (14.0, -1.2, -3.7),
        note="kws and vww are both missed by 13 to 14 either way, unexplained",
    ),
    Point(
        "stm32l4r5",
        "20 MHz, no wait states, stack in SRAM3",
        "28 cryptographic programs",
        "mupq/pqm4, benchmarks.csv",
        (2.6,),
        note="the largest either way; 1.7 root mean square",
        fitted=True,
    ),
    Point(
        "nRF5340",
        "Cortex-M33, 128 MHz, no wait states charged",
        "kws, vww, ic, ad: microTVM with CMSIS-NN",
        "MLPerf Tiny v1.0, OctoML",
        (2.8, -0.1, -7.6, -4.3),
    ),
    Point(
        "nrf52840",
        "64 MHz",
        "a 32-16-4 network: BakeNN with CMSIS-NN, and its portable C",
        "BakeNN",
        (-2.2, 1.9),
        fitted=True,
    ),
    Point(
        "stm32f407",
        "16 MHz, no wait states",
        "14 of the 19 programs of embench-iot",
        "embench-iot, speed.json",
        (4.5,),
        note="the median either way",
        fitted=True,
    ),
    Point(
        "Cortex-M7, caches and TCM",
        "Teensy 4, STM32H743",
        "CoreMark, -O2 and -O3 unrolled",
        "published CoreMark per MHz",
        (-0.5, -4.0),
        note="the second against the lowest of 4.10 to 4.24",
    ),
)


@dataclass(frozen=True)
class ErrorBar:
    """How far a modelled latency may be off, either way, and why that much."""

    percent: int
    basis: str


#: By board: no less than the largest error listed above, and more where little was compared.
BOARD_BARS: dict[str, ErrorBar] = {
    "stm32l4r5": ErrorBar(15, "38 of 40 published measurements within 6 %, two off by 14 %"),
    "nrf52840": ErrorBar(10, "two published measurements of one small network, within 3 %"),
    "stm32f407": ErrorBar(20, "core compared at 16 MHz; flash from the manual's wait states"),
    "stm32f746": ErrorBar(20, "core compared on CoreMark; no network was measured"),
}
#: For boards that nothing was measured on.
CORE_BARS: dict[Core, ErrorBar] = {
    "cortex-m0plus": ErrorBar(25, "the core's manual; never compared with a measurement"),
    "cortex-m3": ErrorBar(25, "the core's manual; never compared with a measurement"),
    "cortex-m4": ErrorBar(20, "core compared on other parts; memory from the part's manual"),
    "cortex-m7": ErrorBar(25, "core compared on CoreMark; memory from the part's manual"),
    "cortex-m33": ErrorBar(20, "core compared on the nRF5340; memory from the part's manual"),
}
#: For a board whose file says nothing of its memories.
NO_MEMORY_BAR = ErrorBar(
    40, "the board file does not describe its memories: no wait states are charged"
)


def error_bar(board: Board) -> ErrorBar:
    """The error bar of what is modelled for a board."""
    if board.timing is None:
        return NO_MEMORY_BAR
    return BOARD_BARS.get(board.id, CORE_BARS[board.core])
