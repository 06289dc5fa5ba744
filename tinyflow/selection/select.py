# SPDX-License-Identifier: Apache-2.0
"""Find, price, choose and plan: a graph becomes kernels, a schedule and an arena."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

from tinyflow.boards import Board
from tinyflow.costs.table import CostTable
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.kernels.candidates import Candidates, candidates
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.plan.memory import MemoryPlan, Planner
from tinyflow.selection.allowed import allowed
from tinyflow.selection.objective import Limits, Totals, broken
from tinyflow.selection.search import Choice, Chooser, price_all
from tinyflow.settings.project_file import KernelSet, Objective

_log = logging.getLogger(__name__)

#: Returns the costs on a board of some operators' kernels; None if they are not known. It gets no
#: operators if none has a choice.
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
        chooser: what chose.
        broken: names of the limits that this build is predicted to break, as in `Limits`.
        nearest: if some are, the build for each limit alone.
    """

    choice: Choice
    plan: MemoryPlan
    totals: Totals | None
    chooser: Chooser
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
        cmsis: the copy of CMSIS-NN in use.
        costs: looks up or measures what kernels cost on the board.
        kernels: which kernels are allowed.
        optimize: the objective.
        limits: take precedence over it. If they cannot all be kept, the build that exceeds them
            least is chosen (`tinyflow.selection.objective.excess`).

    Raises:
        UnsupportedError: no kernel supports an operator; names the operator and the layer.
    """
    found = find(graph, board, cmsis, costs, kernels)
    limits = limits or Limits()
    best = found.best(optimize, limits)
    if best.totals is None or not broken(best.totals, limits):
        return best
    return replace(
        best,
        broken=broken(best.totals, limits),
        nearest=tuple(
            Nearest(name, not broken(totals, alone), totals)
            for name, alone in _alone(limits)
            if (totals := found.best(optimize, alone).totals) is not None
        ),
    )


@dataclass(frozen=True)
class Found:
    """Graph with its kernels and their costs, from which choices are made.

    Attributes:
        candidates: for each operator its kernels.
        planner: of the graph.
        chooser: of the kernels that are allowed, with their costs.
    """

    candidates: tuple[Candidates, ...]
    planner: Planner
    chooser: Chooser

    def best(self, optimize: Objective, limits: Limits) -> Selection:
        """The best choice and its plan."""
        choice = self.chooser.choose(optimize, limits)
        plan = self.planner.plan(choice.kernels, choice.schedule)
        _log.info(
            "memory plan: arena of %d bytes (at least %d), %d fused blocks; %s",
            *(
                plan.arena_size,
                plan.lower_bound,
                len(plan.fused_blocks),
                choice.totals or "costs not known",
            ),
        )
        return Selection(choice, plan, choice.totals, self.chooser)


def find(
    graph: Graph, board: Board, cmsis: CmsisNN, costs: Costs, kernels: KernelSet = "auto"
) -> Found:
    """Find and price the kernels of a graph; arguments and errors as for `select`."""
    found = tuple(candidates(operator, graph, board, cmsis) for operator in graph.operators)
    table = costs(
        frozenset(type(each.operator) for each in found if len(allowed(each, kernels)) > 1)
    )
    planner = Planner(graph)
    priced = price_all(found, table, planner, board)
    return Found(found, planner, Chooser(found, priced, planner, kernels))


def _alone(limits: Limits) -> Iterator[tuple[str, Limits]]:
    """Each limit without the others, by name."""
    for each in fields(limits):
        value = getattr(limits, each.name)
        if value is not None:
            yield each.name, Limits(**{each.name: value})
