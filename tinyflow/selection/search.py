# SPDX-License-Identifier: Apache-2.0
"""Chooses one of its kernels for each operator, by predicted cycles, flash and memory.

Where costs are known, the choice is a search: from a few simple choices, changes that improve the
score are made until none does. A change gives one layer, and those like it, another kernel; or it
moves every layer to a kernel, or away from one, since code that several layers share is paid once.
For each choice the memory planner lists the schedules: all layers whole, or some of them row
by row in less memory. Nothing is random: the same model gives the same choice. `docs/kernels.md`
states the objectives.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from tinyflow.boards import Board
from tinyflow.costs.table import Cost, CostTable
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import Candidates
from tinyflow.plan.schedule import MemoryPlanner, Schedule, running
from tinyflow.selection.allowed import allowed
from tinyflow.selection.descent import ChoiceSearch, Picked
from tinyflow.selection.objective import (
    Limits,
    Scoring,
    Totals,
    excess,
)
from tinyflow.selection.priced_kernels import (
    PricedKernel,
    comparable,
    cost_of_rows,
    price,
    undominated,
    without_row_kernel,
)
from tinyflow.settings.project_file import KernelSet, Objective

_log = logging.getLogger(__name__)

#: Largest slow-down over the fastest choice by kernels that only save memory.
SLOW_FACTOR = 2


@dataclass(frozen=True)
class Choice:
    """The chosen kernels.

    Attributes:
        kernels: one for each operator, in order.
        options: for each operator all that support it, the chosen one included.
        chosen: for each operator the option that was chosen of them.
        schedule: which layers run row by row, and the order of all.
        totals: predicted; None if a layer's cost is not known.
        known_totals: the same, of the layers whose cost is known.
        by_rows: the part of it for running row by row.
    """

    kernels: tuple[Kernel, ...]
    options: tuple[tuple[PricedKernel, ...], ...]
    chosen: tuple[PricedKernel, ...]
    schedule: Schedule
    totals: Totals | None
    known_totals: Totals
    by_rows: Cost

    def predicted_cycles(self, operator: Operator) -> int | None:
        """Return the predicted cycles of an operator as it runs; None if its cost is not known."""
        outputs = list(operator.outputs())
        index = next(
            index
            for index, kernel in enumerate(self.kernels)
            if list(kernel.operator.outputs()) == outputs
        )
        option = self.chosen[index]
        if option.cost is None:
            return None
        more = option.by_rows if index in self.schedule.by_rows else None
        return option.cost.cycles + (0 if more is None else more.cycles)

    def options_of(self, operator: Operator) -> tuple[PricedKernel, ...]:
        """All kernels that support an operator; those of tinyflow's generated ones first."""
        outputs = list(operator.outputs())
        return next(
            options
            for kernel, options in zip(self.kernels, self.options, strict=True)
            if list(kernel.operator.outputs()) == outputs
        )


def choose_kernels(
    found: Sequence[Candidates],
    costs: CostTable | None,
    planner: MemoryPlanner,
    board: Board,
    *,
    kernels: KernelSet = "auto",
    optimize: Objective = "balanced",
    limits: Limits | None = None,
) -> Choice:
    """Choose a kernel for each operator, and which of them run row by row.

    Args:
        found: the candidates of each operator, in order.
        costs: the costs on the board, None if they are not known: then the first candidate of
            each operator is taken.
        planner: of their graph.
        board: the board.
        kernels: which kernels are allowed.
        optimize: the objective.
        limits: of the choice. If no choice keeps them, the one that exceeds them least is chosen.
    """
    priced = price_all(found, costs, planner, board)
    return Chooser(found, priced, planner, kernels).choose(optimize, limits)


#: All options of each operator.
Priced = tuple[tuple[PricedKernel, ...], ...]


