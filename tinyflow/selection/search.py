"""Chooses one of its kernels for each operator, by predicted cycles, flash and memory.

Where costs are known, the choice is a search: from a few simple choices, changes that improve the
score are made until none does. A change gives one layer, and those like it, another kernel; or it
moves every layer to a kernel, or away from one, since code that several layers share is paid once.
For each choice the memory planner tells the ways to run it: all layers whole, or some of them row
by row in less memory. Nothing is random: the same model gives the same choice. `docs/kernels.md`
states the objectives.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import cycle
from typing import Any, get_args

from tinyflow.boards import Board
from tinyflow.costs.table import Cost, CostTable, kernel_name
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import Candidates
from tinyflow.plan.schedule import MemoryPlanner, Way, running
from tinyflow.project import KernelSet, Objective
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
from tinyflow.selection.options import (
    Option,
    comparable,
    cost_of_rows,
    flash_of_rows,
    least_flash,
    price,
    undominated,
    without_row_kernel,
)

#: How many times the cycles of the fastest choice kernels that only save memory may lead to.
SLOW_FACTOR = 2


@dataclass(frozen=True)
class Choice:
    """The chosen kernels.

    Attributes:
        kernels: one for each operator, in order.
        options: for each operator all that support it, the chosen one included.
        chosen: for each operator the option that was chosen of them.
        way: which layers run row by row, and the order of all.
        totals: predicted; None where a layer's cost is not known.
        known_totals: the same, of the layers whose cost is known.
        by_rows: how much of it is for running row by row.
    """

    kernels: tuple[Kernel, ...]
    options: tuple[tuple[Option, ...], ...]
    chosen: tuple[Option, ...]
    way: Way
    totals: Totals | None
    known_totals: Totals
    by_rows: Cost

    def predicted_cycles(self, operator: Operator) -> int | None:
        """What an operator is predicted to take as it runs; None if its cost is not known."""
        outputs = list(operator.outputs())
        index = next(
            index
            for index, kernel in enumerate(self.kernels)
            if list(kernel.operator.outputs()) == outputs
        )
        option = self.chosen[index]
        if option.cost is None:
            return None
        more = option.by_rows if index in self.way.by_rows else None
        return option.cost.cycles + (0 if more is None else more.cycles)

    def options_of(self, operator: Operator) -> tuple[Option, ...]:
        """All kernels that can serve an operator; those of tinyflow's native ones first."""
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
        costs: the costs on the board, None where they are not known: then the first candidate of
            each operator is taken.
        planner: of their graph.
        board: the board.
        kernels: which kernels may serve.
        optimize: what is to be best.
        limits: what the choice should stay within. Where none does, the one that goes least
            beyond is chosen.
    """
    priced = price_all(found, costs, planner, board)
    return Chooser(found, priced, planner, kernels).choose(optimize, limits)


#: For each operator all options.
Priced = tuple[tuple[Option, ...], ...]


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
        return self._choice(request.all, *best)

    def _choice(self, search: _Search, picked: _Picked, way: Way) -> Choice:
        chosen = search.options(picked)
        totals = search.totals(picked, way)
        known = all(option.cost is not None for option in chosen)
        return Choice(
            running([option.kernel for option in chosen], way),
            self._options,
            tuple(chosen),
            way,
            totals if known else None,
            totals,
            cost_of_rows(chosen, way),
        )


class _Searches:
    """Searches over some options, with the kernels that are slow and only save memory or not."""

    def __init__(self, layers: Sequence[tuple[Option, ...]], planner: MemoryPlanner) -> None:
        self._all, self._planner = layers, planner
        self.has_slow = any(option.row_pieces is not None for each in layers for option in each)

    @cached_property
    def all(self) -> _Search:
        """Over all options."""
        return _Search(self._all, self._planner)

    @cached_property
    def fast(self) -> _Search:
        """Without the slow kernels; with the same picks."""
        fast = [tuple(map(without_row_kernel, each)) for each in self._all]
        return _Search(fast, self._planner) if self.has_slow else self.all


class _Request:
    """One objective and its limits, searched with and without kernels that only save memory.

    Such a kernel runs row by row in another one's stead (`Kernel.row_kernel`) and takes many times
    its cycles. So they count only where they keep a limit that cannot be kept without them, at most
    at `SLOW_FACTOR` times the cycles of the fastest choice that keeps it; and where they make
    something better without making the inference slower.
    """

    def __init__(self, searches: _Searches, optimize: Objective, limits: Limits) -> None:
        self.all, self._fast, self._has_slow = searches.all, searches.fast, searches.has_slow
        self._optimize, self._limits = optimize, limits

    def limited(self, start: _Picked | None) -> tuple[_Picked, Way]:
        """The best choice where the limits count, and how to run it."""
        optimize, limits = self._optimize, self._limits
        free = [] if start is None else [start]
        fast = self._fast.best(optimize, limits, also=free)
        if self.excess(fast):  # before a limit is given up: what other objectives lead to
            others = [
                picked
                for other in get_args(Objective)
                if other != optimize
                for picked in self._fast.towards(limits, other)
            ]
            fast = self._fast.best(optimize, limits, [fast[0], *others])
        if not self._has_slow:
            return fast
        ceiling = self.all.totals(*fast).cycles
        if self.excess(fast) == 0:
            return self.all.best(optimize, limits, [fast[0], *free], ceiling)
        fastest = self.all.best("speed", limits, also=[fast[0], self.all.smallest_by_rows()])
        if self.excess(fastest) == 0:
            most = SLOW_FACTOR * self.all.totals(*fastest).cycles
            return self.all.best(optimize, limits, [fastest[0], fast[0]], most)
        return self.all.best(optimize, limits, [fast[0], *free], ceiling, strict=True)

    def freely(self) -> tuple[_Picked, Way]:
        """The best choice without limits."""
        if self._optimize in ("speed", "balanced") or not self._has_slow:
            return self.all.best(self._optimize, Limits())
        fast = self._fast.best(self._optimize, Limits())
        ceiling = self.all.totals(*fast).cycles
        return self.all.best(self._optimize, Limits(), [fast[0]], ceiling)

    def excess(self, found: tuple[_Picked, Way]) -> int:
        """How far a choice is beyond the limits."""
        return excess(self.all.totals(*found), self._limits)


#: For each group of layers the position of its option.
_Picked = tuple[int, ...]
#: What a choice's best way scores, and that way; None where the arena is left out.
_Scored = tuple[Score, Way | None]
#: Gives that, or None where it is no better than a score.
_Scorer = Callable[[_Picked, Score | None], _Scored | None]


@dataclass(frozen=True)
class _Group:
    """Layers with the same options at the same costs, which are decided together.

    Attributes:
        layers: their positions.
        options: for each option the layers' own, in the order of the layers.
    """

    layers: tuple[int, ...]
    options: tuple[tuple[Option, ...], ...]
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
        """Where each position leads in a move of all groups to a kernel, or away from it."""
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


class _Schedule:
    """A way to run a choice of kernels, with its figures."""

    def __init__(self, options: Sequence[Option], way: Way, cycles: int, flash: int) -> None:
        self.way = way
        self.cycles = cycles + cost_of_rows(options, way).cycles
        self.flash = flash + flash_of_rows(options, way)
        self.arena: int | None = None


class _Figures:
    """The figures of one choice of kernels; what was computed is kept.

    Searches with other starts, objectives and limits come to the same choices again and again.

    Attributes:
        options: of each layer.
        cycles: if all layers run whole.
        flash: the same; bytes.
        floor: bytes of flash that no schedule goes below.
    """

    def __init__(
        self, options: Sequence[Option], cycles: int, flash: int, planner: MemoryPlanner
    ) -> None:
        self.options, self.cycles, self.flash = options, cycles, flash
        self.floor = least_flash(options, flash)
        self._planner = planner
        #: Each with the most room that it was the cheapest in.
        self._schedules: list[tuple[int, _Schedule]] = []
        #: Bytes of room that no schedule has.
        self._too_little = -1

    @cached_property
    def _kernels(self) -> list[Kernel]:
        return [option.kernel for option in self.options]

    @cached_property
    def _costs(self) -> list[int]:
        return [1 if one.by_rows is None else one.by_rows.cycles for one in self.options]

    @cached_property
    def whole(self) -> _Schedule:
        """All layers run whole."""
        return self._scheduled(self._planner.whole(self._kernels))

    def least(self) -> int:
        """Bytes that no arena is below; more once more is known."""
        return self._planner.least(self._kernels)

    def within(self, room: int) -> _Schedule | None:
        """The cheapest schedule with a peak of at most `room` bytes, or None."""
        if room <= self._too_little:
            return None
        for most, schedule in self._schedules:
            if schedule.way.peak <= room <= most:
                return schedule
        way = self._planner.way(self._kernels, self._costs, room)
        if way is None:
            self._too_little = room
            return None
        schedule = self._scheduled(way)
        self._schedules.append((room, schedule))
        return schedule

    def arena(self, schedule: _Schedule) -> int:
        """Bytes."""
        if schedule.arena is None:
            schedule.arena = self._planner.arena(self._kernels, schedule.way)
        return schedule.arena

    def _scheduled(self, way: Way) -> _Schedule:
        return _Schedule(self.options, way, self.cycles, self.flash)


class _Search:
    """The choices there are, and their scores."""

    def __init__(self, layers: Sequence[tuple[Option, ...]], planner: MemoryPlanner) -> None:
        self._count = len(layers)
        self._groups = _grouped(layers)
        self._names = sorted({name for group in self._groups for name in group.names})
        self._planner = planner
        self._has_slow = any(option.row_pieces is not None for each in layers for option in each)
        self._known: dict[_Picked, _Figures] = {}

    # ---- figures of a choice ----

    def options(self, picked: _Picked) -> list[Option]:
        """The option of each layer."""
        found: dict[int, Option] = {}
        for group, position in zip(self._groups, picked, strict=True):
            found |= zip(group.layers, group.options[position], strict=True)
        return [found[layer] for layer in range(self._count)]

    def totals(self, picked: _Picked, way: Way) -> Totals:
        """All figures."""
        figures = self._figures(picked)
        options = figures.options
        arena = self._planner.arena([option.kernel for option in options], way)
        cycles = figures.cycles + cost_of_rows(options, way).cycles
        return Totals(cycles, figures.flash + flash_of_rows(options, way), arena)

    def _figures(self, picked: _Picked) -> _Figures:
        if picked not in self._known:
            self._known[picked] = _Figures(
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

    # ---- scores: the least is the best ----

    def best(
        self,
        optimize: Objective,
        limits: Limits,
        starts: Sequence[_Picked] = (),
        ceiling: int | None = None,
        *,
        also: Sequence[_Picked] = (),
        strict: bool = False,
    ) -> tuple[_Picked, Way]:
        """The best choice within the limits, as far as the search finds it, and how to run it.

        Args:
            optimize: what is made least.
            limits: come before that.
            starts: where the search begins; by default with some simple choices.
            ceiling: the most cycles, which come after the limits and before the objective; None
                for no ceiling.
            also: further starts.
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
            picked, _ = self._improved(starts, partial(self._scored_alone, limited))
            kernels = [option.kernel for option in self.options(picked)]
            whole = self._planner.whole(kernels)
            fits = limits.arena is None or self._planner.arena(kernels, whole) <= limits.arena
            # Kernels that run row by row in another one's stead may save flash.
            if fits and (not self._has_slow or not excess(self.totals(picked, whole), limits)):
                return picked, whole
            starts = [picked, *starts]
        if limits != Limits() and ceiling is None:
            starts = [*starts, *self.towards(limits, optimize)]
        picked, way = self._improved(starts, partial(self._scored, limited))
        assert way is not None
        return picked, way

    def _fastest(self) -> _Picked:
        """For each layer alone the fastest option."""
        return self._each(lambda group, p: (group.cycles[p], sum(group.pieces[p].values())))

    def _simple(self, fastest: _Picked) -> list[_Picked]:
        """For each layer alone the fastest option, the smallest, the one of least memory, and the
        fastest that can run row by row.
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
        """For each layer alone the option of least flash if it runs on its `row_kernel`."""
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
        """The score of a choice without its arena; None where it is no better than the best."""
        score = objective(self._cycles(picked), self._flash(picked), 0)
        return (score, None) if best is None or score < best else None

    def _scored(self, objective: Scoring, picked: _Picked, best: Score | None) -> _Scored | None:
        """The best way of a choice; None where there is none better than the best score."""
        known = self._figures(picked)
        if best is not None and objective(known.cycles, known.floor, 0) >= best:
            return None
        least = known.least()
        schedule: _Schedule | None = known.whole
        found: _Scored | None = None
        while schedule is not None:
            figures = schedule.cycles, schedule.flash
            if best is None or objective(*figures, schedule.way.peak) < best:
                score = objective(*figures, known.arena(schedule))
                if best is None or score < best:
                    best, found = score, (score, schedule.way)
            # What takes less memory takes more cycles.
            ceiling = partial(objective, schedule.cycles, known.floor)
            room = room_below(best, ceiling, least, schedule.way.peak - 1)
            schedule = None if room is None else known.within(room)
        return found

    # ---- the search ----

    def _each(self, rank: Callable[[_Group, int], Any]) -> _Picked:
        """For each group alone the option of the least rank, the first of several."""
        return tuple(
            min(range(len(group.options)), key=lambda p: rank(group, p)) for group in self._groups
        )

    def towards(self, limits: Limits, optimize: Objective) -> Iterator[_Picked]:
        """Choices that approach the limits from beyond, by a penalty that grows."""
        picked = self._fastest()
        for power in (1, 3):
            score = partial(self._scored, penalised(optimize, limits, power))
            picked = self._descend(picked, score)[1]
            yield picked

    def _improved(self, starts: Sequence[_Picked], scored: _Scorer) -> tuple[_Picked, Way | None]:
        """The best that any start leads to."""
        found = [self._descend(start, scored) for start in dict.fromkeys(starts)]
        (_, way), picked = min(found, key=lambda ended: ended[0][0])
        return picked, way

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
        """All changes of a choice that are tried."""
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
    """How much of the arena a kernel asks for: less where its output may lie in its input."""
    return not kernel.overlaps, kernel.by_rows is None, kernel.scratch


def _with(picked: _Picked, *, index: int, position: int) -> _Picked:
    """The choice with another option for one group."""
    return (*picked[:index], position, *picked[index + 1 :])


def _grouped(layers: Sequence[tuple[Option, ...]]) -> list[_Group]:
    """Layers whose options cost the same, together."""
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


def _alike(option: Option) -> Hashable:
    kernel = option.kernel
    return kernel_name(kernel), option.cost, option.flash, kernel.scratch, len(kernel.overlaps)
