# SPDX-License-Identifier: Apache-2.0
"""Between which values each channel of a tensor lies, for every input of the model.

A channel is an index of the last dimension. The limits follow the reference kernels' arithmetic,
whose roundings and clamps never decrease as an accumulator grows: so the limits of an accumulator
give those of the output, exactly. What is not analysed here may take any value of its type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.elementwise import Maximum, Minimum, Mul, Sub
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.movement import (
    Concatenation,
    ExpandDims,
    PadV2,
    ResizeNearestNeighbor,
    Squeeze,
    Tile,
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
    Pool2D,
    Quantize,
    Reshape,
    TensorId,
    Weighted,
)
from tinyflow.ir.quantization import FixedPoint, activation_range
from tinyflow.ir.tables import ElementFunction
from tinyflow.ir.types import Activation, DType
from tinyflow.ir.windows import ReduceMax, ReduceMin
from tinyflow.numerics import fixed_point as fp
from tinyflow.numerics.multipliers import (
    ADD_LEFT_SHIFT,
    accumulator_multipliers,
    add_multipliers,
    mean_multiplier,
    output_multiplier,
)
from tinyflow.numerics.operator_tables import table_of

Values = NDArray[np.int64]

#: An accumulator beyond it, when shifted, is not followed but where it has one value only: the
#: offset that is then added may take it out of int32.
_LARGEST = 1 << 30


@dataclass(frozen=True, eq=False)
class Interval:
    """The least and the greatest value of each channel, int64 (channels,)."""

    low: Values
    high: Values

    @property
    def constant(self) -> NDArray[np.bool_]:
        """The channels of one value only."""
        return np.equal(self.low, self.high)

    def hull(self, *values: int) -> Interval:
        """The interval with further values in every channel."""
        return Interval(np.minimum(self.low, min(values)), np.maximum(self.high, max(values)))

    def at(self, channels: NDArray[np.intp] | slice) -> Interval:
        """The interval of some channels."""
        return Interval(self.low[channels], self.high[channels])


class Ranges:
    """The interval of every int8 tensor of a graph."""

    def __init__(self, graph: Graph) -> None:
        """Analyse all operators in order."""
        self._graph = graph
        self._found: dict[TensorId, Interval] = {}
        for op in graph.operators:
            rule = _table if isinstance(op, ElementFunction) else _RULES.get(type(op))
            tensors = [graph.tensors[index] for index in op.outputs()]
            if rule is None or len(tensors) != 1 or not _is_analysed(tensors[0]):
                continue
            sources = [index for index in op.inputs() if graph.tensors[index].dtype is DType.INT8]
            if any(not _is_analysed(graph.tensors[index]) for index in sources):
                continue
            found = rule(graph, op, [self[index] for index in sources])
            if found is not None:
                (output,) = op.outputs()
                self._found[output] = found

    def __getitem__(self, index: TensorId) -> Interval:
        """The interval of an int8 tensor that has a dimension."""
        tensor = self._graph.tensors[index]
        if index not in self._found:
            self._found[index] = _of_constant(tensor) if tensor.is_constant else _any(tensor)
        return self._found[index]


@lru_cache(maxsize=2)
def ranges_of(graph: Graph) -> Ranges:
    """The intervals of a graph, which several passes ask for as long as it stays as it is."""
    return Ranges(graph)


def _is_analysed(tensor: Tensor) -> bool:
    return tensor.dtype is DType.INT8 and bool(tensor.shape) and tensor.quantization is not None


def _of_constant(tensor: Tensor) -> Interval:
    rows = tensor.values.reshape(-1, tensor.shape[-1]).astype(np.int64)
    return Interval(rows.min(axis=0), rows.max(axis=0))


def _any(tensor: Tensor) -> Interval:
    return _within(tensor, -128, 127)


def _within(tensor: Tensor, low: int, high: int) -> Interval:
    channels = tensor.shape[-1]
    return Interval(np.full(channels, low, np.int64), np.full(channels, high, np.int64))


# -------------------------------------------------------------------------- accumulators


@dataclass(frozen=True, eq=False)
class Sums:
    """The limits of a layer's accumulators, int64 (output channels,)."""

    low: Values
    high: Values

    @property
    def fit(self) -> bool:
        """Whether none can leave int32."""
        info = np.iinfo(np.int32)
        return bool(np.all(self.low >= info.min) and np.all(self.high <= info.max))


