"""Which kernels a build takes, what runs row by row, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.cache import Cache
from tinyflow.costs.board import board_costs
from tinyflow.costs.table import shipped_costs
from tinyflow.ir.graph import Graph
from tinyflow.kernels.candidates import candidates
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.pipeline.request import BuildRequest
from tinyflow.plan.fit import plan_within
from tinyflow.plan.memory import MemoryPlan, Planner
from tinyflow.progress import Progress
from tinyflow.selection.allowed import allowed
from tinyflow.selection.objective import Limits
from tinyflow.selection.search import Choice, choose_kernels
from tinyflow.timing.calibration import Calibration

#: What an image holds beside model, kernels and stack: bytes, rounded upwards.
FIRMWARE_FLASH, FIRMWARE_RAM = 3072, 768


@dataclass(frozen=True)
class Planned:
    """The chosen kernels and their memory plan.

    Where nothing else fits the limits, some layers of the plan have portable kernels instead of
    the chosen ones.
    """

    choice: Choice
    plan: MemoryPlan


def choose(
    request: BuildRequest,
    graph: Graph,
    cmsis: CmsisNN,
    calibration: Calibration | None,
    cache: Cache,
    progress: Progress,
) -> Planned:
    """Choose a kernel for each operator, and plan the memory.

    Raises:
        UnsupportedError: no kernel serves an operator; names the operator and the layer.
    """
    board = request.board
    found = [candidates(operator, graph, board, cmsis) for operator in graph.operators]
    undecided = {type(each.operator) for each in found if len(allowed(each, request.kernels)) > 1}
    costs = (
        board_costs(board, undecided, cmsis, cache, progress) if undecided else shipped_costs(board)
    )
    planner = Planner(graph)
    limits = limits_of(request, graph, calibration)
    choice = choose_kernels(
        found,
        costs,
        planner,
        board,
        kernels=request.kernels,
        optimize=request.optimize,
        limits=limits,
    )
    plan = planner.plan(choice.kernels, choice.way)
    return Planned(choice, plan_within(graph, choice.kernels, plan, board, limits.arena))


def limits_of(request: BuildRequest, graph: Graph, calibration: Calibration | None) -> Limits:
    """What the board and the budget leave to the model's constants, kernels and arena."""
    board, budget = request.board, request.budget
    flash, ram = board.flash.size, board.ram.size - board.stack_size - FIRMWARE_RAM
    if budget.flash_kib is not None:
        flash = min(flash, int(budget.flash_kib * 1024))
    if budget.ram_kib is not None:
        ram = min(ram, int(budget.ram_kib * 1024) - board.stack_size - FIRMWARE_RAM)
    cycles = None
    if budget.latency_ms is not None:
        factor = 1.0 if calibration is None else calibration.factor
        cycles = int(budget.latency_ms / 1000 * board.clock_hz / factor)
    state = sum(graph.tensors[index].size for index in graph.states())
    return Limits(flash=flash - FIRMWARE_FLASH, arena=max(0, ram - state), cycles=cycles)
