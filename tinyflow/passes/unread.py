# SPDX-License-Identifier: Apache-2.0
"""Removes operators whose results are never read."""

from __future__ import annotations

from dataclasses import replace

from tinyflow.ir.graph import Graph
from tinyflow.passes.edit import touches_state


def drop_unread(graph: Graph) -> Graph:
    """The graph with those operators alone that an output or a state depends on."""
    wanted, kept = set(graph.outputs), []
    for op in reversed(graph.operators):
        if wanted.intersection(op.outputs()) or touches_state(graph, op):
            kept.append(op)
            wanted.update(op.inputs())
    if len(kept) == len(graph.operators):
        return graph
    return replace(graph, operators=tuple(reversed(kept)))
