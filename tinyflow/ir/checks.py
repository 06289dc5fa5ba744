# SPDX-License-Identifier: Apache-2.0
"""Checks that the rules of operators are written with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Window

#: The largest stride, dilation and padding: TFLM keeps each in 16 bits, and so do the kernels.
MAX_STEP = (1 << 15) - 1

#: Raises the error of `fail` where an operator of the graph breaks a rule.
OperatorRule = Callable[[Graph, Any], None]


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


def expect_window(
    operator: Operator, window: Window, size: tuple[int, int], kernel: tuple[int, int]
) -> None:
    """Check that a window of `kernel` over an image of `size` is one that kernels can count.

    Raises:
        UnsupportedError: its stride, dilation or padding is larger than `MAX_STEP`.
    """
    padding = max(*window.pads(size, kernel), *window.pads_after(size, kernel))
    for what, value in (
        ("stride", max(window.stride)),
        ("dilation", max(window.dilation)),
        ("padding", padding),
    ):
        if value > MAX_STEP:
            raise UnsupportedError(
                f"{operator.kind} layer {operator.name!r}: a {what} of {value} for a window of "
                f"{list(kernel)} on an image of {list(size)}; at most {MAX_STEP} is compiled",
                hint="A window larger than its image sees no more than one as large: give the "
                "layer that size, or a smaller stride or dilation.",
            )
