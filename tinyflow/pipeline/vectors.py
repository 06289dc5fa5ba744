# SPDX-License-Identifier: Apache-2.0
"""Inputs that no data file gives: random ones, and the extremes of what a model accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyflow.arrays import Array
from tinyflow.emulate.verify import VectorKinds
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Quantize, Softmax, TensorId
from tinyflow.ir.types import DType
from tinyflow.ir.unquantised import index_extent
from tinyflow.oracle.pieces import LONGEST_SOFTMAX

#: Float inputs that are quantised on the device go this far beyond what their type holds.
_BEYOND = 1.5
#: At most one vector in this many is an extreme.
_EXTREME_SHARE = 4


def vector_kinds(graph: Graph, count: int, available: int) -> VectorKinds:
    """Share out `count` vectors, of which at most `available` can be real samples.

    Of two or more, some are real, if there is data, and some random; of four or more, up to a
    quarter are extremes. Real samples take half of the rest. There are no extremes for a SOFTMAX
    of more elements than TFLM's kernel computes when all are equal.
    """
    extreme = min(len(_EXTREMES), count // _EXTREME_SHARE)
    if any(_is_long_softmax(graph, operator) for operator in graph.operators):
        extreme = 0
    real = min(available, (count - extreme + 1) // 2)
    return VectorKinds(real, count - extreme - real, extreme)


def _is_long_softmax(graph: Graph, operator: Operator) -> bool:
    if not isinstance(operator, Softmax):
        return False
    tensor = graph.tensors[operator.input]
    return tensor.dtype is DType.INT8 and tensor.shape[-1] > LONGEST_SOFTMAX


def synthetic_vectors(graph: Graph, kinds: VectorKinds) -> list[tuple[Array, ...]]:
    """The random vectors, the same each time, then the extreme ones."""
    ranges = [_range(graph, position) for position in range(len(graph.inputs))]
    random = np.random.default_rng(0)
    vectors = [tuple(each.draw(random) for each in ranges) for _ in range(kinds.random)]
    vectors += [tuple(map(make, ranges)) for make in _EXTREMES[: kinds.extreme]]
    return vectors


@dataclass(frozen=True)
class _Range:
    """Range that one input accepts.

    `resting` is the value of 0; for integers that are not quantised it is 1, since a model may
    divide by them.
    """

    dtype: DType
    shape: tuple[int, ...]
    lowest: float
    highest: float
    resting: float

    def filled(self, value: float) -> Array:
        return np.full(self.shape, value, self.dtype.numpy)

    def alternating(self) -> Array:
        """Lowest and highest values in turn."""
        flat = self.filled(self.lowest).reshape(-1)
        flat[1::2] = self.highest
        return flat.reshape(self.shape)

    def draw(self, random: np.random.Generator) -> Array:
        """Values of equal likelihood."""
        if self.dtype is DType.FLOAT32:
            return random.uniform(self.lowest, self.highest, self.shape).astype(np.float32)
        if self.dtype is DType.BOOL:
            return random.integers(0, 2, self.shape).astype(np.bool_)
        limits = int(self.lowest), int(self.highest)
        return random.integers(*limits, self.shape, self.dtype.numpy, endpoint=True)


_EXTREMES: tuple[Callable[[_Range], Array], ...] = (
    lambda each: each.filled(each.lowest),
    lambda each: each.filled(each.highest),
    lambda each: each.alternating(),
    lambda each: each.filled(each.resting),
)


def _range(graph: Graph, position: int) -> _Range:
    """Any value of the type; indices are in range, for others are errors, not results."""
    index = graph.inputs[position]
    tensor = graph.tensors[graph.float_inputs.get(position, index)]
    if tensor.dtype is DType.FLOAT32:
        lowest, highest = _float_range(graph, index)
        return _Range(tensor.dtype, tensor.shape, lowest, highest, 0.0)
    if tensor.dtype is DType.BOOL:
        return _Range(tensor.dtype, tensor.shape, 0, 1, 0)
    extent = index_extent(graph, index)
    if extent is not None:
        return _Range(tensor.dtype, tensor.shape, 0, extent - 1, 0)
    limits = np.iinfo(tensor.dtype.value)
    lowest, resting = int(limits.min), 1
    if tensor.quantization is not None:
        resting = tensor.quantization.zero_point
    elif lowest < 0:
        lowest += 1  # the least value divided by -1 ends the reference kernels' process
    return _Range(tensor.dtype, tensor.shape, lowest, int(limits.max), resting)


def _float_range(graph: Graph, index: TensorId) -> tuple[float, float]:
    """Return the range of a float input: somewhat more than its type holds if it is quantised, else
    -1 to 1.
    """
    results = [
        operator.output
        for operator in graph.operators
        if isinstance(operator, Quantize) and operator.input == index
    ]
    for result in (graph.tensors[each] for each in (index, *results)):
        if result.dtype is not DType.FLOAT32:
            limits = np.iinfo(result.dtype.value)
            scale, zero = result.q.scale * _BEYOND, result.q.zero_point
            return (limits.min - zero) * scale, (limits.max - zero) * scale
    return -1.0, 1.0
