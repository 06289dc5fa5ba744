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
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import cycle
from typing import Any, get_args

from tinyflow.boards import Board
from tinyflow.costs.table import Cost, CostTable, kernel_name
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import Candidates
from tinyflow.plan.schedule import MemoryPlanner, Schedule, running
from tinyflow.selection.allowed import allowed
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
from tinyflow.selection.priced_kernels import (
    PricedKernel,
    comparable,
    cost_of_rows,
    flash_of_rows,
    least_flash,
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
            search.totals(picked, choice.schedule),
            {
                (layer, id(option)): totals
                for options, totals in search.changed(picked, choice.schedule, score)
                for layer, option in options
            },
        )

    def _choice(self, search: _ChoiceSearch, picked: _Picked, schedule: Schedule) -> Choice:
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
        self, search: _ChoiceSearch, optimize: Objective, limits: Limits, schedule: Schedule
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
        self._best: dict[Objective, tuple[_Picked, Schedule]] = {}
        self.has_slow = any(option.row_pieces is not None for each in layers for option in each)

    @cached_property
    def all(self) -> _ChoiceSearch:
        """Over all options."""
        return _ChoiceSearch(self._all, self._planner)

    @cached_property
    def fast(self) -> _ChoiceSearch:
        """Without the slow kernels; with the same picks."""
        fast = [tuple(map(without_row_kernel, each)) for each in self._all]
        return _ChoiceSearch(fast, self._planner) if self.has_slow else self.all

    def free_of_all(self) -> list[tuple[_Picked, Schedule]]:
        """The best choice of each objective without limits and slow kernels."""
        return [self.free(each) for each in get_args(Objective)]

    def free(self, optimize: Objective) -> tuple[_Picked, Schedule]:
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

    def limited(self, start: _Picked | None) -> tuple[_Picked, Schedule]:
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

    def freely(self) -> tuple[_Picked, Schedule]:
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

    def excess(self, found: tuple[_Picked, Schedule]) -> int:
        """Return how far a choice exceeds the limits."""
        return excess(self.all.totals(*found), self._limits)


def _towards(search: _ChoiceSearch, limits: Limits) -> list[_Picked]:
    """Return choices that approach the limits, by each objective."""
    return [picked for each in get_args(Objective) for picked in search.towards(limits, each)]


#: Position of the chosen option, for each group of layers.
_Picked = tuple[int, ...]
#: Score of a choice's best schedule, and that schedule; None if the arena is left out.
_Scored = tuple[Score, Schedule | None]
#: Scorer that returns None if a choice does not improve on a score.
_Scorer = Callable[[_Picked, Score | None], _Scored | None]


