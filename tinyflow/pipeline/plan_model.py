# SPDX-License-Identifier: Apache-2.0
"""Stage 2: each operator gets a kernel, the memory is planned, and the library is generated."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.boards import Board
from tinyflow.codegen.library import ModelCode, generate_model
from tinyflow.errors import FitError
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.limits import choose, limits_of, shortfall_of
from tinyflow.pipeline.prepare import Prepared
from tinyflow.plan.memory import MemoryPlan
from tinyflow.report.prediction import shortfall_hint
from tinyflow.report.report_data import ShortfallSection
from tinyflow.selection.select import Selection


@dataclass(frozen=True)
class Planned:
    """A model with its kernels, its memory plan and its library.

    Attributes:
        prepared: the model.
        selection: the kernels, their schedule and the memory plan.
        shortfall: limits that cannot be kept together, None if all are.
        code: the model's library.
    """

    prepared: Prepared
    selection: Selection
    shortfall: ShortfallSection | None
    code: ModelCode

    @property
    def plan(self) -> MemoryPlan:
        """The memory plan."""
        return self.selection.plan


def plan_model(context: BuildContext, prepared: Prepared) -> Planned:
    """Choose kernels and schedule, plan the memory, and generate the library.

    Raises:
        UnsupportedError: no kernel supports an operator; names the operator and the layer.
        FitError: the weights or the arena are larger than the board's memory.
    """
    graph = prepared.graph
    selection = choose(context, graph)
    context.observer.selected(graph, selection, limits_of(context, graph))
    code = generate_model(
        graph,
        selection.plan,
        context.cmsis,
        prepared.quantised.tflite,
        emit_tflite_array=context.request.emit_tflite_array,
    )
    planned = Planned(prepared, selection, shortfall_of(context, graph, selection), code)
    check_fit(code, selection.plan, context.board, planned.shortfall)
    return planned


def check_fit(
    code: ModelCode, plan: MemoryPlan, board: Board, shortfall: ShortfallSection | None = None
) -> None:
    """Check what is known before compiling: the weights and the arena.

    Raises:
        FitError: says which memory is too small and by how much.
    """
    ram = plan.arena_size + plan.state_size + board.stack_size
    kept = ", the state" if plan.state_size else ""
    needs = (
        (board.flash, code.weight_bytes, "the weights"),
        (board.ram, ram, f"the arena{kept} and the stack"),
    )
    for region, bytes_needed, what in needs:
        if bytes_needed > region.size:
            raise FitError(
                f"the model does not fit {board.id}: {what} need {bytes_needed:,} bytes of "
                f"{region.kind}, the board has {region.size:,}: "
                f"{bytes_needed - region.size:,} too many",
                hint="Prune the model, shrink its input, or choose a larger board "
                "(`tinyflow boards`)." + shortfall_hint(shortfall),
            )
