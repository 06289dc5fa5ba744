"""Find, price, choose and plan: a graph becomes kernels, a schedule and an arena."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from tinyflow.boards import Board
from tinyflow.costs.table import CostTable
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.kernels.candidates import candidates
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.plan.memory import MemoryPlan, Planner
from tinyflow.project import KernelSet, Objective
from tinyflow.selection.allowed import allowed
from tinyflow.selection.objective import Limits, Totals, broken
from tinyflow.selection.search import Choice, choose_kernels

#: The costs on a board of the kernels of some kinds of operators; None if they are not known. No
#: kinds are given if no operator has a choice.
Costs = Callable[[frozenset[type[Operator]]], CostTable | None]


@dataclass(frozen=True)
class Nearest:
    """The build for one limit alone, where not all limits can be kept.

    Attributes:
        limit: name of the limit, as in `Limits`.
        kept: whether it can be kept at all.
        totals: predicted.
    """

    limit: str
    kept: bool
    totals: Totals


@dataclass(frozen=True)
class Selection:
    """Chosen kernels and their memory plan.

    Attributes:
        choice: the kernels, and which layers run row by row.
        plan: of the memory.
        totals: predicted, with the arena of the plan; None if a layer's cost is not known.
        broken: names of the limits that this build is predicted to break, as in `Limits`.
        nearest: if some are, the build for each limit alone.
    """

    choice: Choice
    plan: MemoryPlan
    totals: Totals | None
    broken: tuple[str, ...] = ()
    nearest: tuple[Nearest, ...] = ()


def select(
    graph: Graph,
    board: Board,
    cmsis: CmsisNN,
    costs: Costs,
    *,
    kernels: KernelSet = "auto",
    optimize: Objective = "balanced",
    limits: Limits | None = None,
) -> Selection:
    """Choose a kernel for each operator and how the layers run, and plan the memory.

    Args:
        graph: the graph.
        board: the board.
        cmsis: the copy of CMSIS-NN at hand.
        costs: looks up or measures what kernels cost on the board.
        kernels: which kernels are allowed.
        optimize: what is made least.
        limits: come before that. If they cannot all be kept, the build that exceeds them least is
            chosen (`tinyflow.selection.objective.excess`).

    Raises:
        UnsupportedError: no kernel supports an operator; names the operator and the layer.
    """
    limits = limits or Limits()
    found = [candidates(operator, graph, board, cmsis) for operator in graph.operators]
    table = costs(
        frozenset(type(each.operator) for each in found if len(allowed(each, kernels)) > 1)
    )
    planner = Planner(graph)

    def selected(within: Limits) -> Selection:
        choice = choose_kernels(
            found, table, planner, board, kernels=kernels, optimize=optimize, limits=within
        )
        plan = planner.plan(choice.kernels, choice.way)
        totals = choice.totals
        if totals is not None:
            totals = Totals(totals.cycles, totals.flash, plan.arena_size)
        return Selection(choice, plan, totals)

    best = selected(limits)
    if best.totals is None or not broken(best.totals, limits):
        return best
    return Selection(
        best.choice,
        best.plan,
        best.totals,
        broken(best.totals, limits),
        tuple(
            Nearest(name, not broken(totals, alone), totals)
            for name, alone in _alone(limits)
            if (totals := selected(alone).totals) is not None
        ),
    )


def _alone(limits: Limits) -> Iterator[tuple[str, Limits]]:
    """Each limit without the others, by name."""
    for each in fields(limits):
        value = getattr(limits, each.name)
        if value is not None:
            yield each.name, Limits(**{each.name: value})
