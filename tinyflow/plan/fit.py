"""A plan that fits, at the cost of speed where nothing else helps."""

from __future__ import annotations

from collections.abc import Sequence

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.portable.rows import row_kernel
from tinyflow.plan.memory import MemoryPlan, plan_memory


def plan_within(
    graph: Graph, kernels: Sequence[Kernel], plan: MemoryPlan, board: Board, limit: int | None
) -> MemoryPlan:
    """A plan, or one in which some kernels give way where its arena would be too large.

    Portable kernels that can compute a row then take the place of faster ones that cannot, as far
    as that makes the arena smaller.

    Args:
        graph: the graph.
        kernels: one for each operator.
        plan: theirs.
        board: where they run.
        limit: bytes beyond which an arena is too large, None where there is no limit.
    """
    if limit is None or plan.arena_size <= limit:
        return plan
    able = [_with_rows(graph, kernel, board) for kernel in kernels]
    tried = plan_memory(graph, able, room=limit)
    if tried.arena_size >= plan.arena_size:
        return plan
    # What runs whole after all keeps its own kernel.
    streamed = {
        kernel.operator
        for segment in tried.segments
        for kernel in tried.kernels[segment.first : segment.end]
    }
    mixed = [
        other if other.operator in streamed else kernel
        for kernel, other in zip(kernels, able, strict=True)
    ]
    return min(plan_memory(graph, mixed, room=limit), tried, key=lambda found: found.arena_size)


def _with_rows(graph: Graph, kernel: Kernel, board: Board) -> Kernel:
    if kernel.row_form is not None or kernel.aliases_input:
        return kernel
    return row_kernel(kernel.operator, graph, board) or kernel
