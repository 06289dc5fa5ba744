# SPDX-License-Identifier: Apache-2.0
"""The limits of a build, and the choice of its kernels within them."""

from __future__ import annotations

from tinyflow.costs.board_costs import board_costs
from tinyflow.costs.table import CostTable, shipped_costs
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.pipeline.context import BuildContext
from tinyflow.report.report_data import NearestSection, ShortfallSection
from tinyflow.selection.objective import Limits
from tinyflow.selection.select import Selection, select

#: Bytes of an image besides model, kernels and stack, rounded upwards.
FIRMWARE_FLASH, FIRMWARE_RAM = 3072, 768


def choose(context: BuildContext, graph: Graph) -> Selection:
    """Choose a kernel for each operator, and plan the memory.

    Raises:
        UnsupportedError: no kernel supports an operator; names the operator and the layer.
    """
    request, board = context.request, context.board

    def costs(undecided: frozenset[type[Operator]]) -> CostTable | None:
        if undecided:
            return board_costs(board, undecided, context.cmsis, context.cache, context.progress)
        return shipped_costs(board)

    return select(
        graph,
        board,
        context.cmsis,
        costs,
        kernels=request.kernels,
        optimize=request.optimize,
        limits=limits_of(context, graph),
    )


def shortfall_of(
    context: BuildContext, graph: Graph, selection: Selection
) -> ShortfallSection | None:
    """Limits that cannot be kept together, in the units of `[budget]`; None if all are."""
    if not selection.broken:
        return None
    request, correction = context.request, context.correction
    names = {"cycles": "latency_ms", "arena": "ram_kib", "flash": "flash_kib"}
    state = sum(graph.tensors[index].size for index in graph.states())
    factor = 1.0 if correction is None else correction.factor

    def figures(cycles: int, flash: int, arena: int) -> dict[str, float]:
        return {
            "latency_ms": 1000 * factor * cycles / request.board.clock_hz,
            "ram_kib": (arena + state + request.board.stack_size + FIRMWARE_RAM) / 1024,
            "flash_kib": (flash + FIRMWARE_FLASH) / 1024,
        }

    limits = limits_of(context, graph)
    shown = figures(limits.cycles or 0, limits.flash or 0, limits.arena or 0)
    budget = request.budget.model_dump()
    asked = {name: budget[name] for name in names.values() if budget[name] is not None}
    return ShortfallSection(
        limits={names[each]: shown[names[each]] for each in selection.broken} | asked,
        broken=tuple(names[each] for each in selection.broken),
        nearest=tuple(
            NearestSection(
                limit=names[one.limit],
                kept=one.kept,
                **figures(one.totals.cycles, one.totals.flash, one.totals.arena),
            )
            for one in selection.nearest
            if names[one.limit] in asked or one.limit in selection.broken
        ),
    )


def limits_of(context: BuildContext, graph: Graph) -> Limits:
    """Return the limits that the board and the budget set to the model's constants, kernels and
    arena.
    """
    board, budget, correction = context.board, context.request.budget, context.correction
    flash, ram = board.flash.size, board.ram.size - board.stack_size - FIRMWARE_RAM
    if budget.flash_kib is not None:
        flash = min(flash, int(budget.flash_kib * 1024))
    if budget.ram_kib is not None:
        ram = min(ram, int(budget.ram_kib * 1024) - board.stack_size - FIRMWARE_RAM)
    cycles = None
    if budget.latency_ms is not None:
        factor = 1.0 if correction is None else correction.factor
        cycles = int(budget.latency_ms / 1000 * board.clock_hz / factor)
    state = sum(graph.tensors[index].size for index in graph.states())
    return Limits(flash=flash - FIRMWARE_FLASH, arena=max(0, ram - state), cycles=cycles)
