"""Chooses one of its kernels for each operator, by predicted cycles, flash and memory.

Where costs are known, the choice is a search: from a few simple choices, changes that improve the
score are made until none does. A change gives one layer, and those like it, another kernel; or it
moves every layer to a kernel, or away from one, since code that several layers share is paid once.
Nothing is random: the same model gives the same choice. `docs/kernels.md` states the objectives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import cycle
from typing import Any

from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import Candidates
from tinyflow.kernels.cost import Cost, CostTable, kernel_name
from tinyflow.kernels.select import allowed
from tinyflow.project import KernelSet, Objective

#: Bytes of arena that a choice of kernels needs; the memory planner's answer.
Arena = Callable[[Sequence[Kernel]], int]

#: `balanced` may give up so many percent of the fastest choice's cycles, and no more.
BALANCED_LOSS_PERCENT = 10
#: `balanced` takes a percent of cycles for so many of flash or arena.
_CYCLES_WEIGHT = 2


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


@dataclass(frozen=True, eq=False)
class Option:
    """A kernel that a layer may take.

    Attributes:
        kernel: the kernel.
        cost: its predicted cost, None where it was not measured.
        pieces: bytes of flash of its constants and functions, each by what tells it from others:
            a piece that several layers have is there once.
        own: bytes of flash that no other layer shares.
    """

    kernel: Kernel
    cost: Cost | None
    pieces: Mapping[Hashable, int]
    own: int

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
        totals: predicted; None where a layer's cost is not known.
    """

    kernels: tuple[Kernel, ...]
    options: tuple[tuple[Option, ...], ...]
    totals: Totals | None

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
    arena: Arena,
    *,
    kernels: KernelSet = "auto",
    optimize: Objective = "balanced",
    limits: Limits | None = None,
) -> Choice:
    """Choose a kernel for each operator.

    Args:
        found: the candidates of each operator, in order.
        costs: the costs on the board, None where they are not known: then the first candidate of
            each operator is taken.
        arena: the memory planner.
        kernels: which kernels may serve.
        optimize: what is to be best.
        limits: what the choice should stay within. Where none does, the one that goes least
            beyond is chosen.
    """
    options = tuple(tuple(_option(kernel, costs) for kernel in each.kernels) for each in found)
    layers = [
        _comparable([option for option in some if option.kernel in allowed(each, kernels)])
        for some, each in zip(options, found, strict=True)
    ]
    if optimize == "ram":
        layers = [_undominated(each) for each in layers]
    search = _Search(layers, arena)
    picked = search.best(optimize, limits or Limits())
    chosen = search.kernels(picked)
    known = all(option.cost is not None for option in search.options(picked))
    return Choice(chosen, options, search.totals(picked) if known else None)


def _option(kernel: Kernel, costs: CostTable | None) -> Option:
    pieces: dict[Hashable, int] = {
        (constant.c_type, hashlib.sha256(constant.values.tobytes()).digest()): constant.size
        for constant in kernel.constants
    }
    if costs is None or costs.of(kernel) is None:
        return Option(kernel, Cost(0, 0) if kernel.aliases_input else None, pieces, 0)
    return Option(
        kernel, costs.cost(kernel), pieces | costs.code(kernel), costs.layer_bytes(kernel)
    )


def _comparable(options: Sequence[Option]) -> tuple[Option, ...]:
    """The options with a predicted cost; the first one where there are none."""
    known = tuple(option for option in options if option.cost is not None)
    return known or tuple(options[:1])


def _undominated(options: Sequence[Option]) -> tuple[Option, ...]:
    """Without options that take as much scratch as another one, and as many cycles."""

    def cycles(option: Option) -> int:
        return 0 if option.cost is None else option.cost.cycles

    kept: dict[Hashable, list[Option]] = {}
    for option in sorted(options, key=lambda one: (one.kernel.scratch, cycles(one), one.flash)):
        alike = kept.setdefault((option.kernel.overlaps, option.kernel.row_form), [])
        if not alike or cycles(option) < cycles(alike[-1]):
            alike.append(option)
    return tuple(option for alike in kept.values() for option in alike)


