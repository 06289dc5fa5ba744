# SPDX-License-Identifier: Apache-2.0
"""A table that only clamps what the operator before it writes becomes that operator's clamp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tinyflow.ir.elementwise import Mul, Sub
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import (
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Operator,
    Pool2D,
    Quantize,
)
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.tables import ElementFunction
from tinyflow.ir.types import Activation
from tinyflow.numerics.operator_tables import table_of
from tinyflow.passes.edit import alike, readers, sole_reader, writers

#: Operators with a fused activation, which clamps the output's values after all else.
_CLAMPING = (Add, Conv2D, DepthwiseConv2D, FullyConnected, Mul, Pool2D, Sub)


def fuse_activations(graph: Graph) -> Graph:
    """The graph with fused activations for tables that do the same to all that reaches them."""
    written, reading = writers(graph), readers(graph)
    for op in graph.operators:
        if not isinstance(op, ElementFunction | Quantize):
            continue
        before = written.get(op.input)
        if before is None or sole_reader(graph, reading, op.input) is not op:
            continue
        fused = next(_fusions(graph, before, op), None)
        if fused is not None:
            kept = [fused if each is before else each for each in graph.operators]
            return replace(graph, operators=tuple(each for each in kept if each is not op))
    return graph


def _fusions(graph: Graph, before: Operator, op: ElementFunction | Quantize) -> Iterator[Operator]:
    """The operator before with an activation equal to the table, and its output."""
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    table = table_of(op, graph)
    if not isinstance(before, _CLAMPING) or table is None or not alike(source, output):
        return
    if source.shape != output.shape:
        return
    least, greatest = activation_range(before.activation, source.q)
    values = np.arange(least, greatest + 1)
    for activation in Activation:
        low, high = activation_range(activation, source.q)
        clamped = np.clip(values, low, high)
        within = least <= low and high <= greatest
        if within and np.array_equal(table[values & 0xFF], clamped):
            changed: dict[str, Any] = {"activation": activation, "output": op.output}
            yield replace(before, **changed)
