# SPDX-License-Identifier: Apache-2.0
"""PAD by the zero point becomes the padding of the convolutions that read it.

A convolution's own padding counts as zeros, which the zero point represents: nothing else changes.
Poolings leave their padding out of the average or the maximum, so for them PAD stays.
"""

from __future__ import annotations

from dataclasses import replace

from tinyflow.ir.checks import MAX_STEP
from tinyflow.ir.graph import Graph
from tinyflow.ir.movement import PadV2
from tinyflow.ir.operators import Conv2D, DepthwiseConv2D, Operator, Pad
from tinyflow.ir.types import DType, Padding
from tinyflow.passes.edit import alike, readers


def fold_padding(graph: Graph) -> Graph:
    """The graph with explicit padding for each PAD that only convolutions read."""
    reading = readers(graph)
    folded: dict[Operator, Operator] = {}
    for op in graph.operators:
        if isinstance(op, Pad) and _pads_by_zero(graph, op) and op.output not in graph.outputs:
            users = reading.get(op.output, [])
            padding = [(user, new) for user in users if (new := _padding(graph, op, user))]
            if len(padding) == len(users):
                folded |= padding
    if not folded:
        return graph
    return replace(graph, operators=tuple(folded.get(op, op) for op in graph.operators))


def _pads_by_zero(graph: Graph, op: Pad) -> bool:
    """Whether an operator pads height and width of quantised images with the value of 0."""
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    if source.dtype not in (DType.INT8, DType.INT16) or not alike(source, output):
        return False
    if source.quantization is None:
        return False
    if source.dtype is DType.INT16 and source.q.zero_point:
        return False  # TFLM pads int16 by 0
    if len(op.paddings) != 4 or any((*op.paddings[0], *op.paddings[3])):
        return False
    if isinstance(op, PadV2):
        value = graph.tensors[op.value]
        return value.is_constant and bool(value.values.ravel()[0] == source.q.zero_point)
    return type(op) is Pad


def _padding(graph: Graph, op: Pad, user: Operator) -> Operator | None:
    """The reader of a PAD reading its input; None if it cannot pad as much itself."""
    if not isinstance(user, Conv2D | DepthwiseConv2D) or user.input != op.output:
        return None
    _, height, width, _ = graph.tensors[op.output].shape
    _, rows, columns, _ = graph.tensors[user.weights].shape
    window, kernel = user.window, (rows, columns)
    (above, below), (left, right) = op.paddings[1:3]
    before = _plus(window.pads((height, width), kernel), (above, left))
    after = _plus(window.pads_after((height, width), kernel), (below, right))
    # Kernels count on windows that hold some of the input.
    for extent, most in zip(window.reach(kernel), zip(before, after, strict=True), strict=True):
        if max(most) >= min(extent, MAX_STEP + 1):
            return None
    explicit = replace(window, padding=Padding.EXPLICIT, before=before, after=after)
    return replace(user, input=op.input, window=explicit)


def _plus(pads: tuple[int, int], further: tuple[int, int]) -> tuple[int, int]:
    return pads[0] + further[0], pads[1] + further[1]
