"""What the rules of operators are written with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinyflow.errors import InputError
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator

#: Raises the error of `fail` where an operator of the graph breaks a rule.
Rule = Callable[[Graph, Any], None]


def fail(operator: Operator, problem: str) -> InputError:
    """The error of a broken rule."""
    return InputError(f"{operator.kind} layer {operator.name!r}: {problem}; the model is damaged")


def rank_of(graph: Graph, operator: Operator, index: int, rank: int) -> tuple[int, ...]:
    """A tensor's shape, which must have that rank."""
    shape = graph.tensors[index].shape
    if len(shape) != rank:
        raise fail(operator, f"{graph.tensors[index].name!r} has rank {len(shape)}, not {rank}")
    return shape


def expect(operator: Operator, what: str, found: tuple[int, ...], due: tuple[int, ...]) -> None:
    """Check a shape."""
    if found != due:
        raise fail(operator, f"{what} has the shape {list(found)}, not {list(due)}")
