# SPDX-License-Identifier: Apache-2.0
"""The pipeline of each core."""

from __future__ import annotations

from dataclasses import replace

from tinyflow.boards import Board, Core
from tinyflow.timing.core_pipeline import Pipeline
from tinyflow.timing.dual_issue import DualIssue
from tinyflow.timing.single_issue import (
    CORTEX_M0_PLUS,
    CORTEX_M3,
    CORTEX_M4,
    CORTEX_M33,
    SMALL_MULTIPLIER,
    SingleIssue,
)

PIPELINES: dict[Core, Pipeline] = {
    "cortex-m0plus": SingleIssue("cortex-m0plus", CORTEX_M0_PLUS),
    "cortex-m3": SingleIssue("cortex-m3", CORTEX_M3),
    "cortex-m4": SingleIssue("cortex-m4", CORTEX_M4),
    "cortex-m7": DualIssue(),
    "cortex-m33": SingleIssue("cortex-m33", CORTEX_M33),
}

_SMALL_M0_PLUS = SingleIssue("cortex-m0plus", replace(CORTEX_M0_PLUS, multiply=SMALL_MULTIPLIER))


def pipeline_of(board: Board) -> Pipeline:
    """The pipeline of the board's core, as its maker has built it."""
    small = board.timing is not None and board.timing.multiply_cycles != 1
    if board.core == "cortex-m0plus" and small:
        return _SMALL_M0_PLUS
    return PIPELINES[board.core]
