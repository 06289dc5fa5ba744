# SPDX-License-Identifier: Apache-2.0
"""Live channels: those that the model's outputs depend on.

A channel, an index of the last dimension, can go where each reader does without it:

- A convolution or product does without a channel that its weights ignore, and without a channel of
  one value only, which its bias takes over. Where the convolution pads, that value must be the zero
  point: the padding is no such channel's value, but counts as zero.
- A depthwise convolution, or what works on each channel alone, does without those channels of its
  input whose results can go. Input and output then have the same channels: what one needs for
  another reader's sake, the other keeps.
- Everything else needs all channels, and so do the model's inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.elementwise import Maximum, Minimum, Mul, Prelu, SquaredDifference, Sub
from tinyflow.ir.graph import Graph
from tinyflow.ir.movement import (
    Concatenation,
    ExpandDims,
    PadV2,
    ResizeNearestNeighbor,
    Squeeze,
    Transpose,
)
from tinyflow.ir.operators import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mean,
    Operator,
    Pad,
    Quantize,
    Reshape,
    TensorId,
)
from tinyflow.ir.tables import ElementFunction
from tinyflow.ir.types import DType
from tinyflow.ir.windows import ReduceMax, ReduceMin, ResizeBilinear
from tinyflow.passes.ranges import Ranges, pads_input, ranges_of, sums

Mask = NDArray[np.bool_]
_Wanted = Iterator[tuple[TensorId, Mask]]


class LiveChannels:
    """The channels that are needed, and a few more, so that tensors have `multiple` of them."""

    def __init__(self, graph: Graph, multiple: int) -> None:
        """Find the least channels that all operators can live with."""
        self._graph = graph
        self.ranges = ranges_of(graph)
        ends = {*graph.inputs, *graph.outputs}
        written = [index for op in graph.operators for index in op.outputs()]
        self._masks: dict[TensorId, Mask] = {
            index: np.zeros(graph.tensors[index].shape[-1], np.bool_)
            for index in written
            if index not in ends and self._has_channels(index)
        }
        self._folds: dict[TensorId, Mask] = {}
        self._settle()
        while any(self._round_up(index, multiple) for index in self._masks):
            self._settle()

    def __getitem__(self, index: TensorId) -> Mask:
        """The channels of a tensor that are needed, bool (channels,)."""
        if index in self._masks:
            return self._masks[index]
        shape = self._graph.tensors[index].shape
        return np.ones(shape[-1] if shape else 1, np.bool_)

    def cut(self) -> dict[TensorId, Mask]:
        """The tensors that can lose channels, and what they keep."""
        return {index: mask for index, mask in self._masks.items() if not mask.all()}

    def folds(self, op: Conv2D | FullyConnected) -> Mask:
        """The channels of an operator's input that its bias can replace."""
        if op.output not in self._folds:
            self._folds[op.output] = _foldable(self._graph, op, self.ranges)
        return self._folds[op.output]

    def _has_channels(self, index: TensorId) -> bool:
        tensor = self._graph.tensors[index]
        return tensor.dtype is DType.INT8 and bool(tensor.shape) and not tensor.is_state

    def _settle(self) -> None:
        """Add what operators need for what is needed, until nothing is missing."""
        missing = True
        while missing:
            missing = False
            for op in reversed(self._graph.operators):
                for index, mask in self._rule(op)(self._graph, op, self):
                    if index in self._masks and np.any(mask & ~self._masks[index]):
                        self._masks[index] = self._masks[index] | mask
                        missing = True

    def _rule(self, op: Operator) -> _Rule:
        if not all(self._graph.tensors[index].shape for index in op.outputs()):
            return _everything
        return _each if isinstance(op, ElementFunction) else _RULES.get(type(op), _everything)

    def _round_up(self, index: TensorId, multiple: int) -> bool:
        """Add channels up to the next multiple, those of one value first; whether any was added."""
        mask = self._masks[index]
        due = min(len(mask), multiple * max(1, -(-int(mask.sum()) // multiple)))
        lacking = due - int(mask.sum())
        if not lacking:
            return False
        spare = np.flatnonzero(~mask)
        order = np.argsort(~self.ranges[index].constant[spare], kind="stable")
        added = mask.copy()
        added[spare[order[:lacking]]] = True
        self._masks[index] = added
        return True


def columns(op: FullyConnected, graph: Graph) -> NDArray[np.intp] | None:
    """Return the input channel that each column of the weights multiplies.

    None if rows of the weights do not begin with the input's first channel.
    """
    shape, depth = graph.tensors[op.input].shape, graph.tensors[op.weights].shape[1]
    return np.arange(depth) % shape[-1] if shape and depth % shape[-1] == 0 else None


def operands_with_channels(graph: Graph, op: Operator) -> list[TensorId]:
    """The operands of an element-wise operator that have a channel for each of the output's."""
    (output,) = op.outputs()
    channels = graph.tensors[output].shape[-1:]
    return [index for index in op.inputs() if graph.tensors[index].shape[-1:] == channels]


def _any(mask: Mask, axis: int) -> Mask:
    return np.asarray(np.any(mask, axis=axis))


# ---------------------------------------------------- what each operator needs, and its output


def _everything(graph: Graph, op: Operator, live: LiveChannels) -> _Wanted:
    for index in (*op.inputs(), *op.outputs()):
        yield index, np.ones_like(live[index])


def _mixing(graph: Graph, op: Any, live: LiveChannels) -> _Wanted:
    """A convolution or product: what has weights, and no value that the bias could replace."""
    weights = graph.tensors[op.weights]
    types = {graph.tensors[index].dtype for index in (op.input, op.output)}
    if not weights.is_constant or types != {DType.INT8}:
        yield from _everything(graph, op, live)
        return
    channels = graph.tensors[op.input].shape[-1] if graph.tensors[op.input].shape else 1
    rows, depth = weights.shape[0], weights.shape[-1]
    of_column = columns(op, graph) if isinstance(op, FullyConnected) else np.arange(depth)
    if graph.tensors[op.output].shape[-1:] != (rows,) or of_column is None:
        yield from _everything(graph, op, live)
        return
    if isinstance(op, Conv2D) and depth != channels:  # in groups
        yield from _everything(graph, op, live)
        return
    nonzero = (weights.values[live[op.output]] != 0).reshape(-1, depth).any(axis=0)
    used = np.zeros(channels, np.bool_)
    np.logical_or.at(used, of_column, nonzero)
    yield op.input, used & ~live.folds(op)


def _foldable(graph: Graph, op: Conv2D | FullyConnected, ranges: Ranges) -> Mask:
    source = ranges[op.input]
    limits = sums(graph, op, source)
    if limits is None or not limits.fit:
        return np.zeros_like(source.constant)
    if isinstance(op, Conv2D) and pads_input(graph, op):
        is_zero = np.equal(source.low, graph.tensors[op.input].q.zero_point)
        return np.logical_and(source.constant, is_zero)
    return source.constant


def _depthwise(graph: Graph, op: DepthwiseConv2D, live: LiveChannels) -> _Wanted:
    yield op.input, _any(live[op.output].reshape(-1, op.multiplier), 1)
    yield op.output, np.repeat(live[op.input], op.multiplier)


def _each(graph: Graph, op: Any, live: LiveChannels) -> _Wanted:
    """Each channel of the output comes from the same one of the input."""
    yield op.input, live[op.output]
    yield op.output, live[op.input]


def _together(graph: Graph, op: Operator, live: LiveChannels) -> _Wanted:
    """Operands, broadcast: those with channels have the same, the others stay as they are."""
    (output,) = op.outputs()
    with_channels = operands_with_channels(graph, op)
    for index in op.inputs():
        if index in with_channels:
            yield index, live[output]
            if not graph.tensors[index].is_constant:
                yield output, live[index]
        else:
            yield index, np.ones_like(live[index])


def _reduction(graph: Graph, op: Mean | ReduceMax | ReduceMin, live: LiveChannels) -> _Wanted:
    source, output = graph.tensors[op.input].shape, graph.tensors[op.output].shape
    along_channels = len(source) - 1 in op.axes or source[-1:] != output[-1:]
    yield from (_everything if along_channels else _each)(graph, op, live)


def _pad(graph: Graph, op: Pad, live: LiveChannels) -> _Wanted:
    yield from (_everything if any(op.paddings[-1]) else _each)(graph, op, live)


def _transpose(graph: Graph, op: Transpose, live: LiveChannels) -> _Wanted:
    keeps_channels = op.order[-1] == len(op.order) - 1
    yield from (_each if keeps_channels else _everything)(graph, op, live)


def _reshape(graph: Graph, op: Reshape, live: LiveChannels) -> _Wanted:
    """Keep channels only if rows of the output are made of whole rows of the input."""
    source, output = graph.tensors[op.input].shape, graph.tensors[op.output].shape
    if not source or not output or output[-1] % source[-1]:
        yield from _everything(graph, op, live)
        return
    yield op.input, _any(live[op.output].reshape(-1, source[-1]), 0)
    yield op.output, np.tile(live[op.input], output[-1] // source[-1])


def _concatenation(graph: Graph, op: Concatenation, live: LiveChannels) -> _Wanted:
    if op.axis != len(graph.tensors[op.output].shape) - 1:
        yield from _together(graph, op, live)
        return
    ends = np.cumsum([graph.tensors[index].shape[-1] for index in op.sources])
    parts: Sequence[Mask] = np.split(live[op.output], ends[:-1])
    yield op.output, np.concatenate([live[index] for index in op.sources])
    yield from zip(op.sources, parts, strict=True)


_Rule = Callable[[Graph, Any, LiveChannels], _Wanted]

_RULES: dict[type[Operator], _Rule] = {
    Add: _together,
    AveragePool2D: _each,
    Concatenation: _concatenation,
    Conv2D: _mixing,
    DepthwiseConv2D: _depthwise,
    ExpandDims: _reshape,
    FullyConnected: _mixing,
    MaxPool2D: _each,
    Maximum: _together,
    Mean: _reduction,
    Minimum: _together,
    Mul: _together,
    Pad: _pad,
    PadV2: _pad,
    Prelu: _together,
    Quantize: _each,
    ReduceMax: _reduction,
    ReduceMin: _reduction,
    Reshape: _reshape,
    ResizeBilinear: _each,
    ResizeNearestNeighbor: _each,
    Squeeze: _reshape,
    SquaredDifference: _together,
    Sub: _together,
    Transpose: _transpose,
}
