"""How wrong the model has been against measured silicon, and the error bars that follow.

The one place where both are declared: the report prints the bars, `docs/latency.md` the points.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.boards import Board, Core


@dataclass(frozen=True)
class Point:
    """Published cycles of code that was rebuilt, beside the model's.

    Attributes:
        board: the id of the board, or the name of one that tinyflow has no file for.
        code: what ran.
        source: who measured.
        conditions: clock, and which parameters were fitted on these points.
        errors_percent: the model less the measurement, of the measurement, one for each program;
            or the largest in absolute value where there are many.
        programs: how many there were.
        fitted: parameters of the model that were chosen on these very points.
    """

    board: str
    code: str
    source: str
    conditions: str
    errors_percent: tuple[float, ...]
    programs: int
    fitted: bool


POINTS: tuple[Point, ...] = (
    Point(
        "stm32l4r5",
        "kws, vww, ic, ad: Tiny ONNC with CMSIS-NN, mbed build",
        "MLPerf Tiny v1.1, Skymizer",
        "120 MHz",
        (1.0, -0.3, 1.3, -2.2),
        4,
        fitted=True,
    ),
    Point(
        "stm32l4r5",
        "kws, vww, ic, ad: microTVM with CMSIS-NN",
        "MLPerf Tiny v1.0, OctoML",
        "120 MHz",
        (1.7, -1.4, -5.1, -5.8),
        4,
        fitted=True,
    ),
    Point(
        "stm32l4r5",
        "28 cryptographic programs",
        "mupq/pqm4, benchmarks.csv",
        "20 MHz, no wait states, stack in SRAM3",
        (2.6,),
        28,
        fitted=True,
    ),
    Point(
        "nRF5340 DK",
        "kws, vww, ic, ad: microTVM with CMSIS-NN",
        "MLPerf Tiny v1.0, OctoML",
        "Cortex-M33, 128 MHz, no wait states modelled",
        (2.8, -0.1, -7.6, -4.3),
        4,
        fitted=False,
    ),
    Point(
        "nrf52840",
        "a 32-16-4 network: BakeNN with CMSIS-NN, and its portable C",
        "BakeNN",
        "64 MHz",
        (-2.2, 1.9),
        2,
        fitted=True,
    ),
)


@dataclass(frozen=True)
class ErrorBar:
    """How far a modelled latency may be off, either way, and why that much."""

    percent: int
    basis: str


#: By board: the largest error seen, rounded up, and more where few programs were measured.
_BOARDS: dict[str, ErrorBar] = {
    "stm32l4r5": ErrorBar(7, "36 published measurements on this part, the largest off by 5.8 %"),
    "nrf52840": ErrorBar(5, "2 published measurements on this part, the largest off by 2.2 %"),
    "stm32f746": ErrorBar(15, "memory fitted to published differences; no absolute figure"),
}
#: For parts whose memory was never compared with a measurement.
_CORES: dict[Core, ErrorBar] = {
    "cortex-m0plus": ErrorBar(25, "the core's manual; never compared with a measurement"),
    "cortex-m3": ErrorBar(20, "the core's manual; never compared with a measurement"),
    "cortex-m4": ErrorBar(15, "core validated on other parts; memory from the part's manual"),
    "cortex-m7": ErrorBar(20, "core validated by ratios; memory from the part's manual"),
    "cortex-m33": ErrorBar(15, "core validated on the nRF5340; memory from the part's manual"),
}
#: For a board whose file says nothing of its memories.
_NO_MEMORY = ErrorBar(40, "the board's memories are not described: no wait states are charged")


def error_bar(board: Board) -> ErrorBar:
    """The error bar of what is modelled for a board."""
    if board.timing is None:
        return _NO_MEMORY
    return _BOARDS.get(board.id, _CORES[board.core])
