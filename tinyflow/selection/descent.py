# SPDX-License-Identifier: Apache-2.0
"""Search by descent: a choice of kernels is changed until no change improves its score."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import cycle
from typing import Any

from tinyflow.kernels.base import Kernel
from tinyflow.plan.schedule import MemoryPlanner, Schedule
from tinyflow.selection.figures import ChoiceFigures, PricedSchedule
from tinyflow.selection.groups import Group, alike, grouped
from tinyflow.selection.objective import (
    Limits,
    Score,
    Scoring,
    Totals,
    excess,
    penalised,
    room_below,
    scoring,
)
from tinyflow.selection.priced_kernels import PricedKernel, cost_of_rows, flash_of_rows
from tinyflow.settings.project_file import Objective

_log = logging.getLogger(__name__)

#: Position of the chosen option, for each group of layers.
Picked = tuple[int, ...]
#: Score of a choice's best schedule, and that schedule; None if the arena is left out.
Scored = tuple[Score, Schedule | None]
#: Scorer that returns None if a choice does not improve on a score.
Scorer = Callable[[Picked, Score | None], Scored | None]


class ChoiceSearch:
    """Search space of choices, and their scores."""

    def __init__(self, layers: Sequence[tuple[PricedKernel, ...]], planner: MemoryPlanner) -> None:
        self._count = len(layers)
        self._groups = grouped(layers)
        self._names = sorted({name for group in self._groups for name in group.names})
        self._planner = planner
        self._has_slow = any(option.row_pieces is not None for each in layers for option in each)
        self._known: dict[Picked, ChoiceFigures] = {}

    def size(self) -> tuple[int, int, int]:
        """Groups of layers, kernels of all groups, and choices whose figures are known by now."""
        return len(self._groups), sum(len(g.options) for g in self._groups), len(self._known)

    # ---- figures of a choice ----

    def options(self, picked: Picked) -> list[PricedKernel]:
        """The option of each layer."""
        found: dict[int, PricedKernel] = {}
        for group, position in zip(self._groups, picked, strict=True):
            found |= zip(group.layers, group.options[position], strict=True)
        return [found[layer] for layer in range(self._count)]

    def totals(self, picked: Picked, schedule: Schedule) -> Totals:
        """All figures, with the arena of the plan that is built."""
        return self._totals(picked, schedule, self._planner.planned_arena)

    def estimate(self, picked: Picked, schedule: Schedule) -> Totals:
        """All figures, with the arena that the search estimates; `changed` has the same."""
        return self._totals(picked, schedule, self._planner.arena)

    def _totals(
        self,
        picked: Picked,
        schedule: Schedule,
        arena: Callable[[Sequence[Kernel], Schedule], int],
    ) -> Totals:
        figures = self._figures(picked)
        options = figures.options
        return Totals(
            figures.cycles + cost_of_rows(options, schedule).cycles,
            figures.flash + flash_of_rows(options, schedule),
            arena([option.kernel for option in options], schedule),
        )

    def _figures(self, picked: Picked) -> ChoiceFigures:
        if picked not in self._known:
            self._known[picked] = ChoiceFigures(
                self.options(picked), self._cycles(picked), self._flash(picked), self._planner
            )
        return self._known[picked]

    def _cycles(self, picked: Picked) -> int:
        return sum(group.cycles[p] for group, p in zip(self._groups, picked, strict=True))

    def _flash(self, picked: Picked) -> int:
        pieces: dict[Hashable, int] = {}
        own = 0
        for group, position in zip(self._groups, picked, strict=True):
            pieces.update(group.pieces[position])
            own += group.own[position]
        return own + sum(pieces.values())

    def picked(self, options: Sequence[PricedKernel]) -> Picked:
        """The choice that has these options, or others of the same costs."""

        def position(group: Group) -> int:
            wanted = options[group.layers[0]]
            made = [option[0] for option in group.options]
            same = (p for p, option in enumerate(made) if option.kernel is wanted.kernel)
            return next(same, list(map(alike, made)).index(alike(wanted)))

        return tuple(map(position, self._groups))

    def changed(
        self, picked: Picked, schedule: Schedule, score: Scoring
    ) -> Iterator[tuple[list[tuple[int, PricedKernel]], Totals]]:
        """All choices with another option for one group, as its layers' options and the totals."""
        for index, group in enumerate(self._groups):
            for position, options in enumerate(group.options):
                if position != picked[index]:
                    known = self._figures(_with(picked, index=index, position=position))
                    priced = [known.whole, known.within(schedule.peak)]
                    totals = [
                        Totals(one.cycles, one.flash, known.arena(one))
                        for one in priced
                        if one is not None
                    ]
                    best = min(totals, key=lambda one: score(one.cycles, one.flash, one.arena))
                    yield list(zip(group.layers, options, strict=True)), best

    # ---- scores: the least is the best ----

    def limited(
        self,
        optimize: Objective,
        limits: Limits,
        ceiling: int | None = None,
        *,
        strict: bool = False,
    ) -> Scoring:
        """The objective, after how far a choice is beyond the limits and then the ceiling.

        Args:
            optimize: the objective.
            limits: take precedence over it.
            ceiling: the most cycles; None for no ceiling.
            strict: the ceiling comes before the limits.
        """
        score = scoring(optimize, self._cycles(self._fastest()))

        def limited(cycles: int, flash: int, arena: int) -> Score:
            beyond = excess(Totals(cycles, flash, arena), limits)
            above = 0 if ceiling is None else max(0, cycles - ceiling)
            first = (above, beyond) if strict else (beyond, above)
            return *first, *score(cycles, flash, arena)

        return limited

    def best(
        self,
        optimize: Objective,
        limits: Limits,
        starts: Sequence[Picked] = (),
        ceiling: int | None = None,
        *,
        also: Sequence[Picked] = (),
        known: Sequence[tuple[Picked, Schedule]] = (),
        strict: bool = False,
    ) -> tuple[Picked, Schedule]:
        """The best choice within the limits, as far as the search finds it, and how to run it.

        Args:
            optimize: the objective.
            limits, ceiling, strict: as `limited` has them.
            starts: where the search begins; by default with some simple choices.
            also: further starts.
            known: choices that the result is not worse than.
        """
        limited = self.limited(optimize, limits, ceiling, strict=strict)
        starts = [*(starts or self._simple(self._fastest())), *also]
        if ceiling is None and optimize in ("speed", "size"):
            # The arena counts beyond its limit only.
            alone = partial(self._scored_alone, limited)
            ends = [self._descend(start, alone) for start in dict.fromkeys(starts)]
            picked = min(ends, key=lambda end: end[0][0])[1]
            kernels = [option.kernel for option in self.options(picked)]
            whole = self._planner.whole(kernels)
            fits = (
                limits.arena is None or self._planner.planned_arena(kernels, whole) <= limits.arena
            )
            # Kernels that run row by row in another one's stead may save flash.
            if fits and (not self._has_slow or not excess(self.totals(picked, whole), limits)):
                return picked, whole
            starts = [picked, *starts]
        if limits != Limits() and ceiling is None:
            starts = [*starts, *self.towards(limits, optimize)]
        found = [*self._ends(starts, partial(self._scored, limited)), *known]

        def planned(picked: Picked, schedule: Schedule) -> Score:
            totals = self.totals(picked, schedule)
            return limited(totals.cycles, totals.flash, totals.arena)

        return min(found, key=lambda end: planned(*end))

    def _fastest(self) -> Picked:
        """Pick the fastest option for each layer alone."""
        return self._each(lambda group, p: (group.cycles[p], sum(group.pieces[p].values())))

    def _simple(self, fastest: Picked) -> list[Picked]:
        """Pick for each layer alone the fastest option, the smallest, the one of least memory, and
        the fastest that can run row by row.
        """
        return [
            fastest,
            self._each(lambda group, p: (group.own[p] + sum(group.pieces[p].values()),)),
            self._each(lambda group, p: (*_room(group.options[p][0].kernel), group.cycles[p])),
            self._each(
                lambda group, p: (group.options[p][0].kernel.by_rows is None, group.cycles[p])
            ),
        ]

    def smallest_by_rows(self) -> Picked:
        """Pick for each layer alone the option of least flash if it runs on its `row_kernel`."""
        return self._each(
            lambda group, p: (
                group.options[p][0].row_pieces is None,
                sum((group.options[p][0].row_pieces or group.pieces[p]).values()),
                group.cycles[p],
            )
        )

    def _scored_alone(
        self, objective: Scoring, picked: Picked, best: Score | None
    ) -> Scored | None:
        """The score of a choice without its arena; None if it is no better than the best."""
        score = objective(self._cycles(picked), self._flash(picked), 0)
        return (score, None) if best is None or score < best else None

    def _scored(self, objective: Scoring, picked: Picked, best: Score | None) -> Scored | None:
        """The best way of a choice; or None if none is better than the best score."""
        known = self._figures(picked)
        if best is not None and objective(known.cycles, known.floor, 0) >= best:
            return None
        least = known.least()
        priced: PricedSchedule | None = known.whole
        found: Scored | None = None
        while priced is not None:
            figures = priced.cycles, priced.flash
            if best is None or objective(*figures, priced.schedule.peak) < best:
                score = objective(*figures, known.arena(priced))
                if best is None or score < best:
                    best, found = score, (score, priced.schedule)
            # What takes less memory takes more cycles.
            ceiling = partial(objective, priced.cycles, known.floor)
            room = room_below(best, ceiling, least, priced.schedule.peak - 1)
            priced = None if room is None else known.within(room)
        return found

    # ---- the search ----

    def _each(self, rank: Callable[[Group, int], Any]) -> Picked:
        """Pick for each group alone the option of the least rank, the first of several."""
        return tuple(
            min(range(len(group.options)), key=lambda p: rank(group, p)) for group in self._groups
        )

    def towards(self, limits: Limits, optimize: Objective) -> Iterator[Picked]:
        """Yield choices that approach the limits from outside, by a growing penalty."""
        picked = self._fastest()
        for power in (1, 3):
            score = partial(self._scored, penalised(optimize, limits, power))
            picked = self._descend(picked, score)[1]
            yield picked

    def _ends(self, starts: Sequence[Picked], scored: Scorer) -> list[tuple[Picked, Schedule]]:
        """Return the choices that the starts lead to, each once."""
        ends = [self._descend(start, scored) for start in dict.fromkeys(starts)]
        _log.debug("search from %d starts: score %s", len(ends), min(end[0][0] for end in ends))
        return list(
            dict.fromkeys(
                (picked, schedule) for (_, schedule), picked in ends if schedule is not None
            )
        )

    def _descend(self, picked: Picked, scored: Scorer) -> tuple[Scored, Picked]:
        """Change a choice until no change makes it better."""
        best = scored(picked, None)
        assert best is not None
        changes, failed = list(self._changes()), 0
        for change in cycle(changes):
            if failed == len(changes):
                break
            tried = change(picked)
            found = None if tried == picked else scored(tried, best[0])
            if found is None:
                failed += 1
            else:
                picked, best, failed = tried, found, 0
        return best, picked

    def _changes(self) -> Iterator[Callable[[Picked], Picked]]:
        """Yield all changes of a choice that are tried."""
        for name in self._names:
            yield partial(self._moved, name=name, towards=False)
            yield partial(self._moved, name=name, towards=True)
        for index, group in enumerate(self._groups):
            for position in range(len(group.options)):
                yield partial(_with, index=index, position=position)

    def _moved(self, picked: Picked, name: str, *, towards: bool) -> Picked:
        """The choice with every group that can on a kernel, or with none that need not be."""
        return tuple(
            group.fastest(name, towards=towards).get(position, position)
            for group, position in zip(self._groups, picked, strict=True)
        )


def _room(kernel: Kernel) -> tuple[bool, bool, int]:
    """Return the sort key of a kernel's arena use: less where its output may lie in its input."""
    return not kernel.overlaps, kernel.by_rows is None, kernel.scratch


def _with(picked: Picked, *, index: int, position: int) -> Picked:
    """The choice with another option for one group."""
    return (*picked[:index], position, *picked[index + 1 :])
