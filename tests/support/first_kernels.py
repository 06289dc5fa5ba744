# SPDX-License-Identifier: Apache-2.0
"""Kernels for a graph without a choice: of each operator's the first."""

from __future__ import annotations

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import candidates
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.selection.allowed import allowed
from tinyflow.settings.project_file import KernelSet


def select_kernels(
    graph: Graph, board: Board, cmsis: CmsisNN, *, kernels: KernelSet = "auto"
) -> tuple[Kernel, ...]:
    """A kernel for each operator of the graph, in order.

    Args:
        graph: the graph.
        board: where it will run.
        cmsis: the copy of CMSIS-NN at hand.
        kernels: which kernels are allowed.

    Raises:
        UnsupportedError: no kernel supports an operator; names the operator and the layer.
    """
    return tuple(
        allowed(candidates(operator, graph, board, cmsis), kernels)[0]
        for operator in graph.operators
    )