def price_all(
    found: Sequence[Candidates], costs: CostTable | None, planner: MemoryPlanner, board: Board
) -> Priced:
    """The predicted costs of all candidates."""
    return tuple(
        tuple(price(kernel, costs, planner.rows(kernel), board) for kernel in each.kernels)
        for each in found
    )


class Chooser:
    """Choices among priced candidates; what one choice computed is kept for the next.

    Args of the constructor:
        found: the candidates of each operator, in order.
        options: the same with their costs.
        planner: of their graph.
        kernels: which kernels are allowed.
    """

    def __init__(
        self,
        found: Sequence[Candidates],
        options: Priced,
        planner: MemoryPlanner,
        kernels: KernelSet = "auto",
    ) -> None:
        self._options = options
        layers = [
            comparable([option for option in some if option.kernel in allowed(each, kernels)])
            for some, each in zip(options, found, strict=True)
        ]
        self._layers = _Searches(layers, planner)
        self._few = _Searches([undominated(each) for each in layers], planner)

    def choose(self, optimize: Objective = "balanced", limits: Limits | None = None) -> Choice:
        """Choose among all candidates; see `choose_kernels`."""
        limits = limits or Limits()
        few = self._few if optimize == "ram" else self._layers
        request = _Request(few, optimize, limits)
        best = request.freely()
        if request.excess(best):
            # Where a limit is broken, options of less flash count too.
            start = best[0] if few is self._layers else None
            request = _Request(self._layers, optimize, limits)
            best = request.limited(start)
        self._log_search(request.all, optimize, limits, best[1])
        return self._choice(request.all, *best)

    def neighbours(self, choice: Choice, optimize: Objective, limits: Limits) -> Neighbours:
        """What the inference would take with other kernels for the layers of a choice.

        One layer at a time changes, together with those that cost the same: they are decided
        together. The layers run as then suits the objective and the limits best, of the schedules
        that the choice's memory allows and running all of them whole.
        """
        search = self._layers.all
        picked = search.picked(choice.chosen)
        score = search.limited(optimize, limits)
        return Neighbours(
            score,
            search.estimate(picked, choice.schedule),
            {
                (layer, id(option)): totals
                for options, totals in search.changed(picked, choice.schedule, score)
                for layer, option in options
            },
        )

    def _choice(self, search: ChoiceSearch, picked: Picked, schedule: Schedule) -> Choice:
        chosen = search.options(picked)
        totals = search.totals(picked, schedule)
        known = all(option.cost is not None for option in chosen)
        return Choice(
            running([option.kernel for option in chosen], schedule),
            self._options,
            tuple(chosen),
            schedule,
            totals if known else None,
            totals,
            cost_of_rows(chosen, schedule),
        )

    def _log_search(
        self, search: ChoiceSearch, optimize: Objective, limits: Limits, schedule: Schedule
    ) -> None:
        """Log how large the search was, and what it came to."""
        groups, options, tried = search.size()
        _log.info(
            "choice for %s within %s: %d layers in %d groups with %d kernels, %d choices weighed",
            *(optimize, limits, len(self._options), groups, options, tried),
        )
        _log.debug(
            "choice for %s: order %s, row by row %s",
            optimize,
            schedule.order,
            schedule.fused_blocks,
        )


@dataclass(frozen=True)
class Neighbours:
    """Choices that differ from one by the kernel of a layer and of those like it.

    Attributes:
        score: the objective within the limits: the less, the better.
        totals: predicted of the choice itself, by the same estimate of the arena.
        changed: predicted of each neighbour, by layer and by `id` of its option in
            `Choice.options`; the chosen options are not among them.
    """

    score: Scoring
    totals: Totals
    changed: Mapping[tuple[int, int], Totals]


