# SPDX-License-Identifier: Apache-2.0
"""The makers of all generated kernels, by operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import PER_OUTPUT, Kernel
from tinyflow.kernels.generated import (
    convolution,
    depthwise,
    elementwise,
    fully_connected,
    lut,
    pairs,
    pooling,
    scalar,
    softmax,
    winograd,
)
from tinyflow.kernels.makers import VariantMaker

#: One module a family; each gives its makers by operator as `VARIANTS`.
GENERATED: tuple[dict[type[Operator], tuple[VariantMaker, ...]], ...] = (
    convolution.VARIANTS,
    depthwise.VARIANTS,
    elementwise.VARIANTS,
    fully_connected.VARIANTS,
    lut.VARIANTS,
    pairs.VARIANTS,
    scalar.VARIANTS,
    pooling.VARIANTS,
    softmax.VARIANTS,
    winograd.VARIANTS,
)


def generated_kernels(operator: Operator, graph: Graph, board: Board) -> Iterator[Kernel]:
    """All generated kernels that are legal for the operator on the board."""
    for family in GENERATED:
        for make in family.get(type(operator), ()):
            for kernel in make(operator, graph, board):
                yield replace(kernel, work={**kernel.work, **_steps_per_output(kernel, graph)})


def _steps_per_output(kernel: Kernel, graph: Graph) -> dict[str, int]:
    """The work that the output's quantisation adds to the generated code."""
    outputs = sum(graph.tensors[index].elements for index in kernel.operator.outputs())
    return {
        name: outputs
        for source in kernel.sources
        for name, value in source.parameters
        if name in PER_OUTPUT and value
    }