def sums(graph: Graph, op: Weighted, source: Interval) -> Sums | None:
    """The limits of the accumulators of a convolution or product.

    None if it is grouped or not of int8.

    `source` is the interval of the input.
    """
    tensor, weights = graph.tensors[op.input], graph.tensors[op.weights].values.astype(np.int64)
    if tensor.dtype is not DType.INT8:
        return None
    channels = weights.shape[-1]
    if isinstance(op, FullyConnected):
        source = _spread(source, channels)
    elif isinstance(op, DepthwiseConv2D):
        source = source.at(np.arange(channels) // op.multiplier)
    if channels != len(source.low):
        return None
    offset = tensor.q.zero_point
    # Each product is least at one end of its input's interval, by the weight's sign.
    ends = weights * (source.low - offset), weights * (source.high - offset)
    low, high = np.minimum(*ends), np.maximum(*ends)
    if isinstance(op, Conv2D | DepthwiseConv2D):
        rows, columns = _inside(graph, op)
        summed = "khwi" if isinstance(op, Conv2D) else "ihwk"
        # Elements of a window outside the input count as zero.
        at_places = [
            np.einsum(f"{summed},rh,cw->krc", end, rows, columns, optimize=True)
            for end in (low, high)
        ]
        low, high = at_places[0].min(axis=(1, 2)), at_places[1].max(axis=(1, 2))
    else:
        low, high = low.sum(axis=1), high.sum(axis=1)
    bias = 0 if op.bias is None else graph.tensors[op.bias].values.astype(np.int64)
    return Sums(low + bias, high + bias)


def pads_input(graph: Graph, op: Conv2D | DepthwiseConv2D) -> bool:
    """Whether a window reaches beyond the input, where it reads the zero point."""
    return not all(inside.all() for inside in _inside(graph, op))


def _inside(graph: Graph, op: Conv2D | DepthwiseConv2D) -> tuple[Values, Values]:
    """Return which rows, and which columns, of a window are inside the input, for each position.

    Each 0 or 1, of shape (different places, rows or columns of the window).
    """
    _, *kernel, _ = graph.tensors[op.weights].shape
    _, *size, _ = graph.tensors[op.input].shape
    _, *positions, _ = graph.tensors[op.output].shape
    pads = op.window.pads((size[0], size[1]), (kernel[0], kernel[1]))
    found = []
    for axis in range(2):
        first = np.arange(positions[axis]) * op.window.stride[axis] - pads[axis]
        places = first[:, None] + np.arange(kernel[axis]) * op.window.dilation[axis]
        inside = (places >= 0) & (places < size[axis])
        found.append(np.unique(inside.astype(np.int64), axis=0))
    return found[0], found[1]


def _spread(source: Interval, depth: int) -> Interval:
    """The interval of each column of a product's weights, whatever the input's shape."""
    channels = len(source.low)
    if depth % channels == 0:
        return source.at(np.arange(depth) % channels)
    return _folded(source, depth) if channels % depth == 0 else _uniform(source, depth)


def _folded(source: Interval, channels: int) -> Interval:
    """The hull of channels that are equal modulo `channels`."""
    low, high = source.low.reshape(-1, channels), source.high.reshape(-1, channels)
    return Interval(low.min(axis=0), high.max(axis=0))


def _uniform(source: Interval, channels: int) -> Interval:
    """The same interval for each of `channels` channels."""
    return Interval(
        np.full(channels, source.low.min()),
        np.full(channels, source.high.max()),
    )


def _output(
    output: Tensor,
    activation: Activation,
    low: Values,
    high: Values,
    points: Iterable[FixedPoint],
) -> Interval:
    """The interval of accumulators that are scaled, offset and clamped."""
    limits = activation_range(activation, output.q)
    ends = [
        _scaled(bottom, top, point, output.q.zero_point, limits)
        for bottom, top, point in zip(low.tolist(), high.tolist(), points, strict=True)
    ]
    found = np.array(ends, np.int64)
    return Interval(found[:, 0], found[:, 1])


def _scaled(
    low: int, high: int, point: FixedPoint, zero_point: int, limits: tuple[int, int]
) -> tuple[int, int]:
    """The interval of one channel; all within `limits` where something between could wrap."""
    if low != high and max(abs(low), abs(high)) << max(0, point.shift) > _LARGEST:
        return limits
    least, greatest = (
        fp.clamp(fp.wrap(fp.multiply(end, point.multiplier, point.shift) + zero_point), *limits)
        for end in (low, high)
    )
    return least, greatest


# -------------------------------------------------------------------- operators, in order


def _weighted(graph: Graph, op: Any, sources: list[Interval]) -> Interval | None:
    tensor, weights, output = (graph.tensors[i] for i in (op.input, op.weights, op.output))
    if not weights.is_constant:
        return None
    limits = sums(graph, op, sources[0])
    if limits is None:
        return _within(output, *activation_range(op.activation, output.q))
    multipliers = accumulator_multipliers(tensor, weights, output, len(limits.low))
    points = [
        FixedPoint(int(multiplier), int(shift))
        for multiplier, shift in zip(*multipliers, strict=True)
    ]
    return _output(output, op.activation, limits.low, limits.high, points)


def _operands(graph: Graph, op: Any, sources: list[Interval]) -> tuple[Interval, Interval]:
    channels = graph.tensors[op.output].shape[-1]
    left, right = (
        source if len(source.low) == channels else _uniform(source, channels) for source in sources
    )
    return left, right


def _sum(graph: Graph, op: Add | Sub, sources: list[Interval]) -> Interval:
    left, right = _operands(graph, op, sources)
    output = graph.tensors[op.output]
    of_left, of_right, of_sum = add_multipliers(
        op, graph.tensors[op.left], graph.tensors[op.right], output
    )

    def scaled(values: Values, operand: TensorId, point: FixedPoint) -> Values:
        offset = graph.tensors[operand].q.zero_point
        return np.array(
            [
                fp.multiply((value - offset) << ADD_LEFT_SHIFT, point.multiplier, point.shift)
                for value in values.tolist()
            ],
            np.int64,
        )

    low, high = (scaled(end, op.left, of_left) for end in (left.low, left.high))
    low_right, high_right = (scaled(end, op.right, of_right) for end in (right.low, right.high))
    if isinstance(op, Sub):
        low_right, high_right = -high_right, -low_right
    points = [of_sum] * len(low)
    return _output(output, op.activation, low + low_right, high + high_right, points)


def _product(graph: Graph, op: Mul, sources: list[Interval]) -> Interval:
    left, right = _operands(graph, op, sources)
    tensors = graph.tensors[op.left], graph.tensors[op.right], graph.tensors[op.output]
    point = output_multiplier(op, tensors[0].q.scale * tensors[1].q.scale / tensors[2].q.scale)
    corners = np.stack(
        [
            (a - tensors[0].q.zero_point) * (b - tensors[1].q.zero_point)
            for a in (left.low, left.high)
            for b in (right.low, right.high)
        ]
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    return _output(tensors[2], op.activation, low, high, [point] * len(low))


def _extremum(graph: Graph, op: Maximum | Minimum, sources: list[Interval]) -> Interval:
    left, right = _operands(graph, op, sources)
    choose = np.maximum if isinstance(op, Maximum) else np.minimum
    return Interval(choose(left.low, right.low), choose(left.high, right.high))


def _pool(graph: Graph, op: Pool2D, sources: list[Interval]) -> Interval:
    """An average, rounded, and a maximum lie between the least and the greatest element."""
    limits = activation_range(op.activation, graph.tensors[op.output].q)
    return Interval(np.clip(sources[0].low, *limits), np.clip(sources[0].high, *limits))


def _mean(graph: Graph, op: Mean, sources: list[Interval]) -> Interval | None:
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    if not op.axes or len(source.shape) - 1 in op.axes or output.shape[-1] != source.shape[-1]:
        return None
    count = source.elements // output.elements
    low, high = (count * (end - source.q.zero_point) for end in (sources[0].low, sources[0].high))
    points = [mean_multiplier(source, output, count)] * len(low)
    return _output(output, Activation.NONE, low, high, points)


def _extreme(graph: Graph, op: ReduceMax | ReduceMin, sources: list[Interval]) -> Interval | None:
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    if len(source.shape) - 1 in op.axes or output.shape[-1:] != source.shape[-1:]:
        return None
    return sources[0]


def _concatenation(graph: Graph, op: Concatenation, sources: list[Interval]) -> Interval:
    if op.axis == len(graph.tensors[op.output].shape) - 1:
        return Interval(
            np.concatenate([source.low for source in sources]),
            np.concatenate([source.high for source in sources]),
        )
    return Interval(
        np.min([source.low for source in sources], axis=0),
        np.max([source.high for source in sources], axis=0),
    )


def _pad(graph: Graph, op: Pad, sources: list[Interval]) -> Interval | None:
    value = graph.tensors[op.input].q.zero_point
    if isinstance(op, PadV2):
        constant = graph.tensors[op.value]
        if not constant.is_constant:
            return None
        value = int(constant.values.ravel()[0])
    before, after = op.paddings[-1]
    source = sources[0]
    if any(any(pads) for pads in op.paddings[:-1]):
        source = source.hull(value)
    return Interval(
        np.pad(source.low, (before, after), constant_values=value),
        np.pad(source.high, (before, after), constant_values=value),
    )


def _reshape(graph: Graph, op: Reshape, sources: list[Interval]) -> Interval | None:
    channels, wanted = graph.tensors[op.input].shape[-1], graph.tensors[op.output].shape[-1]
    if wanted % channels == 0:
        return sources[0].at(np.arange(wanted) % channels)
    if channels % wanted == 0:
        return _folded(sources[0], wanted)
    return _uniform(sources[0], wanted)


def _transpose(graph: Graph, op: Transpose, sources: list[Interval]) -> Interval:
    if op.order[-1] == len(op.order) - 1:
        return sources[0]
    return _uniform(sources[0], graph.tensors[op.output].shape[-1])


def _tile(graph: Graph, op: Tile, sources: list[Interval]) -> Interval:
    channels = graph.tensors[op.input].shape[-1]
    return sources[0].at(np.arange(graph.tensors[op.output].shape[-1]) % channels)


def _same(graph: Graph, op: Operator, sources: list[Interval]) -> Interval:
    return sources[0]


def _table(graph: Graph, op: Operator, sources: list[Interval]) -> Interval | None:
    table = table_of(op, graph)
    if table is None:
        return None
    ordered = np.roll(table, 128).astype(np.int64)  # by value, -128 first
    limits = {
        (low, high): (ordered[low + 128 : high + 129].min(), ordered[low + 128 : high + 129].max())
        for low, high in zip(sources[0].low.tolist(), sources[0].high.tolist(), strict=True)
    }
    pairs = zip(sources[0].low.tolist(), sources[0].high.tolist(), strict=True)
    ends = np.array([limits[pair] for pair in pairs], np.int64)
    return Interval(ends[:, 0], ends[:, 1])


_Rule = Callable[[Graph, Any, list[Interval]], Interval | None]

_RULES: dict[type[Operator], _Rule] = {
    Add: _sum,
    AveragePool2D: _pool,
    Concatenation: _concatenation,
    Conv2D: _weighted,
    DepthwiseConv2D: _weighted,
    ExpandDims: _reshape,
    FullyConnected: _weighted,
    MaxPool2D: _pool,
    Maximum: _extremum,
    Mean: _mean,
    Minimum: _extremum,
    Mul: _product,
    Pad: _pad,
    PadV2: _pad,
    Quantize: _table,
    ReduceMax: _extreme,
    ReduceMin: _extreme,
    Reshape: _reshape,
    ResizeNearestNeighbor: _same,
    Squeeze: _reshape,
    Sub: _sum,
    Tile: _tile,
    Transpose: _transpose,
}
