# SPDX-License-Identifier: Apache-2.0
"""Choice of the inferences that are traced, and of those that a report states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinyflow.timing.cycle_model import Timing
from tinyflow.timing.latency_correction import LatencyCorrection

#: Inferences that are traced at most, and instructions of theirs above which only two are.
_MOST_TRACED, _TRACED_INSTRUCTIONS = 3, 48_000_000


@dataclass(frozen=True)
class VectorTiming:
    """The modelled timing of the inference of one vector."""

    vector: int
    timing: Timing


@dataclass(frozen=True)
class Timings:
    """Times of several inferences.

    Attributes:
        typical: of the traced ones, that with the median cycles, the lower one of two.
        worst: of the traced ones, that with the most cycles.
        traced: how many were traced.
        instructions: executed by each vector's inference, exactly.
    """

    typical: VectorTiming
    worst: VectorTiming
    traced: int
    instructions: tuple[int, ...]

    def corrected(self, correction: LatencyCorrection | None) -> Timings:
        """The same inferences as a board they were measured on would run them."""
        typical, worst = (
            replace(each, timing=each.timing.corrected(correction))
            for each in (self.typical, self.worst)
        )
        return replace(self, typical=typical, worst=worst)


def to_trace(instructions: Sequence[int]) -> list[int]:
    """Choose the vectors to trace, by what each inference executes; in ascending order.

    They are those with the fewest, the median and the most instructions, without the first where
    the traces would take long.
    """
    order = sorted(range(len(instructions)), key=lambda vector: (instructions[vector], vector))
    median, most = order[(len(order) - 1) // 2], order[-1]
    chosen = {median, most}
    if _MOST_TRACED * instructions[most] <= _TRACED_INSTRUCTIONS:
        chosen.add(order[0])
    return sorted(chosen)


def summarise(timings: Mapping[int, Timing], instructions: Sequence[int]) -> Timings:
    """Pick the typical and the worst of the traced inferences.

    Args:
        timings: by vector, of those that were traced; at least one.
        instructions: of every vector.
    """
    order = sorted(timings, key=lambda vector: (timings[vector].cycles, vector))
    typical, worst = order[(len(order) - 1) // 2], order[-1]
    return Timings(
        typical=VectorTiming(typical, timings[typical]),
        worst=VectorTiming(worst, timings[worst]),
        traced=len(order),
        instructions=tuple(instructions),
    )
