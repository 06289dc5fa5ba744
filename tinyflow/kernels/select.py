"""Which kernels may serve an operator, and the first of them."""

from __future__ import annotations

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import Candidates, candidates
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.project import KernelSet


def select_kernels(
    graph: Graph, board: Board, cmsis: CmsisNN, *, kernels: KernelSet = "auto"
) -> tuple[Kernel, ...]:
    """A kernel for each operator of the graph, in order.

    Args:
        graph: the graph.
        board: where it will run.
        cmsis: the copy of CMSIS-NN at hand.
        kernels: which kernels may serve.

    Raises:
        UnsupportedError: no kernel serves an operator; names the operator and the layer.
    """
    return tuple(
        allowed(candidates(operator, graph, board, cmsis), kernels)[0]
        for operator in graph.operators
    )


def allowed(found: Candidates, kernels: KernelSet) -> tuple[Kernel, ...]:
    """The candidates that may serve: never none, whatever is asked for."""
    if kernels == "cmsis-nn" and found.library is not None:
        return (found.library,)
    if kernels == "native" and found.native:
        return found.native
    return found.kernels
