# SPDX-License-Identifier: Apache-2.0
"""Channels that no output depends on, or that have one value only, are left out.

Filters of zeros, which pruning leaves, and those whose clamp lets one value through, give such
channels; a depthwise convolution hands them on. The weights on them go, too, and what a channel of
one value adds to the sums of the next layer goes into its bias.

Where a tensor would be left with a number of channels that is no multiple of four, a few of those
that could go stay: kernels take four channels at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import (
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Operator,
    TensorId,
    Weighted,
)
from tinyflow.ir.types import DType
from tinyflow.passes.edit import with_inputs
from tinyflow.passes.live_channels import LiveChannels, Mask, columns, operands_with_channels

MULTIPLE = 4


def drop_channels(graph: Graph, multiple: int = MULTIPLE) -> Graph:
    """The graph without channels that can go, tensors rounded up to a multiple of channels."""
    live = LiveChannels(graph, multiple)
    kept = live.cut()
    if not kept:
        return graph
    tensors = [
        _without(tensor, kept[index]) if index in kept else tensor
        for index, tensor in enumerate(graph.tensors)
    ]
    cutter = _Cutter(graph, live, tensors, kept)
    operators = tuple(cutter.operator(op) for op in graph.operators)
    return replace(graph, tensors=tuple(tensors), operators=operators)


def _without(tensor: Tensor, mask: Mask) -> Tensor:
    """An activation with some of its channels."""
    before = np.arange(len(mask)) if tensor.channels is None else np.array(tensor.channels)
    return replace(
        tensor,
        shape=(*tensor.shape[:-1], int(mask.sum())),
        channels=tuple(before[mask].tolist()),
    )


def _cut(tensor: Tensor, axis: int, mask: Mask) -> Tensor:
    """A constant with some of the indices of one dimension."""
    q = tensor.quantization
    if q is not None and len(q.scales) > 1 and q.axis == axis:
        scales = tuple(np.array(q.scales, object)[mask])
        q = replace(q, scales=scales, zero_points=tuple(np.array(q.zero_points, object)[mask]))
    data = np.compress(mask, tensor.values, axis=axis)
    return replace(tensor, shape=data.shape, quantization=q, data=data)


class _Cutter:
    """Rewrites operators for tensors that have lost channels; constants are added behind."""

    def __init__(
        self, graph: Graph, live: LiveChannels, tensors: list[Tensor], kept: Mapping[TensorId, Mask]
    ) -> None:
        self._graph, self._live, self._tensors, self._kept = graph, live, tensors, kept

    def operator(self, op: Operator) -> Operator:
        """The operator on what is left."""
        if not self._kept.keys() & {*op.inputs(), *op.outputs()}:
            return op
        if isinstance(op, DepthwiseConv2D):
            mask = self._live[op.output]
            bias = None if op.bias is None else self._add(_cut(self._constant(op.bias), 0, mask))
            return replace(
                op, weights=self._add(_cut(self._constant(op.weights), 3, mask)), bias=bias
            )
        if isinstance(op, Conv2D | FullyConnected):
            return self._mixing(op)
        return self._constant_operands(op)

    def _mixing(self, op: Conv2D | FullyConnected) -> Operator:
        weights = self._constant(op.weights)
        of_column = columns(op, self._graph) if isinstance(op, FullyConnected) else None
        inputs, outputs = self._live[op.input], self._live[op.output]
        removed = self._folded(op)
        if of_column is not None:
            inputs, removed = inputs[of_column], removed[of_column]
        values = weights.values.astype(np.int64)[outputs]
        folded = (values * removed).reshape(len(values), -1).sum(axis=1)
        narrow = _cut(_cut(weights, 0, outputs), weights.values.ndim - 1, inputs)
        return replace(op, weights=self._add(narrow), bias=self._bias(op, outputs, folded))

    def _folded(self, op: Weighted) -> NDArray[np.int64]:
        """Return each removed input channel's share of the sums, 0 for those that stay."""
        constant = self._live.ranges[op.input]
        offset = constant.low - self._graph.tensors[op.input].q.zero_point
        # A channel that goes though it has several values has weights of 0.
        return np.where(self._live[op.input] | ~constant.constant, 0, offset)

    def _bias(self, op: Weighted, outputs: Mask, folded: NDArray[np.int64]) -> TensorId | None:
        if op.bias is None:
            if not folded.any():
                return None
            zeros = np.zeros(len(folded), np.int32)
            bias = Tensor(f"{op.name}/bias", zeros.shape, DType.INT32, data=zeros)
        else:
            bias = _cut(self._constant(op.bias), 0, outputs)
        total = bias.values.astype(np.int64) + folded
        return self._add(replace(bias, data=total.astype(np.int32)))

    def _constant_operands(self, op: Operator) -> Operator:
        """An element-wise operator, its constant operands with the output's channels."""
        instead: dict[TensorId, TensorId] = {}
        for index in op.inputs():
            tensor = self._graph.tensors[index]
            if tensor.is_constant and index in operands_with_channels(self._graph, op):
                (output,) = op.outputs()
                narrow = _cut(tensor, len(tensor.shape) - 1, self._live[output])
                instead[index] = self._add(narrow)
        return with_inputs(op, instead)

    def _constant(self, index: TensorId) -> Tensor:
        return self._graph.tensors[index]

    def _add(self, tensor: Tensor) -> TensorId:
        self._tensors.append(tensor)
        return len(self._tensors) - 1