#: For each group of layers the position of its option.
_Picked = tuple[int, ...]
_Score = tuple[int, ...]
#: A choice's score; None where it is surely not less than the one given.
_Scorer = Callable[[_Picked, _Score | None], _Score | None]


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

    def __init__(self, layers: Sequence[tuple[Option, ...]], arena: Arena) -> None:
        self._count = len(layers)
        self._groups = _grouped(layers)
        self._names = sorted({name for group in self._groups for name in group.names})
        self._plan = arena
        self._arenas: dict[tuple[Hashable, ...], int] = {}

    # ---- figures of a choice ----

    def options(self, picked: _Picked) -> list[Option]:
        """The option of each layer."""
        found: dict[int, Option] = {}
        for group, position in zip(self._groups, picked, strict=True):
            found |= zip(group.layers, group.options[position], strict=True)
        return [found[layer] for layer in range(self._count)]

    def kernels(self, picked: _Picked) -> tuple[Kernel, ...]:
        """The kernel of each layer."""
        return tuple(option.kernel for option in self.options(picked))

    def totals(self, picked: _Picked) -> Totals:
        """All figures."""
        return Totals(self._cycles(picked), self._flash(picked), self._arena(picked))

    def _cycles(self, picked: _Picked) -> int:
        return sum(group.cycles[p] for group, p in zip(self._groups, picked, strict=True))

    def _flash(self, picked: _Picked) -> int:
        pieces: dict[Hashable, int] = {}
        own = 0
        for group, position in zip(self._groups, picked, strict=True):
            pieces.update(group.pieces[position])
            own += group.own[position]
        return own + sum(pieces.values())

    def _arena(self, picked: _Picked) -> int:
        """The planner's answer, asked for once for kernels that it cannot tell apart."""
        kernels = self.kernels(picked)
        key = tuple((kernel.scratch, kernel.overlaps, kernel.row_form) for kernel in kernels)
        if key not in self._arenas:
            self._arenas[key] = self._plan(kernels)
        return self._arenas[key]

    @cached_property
    def _least_arena(self) -> int:
        """About the least that any choice needs: the planner, which takes longest, need not be
        asked about what could not win even with that.
        """
        found = {}
        for group in self._groups:
            scratch = min(option[0].kernel.scratch for option in group.options)
            best = max(group.options, key=lambda option: len(option[0].kernel.overlaps))
            for layer, option in zip(group.layers, best, strict=True):
                found[layer] = replace(option.kernel, scratch=scratch)
        return self._plan([found[layer] for layer in range(self._count)])

    # ---- scores: the least is the best ----

    def best(self, optimize: Objective, limits: Limits) -> _Picked:
        """The best choice within the limits, as far as the search finds it."""
        fastest = self._each(lambda group, p: (group.cycles[p], sum(group.pieces[p].values())))
        starts = [
            fastest,
            self._each(lambda group, p: (group.own[p] + sum(group.pieces[p].values()),)),
            self._each(lambda group, p: (*_room(group.options[p][0].kernel), group.cycles[p])),
            self._each(
                lambda group, p: (group.options[p][0].kernel.row_form is None, group.cycles[p])
            ),
        ]
        score = self._scorer(optimize, least_cycles=self._cycles(fastest))
        found = self._improved(starts, score)
        if not self._excess(found, limits):
            return found

        def limited(picked: _Picked, best: _Score | None) -> _Score | None:
            excess = self._excess(picked, limits)
            if best is not None and excess > best[0]:
                return None
            rest = score(picked, best[1:] if best is not None and excess == best[0] else None)
            return None if rest is None else (excess, *rest)

        return self._improved([found, *starts], limited)

    def _scorer(self, optimize: Objective, *, least_cycles: int) -> _Scorer:
        """The score of an objective, given the cycles of the fastest choice."""

        def speed(picked: _Picked, best: _Score | None) -> _Score:
            return self._cycles(picked), self._flash(picked)

        def size(picked: _Picked, best: _Score | None) -> _Score:
            return self._flash(picked), self._cycles(picked)

        def ram(picked: _Picked, best: _Score | None) -> _Score:
            return self._arena(picked), self._cycles(picked), self._flash(picked)

        def balanced(picked: _Picked, best: _Score | None) -> _Score | None:
            cycles, flash = self._cycles(picked), self._flash(picked)
            lost = max(0, 100 * (cycles - least_cycles) - BALANCED_LOSS_PERCENT * least_cycles)
            cost = cycles**_CYCLES_WEIGHT * max(flash, 1)
            if best is not None and (lost, cost * self._least_arena) >= best:
                return None
            return lost, cost * self._arena(picked)

        scorers: dict[Objective, _Scorer] = {
            "speed": speed, "size": size, "ram": ram, "balanced": balanced,
        }  # fmt: skip
        return scorers[optimize]

    def _excess(self, picked: _Picked, limits: Limits) -> int:
        """How far a choice is beyond its limits, in millionths of them, added up."""
        figures = (
            (limits.cycles, self._cycles),
            (limits.flash, self._flash),
            (limits.arena, self._arena),
        )
        return sum(
            max(0, 1_000_000 * (figure(picked) - limit) // max(limit, 1))
            for limit, figure in figures
            if limit is not None
        )

    # ---- the search ----

    def _each(self, rank: Callable[[_Group, int], Any]) -> _Picked:
        """For each group alone the option of the least rank, the first of several."""
        return tuple(
            min(range(len(group.options)), key=lambda p: rank(group, p)) for group in self._groups
        )

    def _improved(self, starts: Sequence[_Picked], score: _Scorer) -> _Picked:
        """The best that any start leads to."""
        found = [self._descend(start, score) for start in dict.fromkeys(starts)]
        return min(found, key=lambda ended: ended[0])[1]

    def _descend(self, picked: _Picked, score: _Scorer) -> tuple[_Score, _Picked]:
        """Change a choice until no change makes it better."""
        best = score(picked, None)
        assert best is not None
        changes, failed = list(self._changes()), 0
        for change in cycle(changes):
            if failed == len(changes):
                break
            tried = change(picked)
            found = None if tried == picked else score(tried, best)
            if found is None or found >= best:
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
