# SPDX-License-Identifier: Apache-2.0
"""The error bars of modelled latencies, as they follow from the points that were run.

A board's bar is the largest error of the points that speak for it, rounded up, and never less than
`_LEAST`: your code and compiler are not those measured. Of Embench, where some programs are off by
far for reasons unknown, three quarters count.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from tinyflow.boards import Board, Core
from tinyflow.timing.validation_points import POINT_SETS


@dataclass(frozen=True)
class ErrorBar:
    """Error bar of a modelled latency, either way, and its reason."""

    percent: int
    basis: str


#: Percent.
_LEAST = 10
#: Points of percent that a memory without a comparison may add: the F746's largest error fell by
#: seven when the cost of a cache line was chosen on measurements.
_UNKNOWN_MEMORY = 10


def _board_bar(board: str) -> ErrorBar:
    sets = [points for points in POINT_SETS if points.speaks_for == board]
    count = sum(len(points.programs) for points in sets)
    held_out = sum(len(points.programs) for points in sets if not points.fitted)
    worst = max(points.counted_percent for points in sets)
    return ErrorBar(
        max(_LEAST, ceil(worst)),
        f"{count} measurements within {worst:.1f} %, {held_out} of them held out",
    )


#: Error bars by board.
BOARD_BARS: dict[str, ErrorBar] = {
    board: _board_bar(board)
    for board in dict.fromkeys(points.speaks_for for points in POINT_SETS)
    if board
}


def _core_bar(core: Core) -> ErrorBar:
    """The bar of a part with that core whose memories were compared with nothing."""
    worst = max(points.counted_percent for points in POINT_SETS if points.core == core)
    return ErrorBar(
        max(_LEAST, ceil(worst)) + _UNKNOWN_MEMORY,
        f"the core compared on other memories, within {worst:.1f} %; memory from the manual",
    )


_COMPARED: tuple[Core, ...] = ("cortex-m4", "cortex-m7", "cortex-m33")
_NEVER = ErrorBar(
    max(_core_bar(core).percent for core in _COMPARED),
    "the core's manual; never compared with a measurement",
)
#: Error bar of boards whose memories were not compared with anything.
CORE_BARS: dict[Core, ErrorBar] = {
    "cortex-m0plus": _NEVER,
    "cortex-m3": _NEVER,
    **{core: _core_bar(core) for core in _COMPARED},
}
#: Error bar of a board whose file does not describe its memories.
NO_MEMORY_BAR = ErrorBar(
    40, "the board file does not describe its memories: no wait states are charged"
)


def error_bar(board: Board) -> ErrorBar:
    """The error bar of what is modelled for a board."""
    if board.timing is None:
        return NO_MEMORY_BAR
    return BOARD_BARS.get(board.id, CORE_BARS[board.core])