class _Searches:
    """Searches over some options, with the kernels that are slow and only save memory or not."""

    def __init__(self, layers: Sequence[tuple[PricedKernel, ...]], planner: MemoryPlanner) -> None:
        self._all, self._planner = layers, planner
        self._best: dict[Objective, tuple[Picked, Schedule]] = {}
        self.has_slow = any(option.row_pieces is not None for each in layers for option in each)

    @cached_property
    def all(self) -> ChoiceSearch:
        """Over all options."""
        return ChoiceSearch(self._all, self._planner)

    @cached_property
    def fast(self) -> ChoiceSearch:
        """Without the slow kernels; with the same picks."""
        fast = [tuple(map(without_row_kernel, each)) for each in self._all]
        return ChoiceSearch(fast, self._planner) if self.has_slow else self.all

    def free_of_all(self) -> list[tuple[Picked, Schedule]]:
        """The best choice of each objective without limits and slow kernels."""
        return [self.free(each) for each in get_args(Objective)]

    def free(self, optimize: Objective) -> tuple[Picked, Schedule]:
        """The best choice without limits and slow kernels, and how to run it."""
        if optimize not in self._best:
            self._best[optimize] = self.fast.best(optimize, Limits())
        return self._best[optimize]


class _Request:
    """One objective and its limits, searched with and without kernels that only save memory.

    Such a kernel runs row by row in another one's stead (`Kernel.row_kernel`) and takes many times
    its cycles. So they count only where they keep a limit that cannot be kept without them, at most
    at `SLOW_FACTOR` times the cycles of the fastest choice that keeps it; and where they make
    something better without making the inference slower.
    """

    def __init__(self, searches: _Searches, optimize: Objective, limits: Limits) -> None:
        self._searches, self._has_slow = searches, searches.has_slow
        self.all, self._fast = searches.all, searches.fast
        self._optimize, self._limits = optimize, limits

    def limited(self, start: Picked | None) -> tuple[Picked, Schedule]:
        """Return the best choice within the limits, and how to run it."""
        optimize, limits = self._optimize, self._limits
        known = self._searches.free_of_all()
        starts = [] if start is None else [start]
        starts += [picked for picked, _ in known]
        starts += _towards(self._fast, limits)
        fast = self._fast.best(optimize, limits, also=starts, known=known)
        if not self._has_slow:
            return fast
        known = [fast, *known]
        ceiling = self.all.totals(*fast).cycles
        starts = [fast[0], self.all.smallest_by_rows(), *starts]
        if self.excess(fast) == 0:
            return self.all.best(optimize, limits, starts, ceiling, known=known)
        starts += _towards(self.all, limits)
        fastest = self.all.best("speed", limits, also=starts, known=known)
        if self.excess(fastest) == 0:
            most = SLOW_FACTOR * self.all.totals(*fastest).cycles
            return self.all.best(optimize, limits, [fastest[0], *starts], most, known=[fastest])
        return self.all.best(optimize, limits, starts, ceiling, known=known, strict=True)

    def freely(self) -> tuple[Picked, Schedule]:
        """The best choice without limits."""
        if self._optimize in ("speed", "balanced"):
            return self.all.best(self._optimize, Limits())
        known = self._searches.free_of_all()
        fast = self._searches.free(self._optimize)
        totals = self.all.totals(*fast)
        ceiling = totals.cycles if self._has_slow else None
        is_ram = self._optimize == "ram"
        below = Limits(arena=totals.arena - 1) if is_ram else Limits(flash=totals.flash - 1)
        starts = [fast[0], self.all.smallest_by_rows(), *(picked for picked, _ in known)]
        starts += _towards(self.all, below)
        return self.all.best(self._optimize, Limits(), starts, ceiling, known=known)

    def excess(self, found: tuple[Picked, Schedule]) -> int:
        """Return how far a choice exceeds the limits."""
        return excess(self.all.totals(*found), self._limits)


def _towards(search: ChoiceSearch, limits: Limits) -> list[Picked]:
    """Return choices that approach the limits, by each objective."""
    return [picked for each in get_args(Objective) for picked in search.towards(limits, each)]
