# SPDX-License-Identifier: Apache-2.0
"""The rules a graph keeps. Every importer and every pass must leave them true."""

from __future__ import annotations

from collections.abc import Iterable

from tinyflow.errors import InputError
from tinyflow.ir import (
    detection,
    elementwise,
    logic,
    movement,
    signal,
    state,
    tables,
    unquantised,
    windows,
)
from tinyflow.ir.checks import OperatorRule, expect, expect_window, fail, rank_of
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import (
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mean,
    Operator,
    Pad,
    Pool2D,
    Reshape,
    Softmax,
)
from tinyflow.ir.types import DType

#: More elements than a tensor on a microcontroller has; bounds the time and memory of the passes.
MAX_ELEMENTS = 1 << 24
#: Scales below it are damage: no activation is so small, and its reciprocal is no float32.
MIN_SCALE = 2.0**-120
_ZERO_POINTS = {DType.INT8: (-128, 127), DType.UINT8: (0, 255), DType.INT16: (-(2**15), 2**15 - 1)}


def verify(graph: Graph) -> None:
    """Check that the graph is well formed.

    Raises:
        InputError: names the operator, the layer and the rule that is broken.
    """
    _check_dataflow(graph)
    for index in sorted(graph.used()):
        _check_tensor(graph.tensors[index])
    for operator in graph.operators:
        for kind, rule in _RULES.items():
            if isinstance(operator, kind):
                rule(graph, operator)


def _check_dataflow(graph: Graph) -> None:
    known = set(graph.inputs) | {
        index for index, tensor in enumerate(graph.tensors) if tensor.is_constant or tensor.is_state
    }
    for operator in graph.operators:
        for index in operator.inputs():
            if index not in known:
                name = graph.tensors[index].name
                raise fail(operator, f"reads {name!r}, which nothing before it writes")
        for index in operator.outputs():
            if index in known and not isinstance(operator, state.AssignVariable):
                raise fail(operator, f"writes {graph.tensors[index].name!r} a second time")
            known.add(index)
    for index in graph.outputs:
        if index not in known:
            raise InputError(f"output {graph.tensors[index].name!r} is never written")


def are_scales(scales: Iterable[float]) -> bool:
    """Whether all are numbers that a tensor may be scaled by: finite, and not below MIN_SCALE."""
    return all(MIN_SCALE <= scale < float("inf") for scale in scales)


def _check_tensor(tensor: Tensor) -> None:
    if any(extent < 1 for extent in tensor.shape):
        raise InputError(f"tensor {tensor.name!r} has the shape {list(tensor.shape)}: not static")
    if tensor.elements > MAX_ELEMENTS:
        raise InputError(f"tensor {tensor.name!r} of shape {list(tensor.shape)} is too large")
    for data in (tensor.data, tensor.initial):
        if data is not None and data.shape != tensor.shape:
            raise InputError(
                f"tensor {tensor.name!r}: data of another shape than {list(tensor.shape)}"
            )
    quantization = tensor.quantization
    if quantization is None:
        return
    if not are_scales(quantization.scales):
        raise InputError(f"tensor {tensor.name!r} has a scale that is not a positive number")
    low, high = _ZERO_POINTS.get(tensor.dtype, (-(2**31), 2**31 - 1))
    if any(not low <= point <= high for point in quantization.zero_points):
        raise InputError(
            f"tensor {tensor.name!r} of {tensor.dtype.value} has a zero point outside of "
            f"{low} to {high}"
        )
    if quantization.axis is not None:
        if not 0 <= quantization.axis < len(tensor.shape):
            raise InputError(f"tensor {tensor.name!r} is quantised along a missing dimension")
        if len(quantization.scales) != tensor.shape[quantization.axis]:
            raise InputError(
                f"tensor {tensor.name!r} has {len(quantization.scales)} scales "
                f"for {tensor.shape[quantization.axis]} channels"
            )


