"""Chooses one of its kernels for each operator, by predicted cycles, flash and memory.

Where costs are known, the choice is a search: from a few simple choices, changes that improve the
score are made until none does. A change gives one layer, and those like it, another kernel; or it
moves every layer to a kernel, or away from one, since code that several layers share is paid once.
For each choice the memory planner tells the ways to run it: all layers whole, or some of them row
by row in less memory. Nothing is random: the same model gives the same choice. `docs/kernels.md`
states the objectives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import cycle
from typing import Any

from tinyflow.boards import Board
from tinyflow.costs.table import Cost, CostTable, kernel_name
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import Candidates
from tinyflow.plan.schedule import MemoryPlanner, Way
from tinyflow.project import KernelSet, Objective
from tinyflow.selection.allowed import allowed
from tinyflow.selection.objective import Limits, Score, Scoring, Totals, excess, room_below, scoring

#: Bytes of flash by which a layer's code is longer where it computes a row, and of what calls the
#: layers of a segment in turns.
_ROW_BYTES, _SEGMENT_BYTES = 120, 100


@dataclass(frozen=True, eq=False)
class Option:
    """A kernel that a layer may take.

    Attributes:
        kernel: the kernel.
        cost: its predicted cost, None where it was not measured.
        pieces: bytes of flash of its constants and functions, each by what tells it from others:
            a piece that several layers have is there once.
        own: bytes of flash that no other layer shares.
        by_rows: what it costs more if the layer runs row by row, None where it cannot.
    """

    kernel: Kernel
    cost: Cost | None
    pieces: Mapping[Hashable, int]
    own: int
    by_rows: Cost | None = None

    @property
    def flash(self) -> int:
        """Bytes of flash, were it the only layer."""
        return self.own + sum(self.pieces.values())


@dataclass(frozen=True)
class Choice:
    """The chosen kernels.

    Attributes:
        kernels: one for each operator, in order.
        options: for each operator all that can serve it, the chosen one included.
        way: which layers run row by row, and the order of all.
        totals: predicted; None where a layer's cost is not known.
        by_rows: how much of it is for running row by row.
    """

    kernels: tuple[Kernel, ...]
    options: tuple[tuple[Option, ...], ...]
    way: Way
    totals: Totals | None
    by_rows: Cost

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
    options = tuple(
        tuple(_option(kernel, costs, planner, board) for kernel in each.kernels) for each in found
    )
    layers = [
        _comparable([option for option in some if option.kernel in allowed(each, kernels)])
        for some, each in zip(options, found, strict=True)
    ]
    if optimize == "ram":
        layers = [_undominated(each) for each in layers]
    search = _Search(layers, planner)
    picked, way = search.best(optimize, limits or Limits())
    chosen = search.options(picked)
    known = all(option.cost is not None for option in chosen)
    more = [cost for index in way.by_rows if (cost := chosen[index].by_rows) is not None]
    return Choice(
        tuple(option.kernel for option in chosen),
        options,
        way,
        search.totals(picked, way) if known else None,
        Cost(sum(one.cycles for one in more), sum(one.instructions for one in more)),
    )


def _option(
    kernel: Kernel, costs: CostTable | None, planner: MemoryPlanner, board: Board
) -> Option:
    pieces: dict[Hashable, int] = {
        (constant.c_type, hashlib.sha256(constant.values.tobytes()).digest()): constant.size
        for constant in kernel.constants
    }
    if costs is None or costs.of(kernel) is None:
        return Option(kernel, Cost(0, 0) if kernel.aliases_input else None, pieces, 0)
    return Option(
        kernel,
        costs.cost(kernel),
        pieces | costs.code(kernel),
        costs.layer_bytes(kernel),
        costs.by_rows(kernel, planner.rows(kernel), board),
    )


def _comparable(options: Sequence[Option]) -> tuple[Option, ...]:
    """The options with a predicted cost; the first one where there are none."""
    known = tuple(option for option in options if option.cost is not None)
    return known or tuple(options[:1])


def _undominated(options: Sequence[Option]) -> tuple[Option, ...]:
    """Without options that take as much scratch as another one, and as many cycles."""
    kept: dict[Hashable, list[Option]] = {}
    for option in sorted(options, key=lambda one: (one.kernel.scratch, *_cycles(one), one.flash)):
        kernel, form = option.kernel, option.kernel.row_form
        alike = kept.setdefault((kernel.overlaps, form and (form.window, form.overlaps)), [])
        if not any(all(map(int.__le__, _cycles(one), _cycles(option))) for one in alike):
            alike.append(option)
    return tuple(option for alike in kept.values() for option in alike)


def _cycles(option: Option) -> tuple[int, int]:
    """As a whole, and row by row."""
    whole = 0 if option.cost is None else option.cost.cycles
    return whole, whole + (0 if option.by_rows is None else option.by_rows.cycles)


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


class _Search:
    """The choices there are, and their scores."""

    def __init__(self, layers: Sequence[tuple[Option, ...]], planner: MemoryPlanner) -> None:
        self._count = len(layers)
        self._groups = _grouped(layers)
        self._names = sorted({name for group in self._groups for name in group.names})
        self._planner = planner

    # ---- figures of a choice ----

    def options(self, picked: _Picked) -> list[Option]:
        """The option of each layer."""
        found: dict[int, Option] = {}
        for group, position in zip(self._groups, picked, strict=True):
            found |= zip(group.layers, group.options[position], strict=True)
        return [found[layer] for layer in range(self._count)]

    def totals(self, picked: _Picked, way: Way) -> Totals:
        """All figures."""
        options = self.options(picked)
        arena = self._planner.arena([option.kernel for option in options], way)
        cycles, flash = _of_rows(options, way)
        return Totals(self._cycles(picked) + cycles, self._flash(picked) + flash, arena)

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

    def best(self, optimize: Objective, limits: Limits) -> tuple[_Picked, Way]:
        """The best choice within the limits, as far as the search finds it, and how to run it."""
        fastest = self._each(lambda group, p: (group.cycles[p], sum(group.pieces[p].values())))
        starts = [
            fastest,
            self._each(lambda group, p: (group.own[p] + sum(group.pieces[p].values()),)),
            self._each(lambda group, p: (*_room(group.options[p][0].kernel), group.cycles[p])),
            self._each(
                lambda group, p: (group.options[p][0].kernel.row_form is None, group.cycles[p])
            ),
        ]
        score = scoring(optimize, self._cycles(fastest))

        def limited(cycles: int, flash: int, arena: int) -> Score:
            totals = Totals(cycles, flash, arena)
            return excess(totals, limits), *score(cycles, flash, arena)

        if optimize in ("speed", "size"):  # the arena counts beyond its limit only
            picked, _ = self._improved(starts, partial(self._scored_alone, limited))
            kernels = [option.kernel for option in self.options(picked)]
            whole = self._planner.whole(kernels)
            if limits.arena is None or self._planner.arena(kernels, whole) <= limits.arena:
                return picked, whole
            starts = [picked, *starts]
        picked, way = self._improved(starts, partial(self._scored, limited))
        assert way is not None
        return picked, way

    def _scored_alone(
        self, objective: Scoring, picked: _Picked, best: Score | None
    ) -> _Scored | None:
        """The score of a choice without its arena; None where it is no better than the best."""
        score = objective(self._cycles(picked), self._flash(picked), 0)
        return (score, None) if best is None or score < best else None

    def _scored(self, objective: Scoring, picked: _Picked, best: Score | None) -> _Scored | None:
        """The best way of a choice; None where there is none better than the best score."""
        cycles, flash = self._cycles(picked), self._flash(picked)
        if best is not None and objective(cycles, flash, 0) >= best:
            return None
        options = self.options(picked)
        kernels = [option.kernel for option in options]
        costs = [1 if one.by_rows is None else one.by_rows.cycles for one in options]
        least = self._planner.least(kernels)
        way: Way | None = self._planner.whole(kernels)
        found: _Scored | None = None
        while way is not None:
            more = _of_rows(options, way)
            figures = cycles + more[0], flash + more[1]
            if best is None or objective(*figures, way.peak) < best:
                score = objective(*figures, self._planner.arena(kernels, way))
                if best is None or score < best:
                    best, found = score, (score, way)
            # What takes less memory takes more cycles.
            room = room_below(best, partial(objective, figures[0], flash), least, way.peak - 1)
            way = None if room is None else self._planner.way(kernels, costs, room)
        return found

    # ---- the search ----

    def _each(self, rank: Callable[[_Group, int], Any]) -> _Picked:
        """For each group alone the option of the least rank, the first of several."""
        return tuple(
            min(range(len(group.options)), key=lambda p: rank(group, p)) for group in self._groups
        )

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
        moved = []
        for group, position in zip(self._groups, picked, strict=True):
            if towards or group.names[position] == name:
                others = [p for p, other in enumerate(group.names) if (other == name) is towards]
                moved.append(min(others, key=lambda p: group.cycles[p], default=position))
            else:
                moved.append(position)
        return tuple(moved)


def _of_rows(options: Sequence[Option], way: Way) -> tuple[int, int]:
    """Cycles, and bytes of flash, that a way takes more than running all layers whole."""
    layers = way.by_rows
    costs = (options[index].by_rows for index in layers)
    code = _ROW_BYTES * len(layers) + _SEGMENT_BYTES * len(way.segments)
    return sum(cost.cycles for cost in costs if cost is not None), code


def _room(kernel: Kernel) -> tuple[bool, bool, int]:
    """How much of the arena a kernel asks for: less where its output may lie in its input."""
    return not kernel.overlaps, kernel.row_form is None, kernel.scratch


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
