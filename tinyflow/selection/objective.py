"""What a choice of kernels is to make least, and within which limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyflow.project import Objective

#: `balanced` may give up so many percent of the fastest choice's cycles, and no more.
BALANCED_LOSS_PERCENT = 10
#: `balanced` takes a percent of cycles for so many of flash or arena.
_CYCLES_WEIGHT = 2

#: The less, the better.
Score = tuple[int, ...]
#: The score of cycles, flash and arena, which is no less where one of them is more.
Scoring = Callable[[int, int, int], Score]


@dataclass(frozen=True)
class Limits:
    """What a choice should stay within; None is no limit.

    Attributes:
        flash: bytes of constants and of the code of layers and kernels.
        arena: bytes.
        cycles: of one inference.
    """

    flash: int | None = None
    arena: int | None = None
    cycles: int | None = None


@dataclass(frozen=True)
class Totals:
    """What a choice is predicted to take; each in the sense of `Limits`."""

    cycles: int
    flash: int
    arena: int


def scoring(optimize: Objective, least_cycles: int) -> Scoring:
    """What is made least, given the cycles of the fastest choice."""

    def balanced(cycles: int, flash: int, arena: int) -> Score:
        lost = max(0, 100 * (cycles - least_cycles) - BALANCED_LOSS_PERCENT * least_cycles)
        return lost, cycles**_CYCLES_WEIGHT * max(flash, 1) * arena

    objectives: dict[Objective, Scoring] = {
        "speed": lambda cycles, flash, arena: (cycles, flash),
        "size": lambda cycles, flash, arena: (flash, cycles),
        "ram": lambda cycles, flash, arena: (arena, cycles, flash),
        "balanced": balanced,
    }
    return objectives[optimize]


def room_below(best: Score, score: Callable[[int], Score], least: int, most: int) -> int | None:
    """The largest arena, from `least` to `most`, whose score is below the best one."""
    if least > most or score(least) >= best:
        return None
    low, high = least, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        if score(middle) < best:
            low = middle
        else:
            high = middle
    return low


def excess(totals: Totals, limits: Limits) -> int:
    """How far figures are beyond their limits, in millionths of these, added up."""
    figures = (
        (limits.cycles, totals.cycles),
        (limits.flash, totals.flash),
        (limits.arena, totals.arena),
    )
    return sum(
        max(0, 1_000_000 * (figure - limit) // max(limit, 1))
        for limit, figure in figures
        if limit is not None
    )