def _convolution(graph: Graph, op: Conv2D) -> None:
    batch, height, width, channels = rank_of(graph, op, op.input, 4)
    filters, kernel_h, kernel_w, depth = rank_of(graph, op, op.weights, 4)
    if channels % depth:
        raise fail(op, f"{channels} input channels for filters of {depth}")
    expect_window(op, op.window, (height, width), (kernel_h, kernel_w))
    size = op.window.output_size((height, width), (kernel_h, kernel_w))
    expect(op, "the output", graph.tensors[op.output].shape, (batch, *size, filters))
    _bias(graph, op, op.bias, filters)


def _depthwise(graph: Graph, op: DepthwiseConv2D) -> None:
    batch, height, width, channels = rank_of(graph, op, op.input, 4)
    one, kernel_h, kernel_w, filters = rank_of(graph, op, op.weights, 4)
    if one != 1 or filters != channels * op.multiplier:
        raise fail(op, f"weights {[one, kernel_h, kernel_w, filters]} for {channels} channels")
    expect_window(op, op.window, (height, width), (kernel_h, kernel_w))
    size = op.window.output_size((height, width), (kernel_h, kernel_w))
    expect(op, "the output", graph.tensors[op.output].shape, (batch, *size, filters))
    _bias(graph, op, op.bias, filters)


def _fully_connected(graph: Graph, op: FullyConnected) -> None:
    rows, depth = rank_of(graph, op, op.weights, 2)
    elements = graph.tensors[op.input].elements
    if elements % depth:
        raise fail(op, f"{elements} input elements for weights of depth {depth}")
    if graph.tensors[op.output].elements != elements // depth * rows:
        raise fail(op, "the output has another size than rows times batches")
    _bias(graph, op, op.bias, rows)


def _bias(graph: Graph, op: Operator, bias: int | None, channels: int) -> None:
    if bias is not None:
        expect(op, "the bias", graph.tensors[bias].shape, (channels,))


def _pool(graph: Graph, op: Pool2D) -> None:
    batch, height, width, channels = rank_of(graph, op, op.input, 4)
    expect_window(op, op.window, (height, width), op.kernel)
    size = op.window.output_size((height, width), op.kernel)
    expect(op, "the output", graph.tensors[op.output].shape, (batch, *size, channels))


def _mean(graph: Graph, op: Mean) -> None:
    shape = graph.tensors[op.input].shape
    if any(axis >= len(shape) or axis < 0 for axis in op.axes):
        raise fail(op, f"axes {list(op.axes)} of a tensor of rank {len(shape)}")
    kept = 1
    for axis, extent in enumerate(shape):
        kept *= 1 if axis in op.axes else extent
    if graph.tensors[op.output].elements != kept:
        raise fail(op, "the output has another size than the kept dimensions")


def _same_elements(graph: Graph, op: Reshape) -> None:
    if graph.tensors[op.input].elements != graph.tensors[op.output].elements:
        raise fail(op, "input and output have different numbers of elements")


def _same_shape(graph: Graph, op: Softmax) -> None:
    expect(op, "the output", graph.tensors[op.output].shape, graph.tensors[op.input].shape)


def _pad(graph: Graph, op: Pad) -> None:
    shape = graph.tensors[op.input].shape
    if len(op.paddings) != len(shape) or any(pad < 0 for pair in op.paddings for pad in pair):
        raise fail(op, f"paddings {op.paddings} of a tensor of rank {len(shape)}")
    due = tuple(
        extent + before + after for extent, (before, after) in zip(shape, op.paddings, strict=True)
    )
    expect(op, "the output", graph.tensors[op.output].shape, due)


_RULES: dict[type[Operator], OperatorRule] = {
    Conv2D: _convolution,
    DepthwiseConv2D: _depthwise,
    FullyConnected: _fully_connected,
    Pool2D: _pool,
    Add: elementwise.broadcast,
    Mean: _mean,
    Reshape: _same_elements,
    Softmax: _same_shape,
    Pad: _pad,
    **elementwise.RULES,
    **logic.RULES,
    **tables.RULES,
    **movement.RULES,
    **unquantised.RULES,
    **windows.RULES,
    **state.RULES,
    **signal.RULES,
    **detection.RULES,
}
