"""The makers of all native kernels, by operator."""

from __future__ import annotations

from collections.abc import Iterator

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel, VariantMaker
from tinyflow.kernels.native import (
    convolution,
    depthwise,
    elementwise,
    fully_connected,
    lookup,
    pooling,
    softmax,
    winograd,
)

#: One module a family; each gives its makers by operator as `VARIANTS`.
NATIVE: tuple[dict[type[Operator], tuple[VariantMaker, ...]], ...] = (
    convolution.VARIANTS,
    depthwise.VARIANTS,
    elementwise.VARIANTS,
    fully_connected.VARIANTS,
    lookup.VARIANTS,
    pooling.VARIANTS,
    softmax.VARIANTS,
    winograd.VARIANTS,
)


def native_kernels(operator: Operator, graph: Graph, board: Board) -> Iterator[Kernel]:
    """All native kernels that are legal for the operator on the board."""
    for family in NATIVE:
        for make in family.get(type(operator), ()):
            yield from make(operator, graph, board)
