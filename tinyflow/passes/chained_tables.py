# SPDX-License-Identifier: Apache-2.0
"""Two tables behind each other become one: that of the second, looked up by the first's values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Quantize, Unary
from tinyflow.ir.tables import ElementFunction
from tinyflow.ir.unquantised import Tabulated
from tinyflow.numerics.operator_tables import table_of
from tinyflow.passes.edit import readers, sole_reader, writers


def merge_tables(graph: Graph) -> Graph:
    """The graph with one table for each chain of functions from int8 to int8.

    A result that something else reads as well ends a chain.
    """
    written, reading = writers(graph), readers(graph)
    for second in graph.operators:
        if not isinstance(second, ElementFunction | Quantize):
            continue
        first = written.get(second.input)
        if not isinstance(first, ElementFunction | Quantize):
            continue
        if sole_reader(graph, reading, second.input) is not second:
            continue
        merged = _composition(graph, first, second)
        if merged is not None:
            kept = [merged if op is second else op for op in graph.operators if op is not first]
            return replace(graph, operators=tuple(kept))
    return graph


def _composition(graph: Graph, first: Unary, second: Unary) -> Tabulated | None:
    """The second function of the first; None if one is no table."""
    inner, outer = table_of(first, graph), table_of(second, graph)
    if inner is None or outer is None:
        return None
    values = outer[inner.view(np.uint8)]
    return Tabulated(
        second.name,
        first.input,
        second.output,
        (*_kinds(first), *_kinds(second)),
        tuple(values.tolist()),
    )


def _kinds(op: Operator) -> tuple[str, ...]:
    return op.kinds if isinstance(op, Tabulated) else (op.kind,)