@dataclass(frozen=True)
class _Group:
    """Group of layers with the same options at the same costs, which are decided together.

    Attributes:
        layers: their positions.
        options: for each position, the option of each layer, in the order of the layers.
    """

    layers: tuple[int, ...]
    options: tuple[tuple[PricedKernel, ...], ...]
    _moves: dict[tuple[str, bool], dict[int, int]] = field(default_factory=dict)

    @cached_property
    def cycles(self) -> tuple[int, ...]:
        return tuple(sum(each.cost.cycles for each in o if each.cost) for o in self.options)

    @cached_property
    def own(self) -> tuple[int, ...]:
        return tuple(sum(each.own for each in option) for option in self.options)

    @cached_property
    def pieces(self) -> tuple[dict[Hashable, int], ...]:
        return tuple(
            {key: size for each in option for key, size in each.pieces.items()}
            for option in self.options
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(kernel_name(option[0].kernel) for option in self.options)

    def fastest(self, name: str, *, towards: bool) -> dict[int, int]:
        """Return each position's target if all groups move to a kernel, or away from it."""
        key = name, towards
        if key not in self._moves:
            others = [p for p, other in enumerate(self.names) if (other == name) is towards]
            to = min(others, key=lambda p: self.cycles[p], default=None)
            self._moves[key] = {
                position: to
                for position, other in enumerate(self.names)
                if to is not None and (towards or other == name)
            }
        return self._moves[key]


class _PricedSchedule:
    """A way to run a choice of kernels, with its figures."""

    def __init__(
        self, options: Sequence[PricedKernel], schedule: Schedule, cycles: int, flash: int
    ) -> None:
        self.schedule = schedule
        self.cycles = cycles + cost_of_rows(options, schedule).cycles
        self.flash = flash + flash_of_rows(options, schedule)
        self.arena: int | None = None


class _ChoiceFigures:
    """The figures of one choice of kernels; what was computed is kept.

    Searches with other starts, objectives and limits come to the same choices again and again.

    Attributes:
        options: of each layer.
        cycles: if all layers run whole.
        flash: the same; bytes.
        floor: bytes of flash that no schedule goes below.
    """

    def __init__(
        self, options: Sequence[PricedKernel], cycles: int, flash: int, planner: MemoryPlanner
    ) -> None:
        self.options, self.cycles, self.flash = options, cycles, flash
        self.floor = least_flash(options, flash)
        self._planner = planner
        #: Each with the most room that it was the cheapest in.
        self._priced: list[tuple[int, _PricedSchedule]] = []
        #: Bytes of room that no schedule has.
        self._too_little = -1

    @cached_property
    def _kernels(self) -> list[Kernel]:
        return [option.kernel for option in self.options]

    @cached_property
    def _costs(self) -> list[int]:
        return [1 if one.by_rows is None else one.by_rows.cycles for one in self.options]

    @cached_property
    def whole(self) -> _PricedSchedule:
        """All layers run whole."""
        return self._price(self._planner.whole(self._kernels))

    def least(self) -> int:
        """Bytes that no arena is below; more once more is known."""
        return self._planner.least(self._kernels)

    def within(self, room: int) -> _PricedSchedule | None:
        """The cheapest schedule with a peak of at most `room` bytes, or None."""
        if room <= self._too_little:
            return None
        for most, priced in self._priced:
            if priced.schedule.peak <= room <= most:
                return priced
        schedule = self._planner.schedule(self._kernels, self._costs, room)
        if schedule is None:
            self._too_little = room
            return None
        priced = self._price(schedule)
        self._priced.append((room, priced))
        return priced

    def arena(self, priced: _PricedSchedule) -> int:
        """Bytes."""
        if priced.arena is None:
            priced.arena = self._planner.arena(self._kernels, priced.schedule)
        return priced.arena

    def _price(self, schedule: Schedule) -> _PricedSchedule:
        return _PricedSchedule(self.options, schedule, self.cycles, self.flash)


class _ChoiceSearch:
    """Search space of choices, and their scores."""

    def __init__(self, layers: Sequence[tuple[PricedKernel, ...]], planner: MemoryPlanner) -> None:
        self._count = len(layers)
        self._groups = _grouped(layers)
        self._names = sorted({name for group in self._groups for name in group.names})
        self._planner = planner
        self._has_slow = any(option.row_pieces is not None for each in layers for option in each)
        self._known: dict[_Picked, _ChoiceFigures] = {}

    def size(self) -> tuple[int, int, int]:
        """Groups of layers, kernels of all groups, and choices whose figures are known by now."""
        return len(self._groups), sum(len(g.options) for g in self._groups), len(self._known)

    # ---- figures of a choice ----

    def options(self, picked: _Picked) -> list[PricedKernel]:
        """The option of each layer."""
        found: dict[int, PricedKernel] = {}
        for group, position in zip(self._groups, picked, strict=True):
            found |= zip(group.layers, group.options[position], strict=True)
        return [found[layer] for layer in range(self._count)]

    def totals(self, picked: _Picked, schedule: Schedule) -> Totals:
        """All figures."""
        figures = self._figures(picked)
        options = figures.options
        arena = self._planner.planned_arena([option.kernel for option in options], schedule)
        cycles = figures.cycles + cost_of_rows(options, schedule).cycles
        return Totals(cycles, figures.flash + flash_of_rows(options, schedule), arena)

    def _figures(self, picked: _Picked) -> _ChoiceFigures:
        if picked not in self._known:
            self._known[picked] = _ChoiceFigures(
                self.options(picked), self._cycles(picked), self._flash(picked), self._planner
            )
        return self._known[picked]

    def _cycles(self, picked: _Picked) -> int:
        return sum(group.cycles[p] for group, p in zip(self._groups, picked, strict=True))

    def _flash(self, picked: _Picked) -> int:
        pieces: dict[Hashable, int] = {}
        own = 0
        for group, position in zip(self._groups, picked, strict=True):
            pieces.update(group.pieces[position])
            own += group.own[position]
        return own + sum(pieces.values())

    def picked(self, options: Sequence[PricedKernel]) -> _Picked:
        """The choice that has these options, or others of the same costs."""

        def position(group: _Group) -> int:
            wanted = options[group.layers[0]]
            made = [option[0] for option in group.options]
            same = (p for p, option in enumerate(made) if option.kernel is wanted.kernel)
            return next(same, list(map(_alike, made)).index(_alike(wanted)))

        return tuple(map(position, self._groups))

    def changed(
        self, picked: _Picked, schedule: Schedule, score: Scoring
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

    def limited(self, optimize: Objective, limits: Limits) -> Scoring:
        """The objective, after how far a choice is beyond the limits."""
        score = scoring(optimize, self._cycles(self._fastest()))
        return lambda cycles, flash, arena: (
            excess(Totals(cycles, flash, arena), limits),
            *score(cycles, flash, arena),
        )

    def best(
        self,
        optimize: Objective,
        limits: Limits,
        starts: Sequence[_Picked] = (),
        ceiling: int | None = None,
        *,
        also: Sequence[_Picked] = (),
        known: Sequence[tuple[_Picked, Schedule]] = (),
        strict: bool = False,
    ) -> tuple[_Picked, Schedule]:
        """The best choice within the limits, as far as the search finds it, and how to run it.

        Args:
            optimize: the objective.
            limits: take precedence over it.
            starts: where the search begins; by default with some simple choices.
            ceiling: the most cycles, which come after the limits and before the objective; None
                for no ceiling.
            also: further starts.
            known: choices that the result is not worse than.
            strict: the ceiling comes before the limits.
        """
        fastest = self._fastest()
        score = scoring(optimize, self._cycles(fastest))

        def limited(cycles: int, flash: int, arena: int) -> Score:
            beyond = excess(Totals(cycles, flash, arena), limits)
            above = 0 if ceiling is None else max(0, cycles - ceiling)
            first = (above, beyond) if strict else (beyond, above)
            return *first, *score(cycles, flash, arena)

        starts = [*(starts or self._simple(fastest)), *also]
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

        def planned(picked: _Picked, schedule: Schedule) -> Score:
            totals = self.totals(picked, schedule)
            return limited(totals.cycles, totals.flash, totals.arena)

        return min(found, key=lambda end: planned(*end))

    def _fastest(self) -> _Picked:
        """Pick the fastest option for each layer alone."""
        return self._each(lambda group, p: (group.cycles[p], sum(group.pieces[p].values())))

    def _simple(self, fastest: _Picked) -> list[_Picked]:
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

    def smallest_by_rows(self) -> _Picked:
        """Pick for each layer alone the option of least flash if it runs on its `row_kernel`."""
        return self._each(
            lambda group, p: (
                group.options[p][0].row_pieces is None,
                sum((group.options[p][0].row_pieces or group.pieces[p]).values()),
                group.cycles[p],
            )
        )

    def _scored_alone(
        self, objective: Scoring, picked: _Picked, best: Score | None
    ) -> _Scored | None:
        """The score of a choice without its arena; None if it is no better than the best."""
        score = objective(self._cycles(picked), self._flash(picked), 0)
        return (score, None) if best is None or score < best else None

    def _scored(self, objective: Scoring, picked: _Picked, best: Score | None) -> _Scored | None:
        """The best way of a choice; or None if none is better than the best score."""
        known = self._figures(picked)
        if best is not None and objective(known.cycles, known.floor, 0) >= best:
            return None
        least = known.least()
        priced: _PricedSchedule | None = known.whole
        found: _Scored | None = None
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

    def _each(self, rank: Callable[[_Group, int], Any]) -> _Picked:
        """Pick for each group alone the option of the least rank, the first of several."""
        return tuple(
            min(range(len(group.options)), key=lambda p: rank(group, p)) for group in self._groups
        )

    def towards(self, limits: Limits, optimize: Objective) -> Iterator[_Picked]:
        """Yield choices that approach the limits from outside, by a growing penalty."""
        picked = self._fastest()
        for power in (1, 3):
            score = partial(self._scored, penalised(optimize, limits, power))
            picked = self._descend(picked, score)[1]
            yield picked

    def _ends(self, starts: Sequence[_Picked], scored: _Scorer) -> list[tuple[_Picked, Schedule]]:
        """Return the choices that the starts lead to, each once."""
        ends = [self._descend(start, scored) for start in dict.fromkeys(starts)]
        _log.debug("search from %d starts: score %s", len(ends), min(end[0][0] for end in ends))
        return list(
            dict.fromkeys(
                (picked, schedule) for (_, schedule), picked in ends if schedule is not None
            )
        )

    def _descend(self, picked: _Picked, scored: _Scorer) -> tuple[_Scored, _Picked]:
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

    def _changes(self) -> Iterator[Callable[[_Picked], _Picked]]:
        """Yield all changes of a choice that are tried."""
        for name in self._names:
            yield partial(self._moved, name=name, towards=False)
            yield partial(self._moved, name=name, towards=True)
        for index, group in enumerate(self._groups):
            for position in range(len(group.options)):
                yield partial(_with, index=index, position=position)

    def _moved(self, picked: _Picked, name: str, *, towards: bool) -> _Picked:
        """The choice with every group that can on a kernel, or with none that need not be."""
        return tuple(
            group.fastest(name, towards=towards).get(position, position)
            for group, position in zip(self._groups, picked, strict=True)
        )


def _room(kernel: Kernel) -> tuple[bool, bool, int]:
    """Return the sort key of a kernel's arena use: less where its output may lie in its input."""
    return not kernel.overlaps, kernel.by_rows is None, kernel.scratch


def _with(picked: _Picked, *, index: int, position: int) -> _Picked:
    """The choice with another option for one group."""
    return (*picked[:index], position, *picked[index + 1 :])


def _grouped(layers: Sequence[tuple[PricedKernel, ...]]) -> list[_Group]:
    """Group layers whose options cost the same."""
    members: dict[Hashable, list[int]] = {}
    for index, options in enumerate(layers):
        members.setdefault(tuple(map(_alike, options)), []).append(index)
    return [
        _Group(
            tuple(indices),
            tuple(zip(*(layers[index] for index in indices), strict=True)),
        )
        for indices in members.values()
    ]


def _alike(option: PricedKernel) -> Hashable:
    kernel = option.kernel
    return kernel_name(kernel), option.cost, option.flash, kernel.scratch, len(kernel.overlaps)
