# SPDX-License-Identifier: Apache-2.0
"""Objectives and limits of a choice of kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from tinyflow.settings.project_file import Objective

#: The most that `balanced` may give up of the fastest choice's cycles, in percent.
BALANCED_LOSS_PERCENT = 10
#: In `balanced`, 1 % of cycles is worth 2 % of flash or arena.
CYCLES_WEIGHT = 2

#: The less, the better.
Score = tuple[int, ...]
#: Score of cycles, flash and arena, monotonic in each of them.
Scoring = Callable[[int, int, int], Score]


@dataclass(frozen=True)
class Limits:
    """Limits that a choice should keep; None is no limit.

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
    """Predicted figures of a choice; each in the sense of `Limits`."""

    cycles: int
    flash: int
    arena: int


def scoring(optimize: Objective, least_cycles: int) -> Scoring:
    """Return the score to minimise, given the cycles of the fastest choice."""

    def balanced(cycles: int, flash: int, arena: int) -> Score:
        lost = max(0, 100 * (cycles - least_cycles) - BALANCED_LOSS_PERCENT * least_cycles)
        return lost, cycles**CYCLES_WEIGHT * max(flash, 1) * arena

    objectives: dict[Objective, Scoring] = {
        "speed": lambda cycles, flash, arena: (cycles, flash, arena),
        "size": lambda cycles, flash, arena: (flash, cycles, arena),
        "ram": lambda cycles, flash, arena: (arena, cycles, flash),
        "balanced": balanced,
    }
    return objectives[optimize]


def penalised(optimize: Objective, limits: Limits, power: int) -> Scoring:
    """The objective as one number, times how many times a limit is exceeded, to a power."""

    def score(cycles: int, flash: int, arena: int) -> Score:
        figures = max(cycles, 1), max(flash, 1), max(arena, 1)
        made = {
            "speed": cycles,
            "size": flash,
            "ram": arena,
            "balanced": figures[0] ** CYCLES_WEIGHT * figures[1] * figures[2],
        }[optimize]
        factor = 1.0
        for limit, figure in zip((limits.cycles, limits.flash, limits.arena), figures, strict=True):
            factor *= 1.0 if limit is None else max(1.0, figure / max(limit, 1))
        return round(made * factor**power), cycles, flash

    return score


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


def broken(totals: Totals, limits: Limits) -> tuple[str, ...]:
    """Return the names of the limits that the figures exceed."""
    return tuple(
        each.name
        for each in fields(limits)
        if (limit := getattr(limits, each.name)) is not None and getattr(totals, each.name) > limit
    )


def excess(totals: Totals, limits: Limits) -> int:
    """Add up how far figures exceed their limits, in millionths of each limit.

    It is monotonic in each figure, so no other choice is better in all respects than one of least
    excess.
    """
    beyond = 0
    if limits.cycles is not None and totals.cycles > limits.cycles:
        beyond += _millionths(totals.cycles, limits.cycles)
    if limits.flash is not None and totals.flash > limits.flash:
        beyond += _millionths(totals.flash, limits.flash)
    if limits.arena is not None and totals.arena > limits.arena:
        beyond += _millionths(totals.arena, limits.arena)
    return beyond


def _millionths(figure: int, limit: int) -> int:
    """Return how far a figure exceeds its limit, in millionths of the limit."""
    return 1_000_000 * (figure - limit) // max(limit, 1)
