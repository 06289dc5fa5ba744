# SPDX-License-Identifier: Apache-2.0
"""Why each layer has its kernel: the others that support it, and why they were not taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import Candidates
from tinyflow.selection.allowed import allowed
from tinyflow.selection.objective import Limits, Totals, broken, excess
from tinyflow.selection.priced_kernels import PricedKernel, comparable
from tinyflow.selection.search import Choice, Chooser, Neighbours
from tinyflow.settings.project_file import KernelSet, Objective

#: What each objective makes least first, second and third, as fields of `Totals`.
_FIRST: Mapping[Objective, tuple[str, ...]] = {
    "speed": ("cycles", "flash", "arena"),
    "size": ("flash", "cycles", "arena"),
    "ram": ("arena", "cycles", "flash"),
}
_UNITS = {"cycles": "cycles", "flash": "bytes of flash", "arena": "bytes of arena"}


@dataclass(frozen=True)
class Alternative:
    """A kernel that supports a layer and was not taken.

    Attributes:
        option: the kernel with its predicted cost.
        totals: of the inference, had this layer, and those that cost the same, this kernel; None
            if that was not weighed.
        reason: why it was not taken.
    """

    option: PricedKernel
    totals: Totals | None
    reason: str


@dataclass(frozen=True)
class Alternatives:
    """What a choice might have been.

    Attributes:
        totals: predicted of the choice itself; like those of the alternatives, with an arena that
            is estimated.
        layers: for each layer, in the order of the graph, the kernels that it might have had.
    """

    totals: Totals
    layers: tuple[tuple[Alternative, ...], ...]


def alternatives(
    choice: Choice, chooser: Chooser, kernels: KernelSet, optimize: Objective, limits: Limits
) -> Alternatives:
    """The kernels that each layer might have had.

    Args:
        choice: the choice.
        chooser: what made it.
        kernels, optimize, limits: what it was asked.
    """
    near = chooser.neighbours(choice, optimize, limits)
    return Alternatives(
        near.totals,
        tuple(
            tuple(_of_layer(layer, options, choice, near, kernels, optimize, limits))
            for layer, options in enumerate(choice.options)
        ),
    )


def _of_layer(
    layer: int,
    options: tuple[PricedKernel, ...],
    choice: Choice,
    near: Neighbours,
    kernels: KernelSet,
    optimize: Objective,
    limits: Limits,
) -> Iterator[Alternative]:
    permitted = allowed(_candidates(options), kernels)
    weighed = comparable([option for option in options if option.kernel in permitted])
    for option in options:
        totals = near.changed.get((layer, id(option)))
        if option.kernel not in permitted:
            yield Alternative(option, None, f"left out by kernels = {kernels}")
        elif option not in weighed:
            yield Alternative(option, None, "its cost on this board is not known")
        elif totals is not None:
            yield Alternative(option, totals, _reason(totals, near, optimize, limits))
        elif not _is_taken(option, choice.chosen[layer]):
            yield Alternative(
                option, None, "the others have no known cost either: the first is taken"
            )


def _candidates(options: tuple[PricedKernel, ...]) -> Candidates:
    """The candidates that options were made of: the generated ones, then that of a library."""
    made = [option.kernel for option in options]
    generated = tuple(kernel for kernel in made if kernel.is_generated)
    library = next((kernel for kernel in made if not kernel.is_generated), None)
    return Candidates(made[0].operator, generated, library)


def _is_taken(option: PricedKernel, chosen: PricedKernel) -> bool:
    """Whether an option is the chosen one, which may lack the kernel for rows."""
    return _identity(option.kernel) == _identity(chosen.kernel)


def _identity(kernel: Kernel) -> tuple[object, ...]:
    return kernel.function, kernel.variant, kernel.template, kernel.sources, kernel.scratch


def _reason(totals: Totals, near: Neighbours, optimize: Objective, limits: Limits) -> str:
    """Why a neighbour is not the choice."""
    chosen = near.totals
    scores = [near.score(each.cycles, each.flash, each.arena) for each in (totals, chosen)]
    if excess(totals, limits) > excess(chosen, limits):
        return _broken(totals, chosen, limits)
    if scores[0] == scores[1]:
        return "equal: an earlier one is kept"
    if scores[0] < scores[1]:
        closer = excess(totals, limits) < excess(chosen, limits)
        better = "closer to the limits" if closer else f"better for {optimize}"
        if totals.cycles > chosen.cycles:
            slower = totals.cycles - chosen.cycles
            return f"{better}, but {slower:,} cycles slower: more than to save memory may cost"
        return f"{better} by this estimate, but the search ended elsewhere"
    return _worse(totals, chosen, optimize)


def _broken(totals: Totals, chosen: Totals, limits: Limits) -> str:
    """The limits that are broken, or broken by more."""
    before = broken(chosen, limits)
    return "; ".join(
        f"{'further beyond' if name in before else 'breaks'} the limit on {name}: "
        f"{getattr(totals, name):,} > {getattr(limits, name):,}"
        for name in broken(totals, limits)
        if name not in before or getattr(totals, name) > getattr(chosen, name)
    )


def _worse(totals: Totals, chosen: Totals, optimize: Objective) -> str:
    """By what it is worse for the objective."""
    more = {
        each.name: getattr(totals, each.name) - getattr(chosen, each.name)
        for each in fields(Totals)
    }
    if optimize in _FIRST:
        first = next(name for name in _FIRST[optimize] if more[name])
        return f"worse for {optimize}: {more[first]:+,} {_UNITS[first]}"
    if all(figure >= 0 for figure in more.values()):
        return "worse: " + ", ".join(
            f"{more[name]:+,} {_UNITS[name]}" for name in more if more[name]
        )
    percent = ", ".join(
        f"{name} {100 * more[name] / max(getattr(chosen, name), 1):+.1f} %"
        for name in more
        if more[name]
    )
    return f"worse in balance: {percent}"
