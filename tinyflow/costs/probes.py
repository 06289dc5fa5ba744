# SPDX-License-Identifier: Apache-2.0
"""Small layers of many shapes, on which kernels are measured.

The shapes are those of common networks, made smaller: widths and depths from a few to over a
hundred channels, odd remainders, and few or many pixels. A kernel's cost is a sum over its loops,
so that small layers show it as well as large ones, in less time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.elementwise import Mul, Sub
from tinyflow.ir.graph import Graph, Tensor
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
    Softmax,
    Window,
)
from tinyflow.ir.quantization import Quantization
from tinyflow.ir.tables import ElementFunction, Logistic
from tinyflow.ir.types import Activation, DType, Padding

Pair = tuple[int, int]
#: Spread of the weights: those of trained layers crowd around 0 likewise.
_SPREAD = 30.0


@dataclass(frozen=True)
class Probe:
    """A graph of one operator, and an input of it."""

    name: str
    graph: Graph
    inputs: tuple[NDArray[np.int8], ...]


def probes(kind: type[Operator]) -> tuple[Probe, ...]:
    """Return the layers that an operator is measured on; none if it is not measured.

    All functions of one int8 tensor are look-up tables and cost the same.
    """
    make = _PROBES.get(Logistic if issubclass(kind, ElementFunction) else kind)
    return () if make is None else tuple(make())


def side_by_side(several: Sequence[Probe]) -> Probe:
    """Probes as one graph, each its own layer."""
    tensors: list[Tensor] = []
    operators: list[Operator] = []
    inputs: list[int] = []
    outputs: list[int] = []
    for probe in several:
        start = len(tensors)
        tensors += probe.graph.tensors
        operators += (_moved(operator, start) for operator in probe.graph.operators)
        inputs += (start + index for index in probe.graph.inputs)
        outputs += (start + index for index in probe.graph.outputs)
    graph = Graph("probes", tuple(tensors), tuple(operators), tuple(inputs), tuple(outputs))
    return Probe("several", graph, tuple(values for probe in several for values in probe.inputs))


def _moved(operator: Operator, start: int) -> Operator:
    """The operator with its tensors' indices moved by an offset."""
    fields = (*operator.input_fields, operator.output_field)
    moved = {field: start + index for field in fields for index in operator.tensors(field)}
    return replace(operator, **moved)  # type: ignore[arg-type]


class _LayerTensors:
    """Collects the tensors of one layer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tensors: list[Tensor] = []
        self._inputs: list[int] = []
        self._random = np.random.default_rng(list(name.encode()))

    def activation(self, shape: Sequence[int], scale: float = 0.05, zero_point: int = -3) -> int:
        return self._add(shape, DType.INT8, Quantization((scale,), (zero_point,)))

    def input(self, shape: Sequence[int], scale: float = 0.05, zero_point: int = -3) -> int:
        self._inputs.append(self.activation(shape, scale, zero_point))
        return self._inputs[-1]

    def weights(self, shape: Sequence[int], axis: int | None) -> int:
        count = 1 if axis is None else shape[axis]
        scales = tuple(float(scale) for scale in self._random.uniform(0.003, 0.006, count))
        values = np.clip(np.rint(self._random.normal(0, _SPREAD, shape)), -127, 127)
        return self._add(
            shape, DType.INT8, Quantization(scales, (0,) * count, axis), values.astype(np.int8)
        )

    def bias(self, count: int) -> int:
        values = self._random.integers(-2000, 2000, count).astype(np.int32)
        return self._add((count,), DType.INT32, None, values)

    def _add(
        self,
        shape: Sequence[int],
        dtype: DType,
        quantization: Quantization | None,
        data: NDArray[np.generic] | None = None,
    ) -> int:
        name = f"{self.name} {len(self.tensors)}"
        self.tensors.append(Tensor(name, tuple(shape), dtype, quantization, data))
        return len(self.tensors) - 1

    def probe(self, operator: Operator) -> Probe:
        graph = Graph(
            "probe",
            tuple(self.tensors),
            (operator,),
            tuple(self._inputs),
            tuple(operator.outputs()),
        )
        inputs = tuple(
            self._random.integers(-128, 128, tensor.shape).astype(np.int8)
            for tensor in graph.input_tensors()
        )
        return Probe(self.name, graph, inputs)


# ---- convolutions ----


@dataclass(frozen=True)
class _Conv:
    size: Pair
    channels: int
    filters: int
    kernel: Pair = (1, 1)
    stride: int = 1
    dilation: int = 1
    padding: Padding = Padding.SAME
    activation: Activation = Activation.RELU
    groups: int = field(default=1, repr=False)  # names keep the random weights of former tables


_CONVOLUTIONS = (
    _Conv((12, 12), 16, 16),
    _Conv((8, 8), 32, 32),
    _Conv((6, 6), 64, 64),
    _Conv((5, 5), 8, 24, activation=Activation.NONE),
    _Conv((7, 7), 24, 10, activation=Activation.RELU6),
    _Conv((3, 3), 128, 64),
    _Conv((2, 2), 128, 128, activation=Activation.NONE),
    _Conv((1, 1), 64, 32),
    _Conv((10, 10), 4, 8, activation=Activation.NONE),
    _Conv((7, 9), 12, 16, activation=Activation.NONE),
    _Conv((11, 11), 20, 6),
    _Conv((9, 3), 40, 12, activation=Activation.NONE),
    _Conv((9, 9), 8, 16, stride=2, activation=Activation.NONE),
    _Conv((8, 8), 32, 12, stride=2),
    _Conv((5, 5), 64, 40, stride=2),
    _Conv((12, 12), 16, 32, stride=2),
    _Conv((6, 6), 10, 5, stride=2, activation=Activation.NONE),
    _Conv((3, 2), 40, 80, stride=2),
    _Conv((16, 16), 3, 16, (3, 3)),
    _Conv((17, 16), 3, 8, (3, 3), stride=2),
    _Conv((8, 9), 3, 8, (3, 3), stride=2, padding=Padding.VALID),
    _Conv((12, 12), 8, 8, (3, 3)),
    _Conv((10, 10), 16, 16, (3, 3)),
    _Conv((8, 8), 32, 16, (3, 3), activation=Activation.NONE),
    _Conv((8, 8), 32, 32, (3, 3), stride=2),
    _Conv((6, 6), 64, 32, (3, 3)),
    _Conv((7, 7), 48, 40, (3, 3), activation=Activation.NONE),
    _Conv((11, 10), 24, 24, (3, 3), activation=Activation.RELU6),
    _Conv((5, 5), 32, 64, (3, 3)),
    _Conv((9, 7), 12, 20, (3, 3), padding=Padding.VALID, activation=Activation.RELU6),
    _Conv((20, 10), 1, 16, (10, 4), stride=2),
    _Conv((12, 9), 1, 8, (5, 5), padding=Padding.VALID, activation=Activation.NONE),
    _Conv((25, 10), 1, 32, (10, 4), stride=2, activation=Activation.RELU6),
    _Conv((31, 10), 1, 48, (10, 4), stride=2),
    _Conv((14, 14), 1, 6, (3, 3)),
    _Conv((16, 12), 1, 12, (7, 7), stride=2, activation=Activation.NONE),
    _Conv((24, 24), 3, 8, (3, 3), stride=2, activation=Activation.RELU6),
    _Conv((30, 32), 3, 8, (3, 3)),
    _Conv((12, 12), 3, 32, (3, 3), activation=Activation.NONE),
    _Conv((1, 32), 8, 16, (1, 5)),
    _Conv((1, 24), 6, 12, (1, 3), stride=2, activation=Activation.NONE),
    _Conv((1, 16), 32, 32, (1, 3)),
    _Conv((1, 40), 1, 8, (1, 9), stride=2),
    _Conv((1, 20), 16, 24, (1, 7), padding=Padding.VALID),
    _Conv((1, 12), 64, 16, (1, 3)),
    _Conv((1, 26), 64, 40, (1, 3), activation=Activation.RELU6),
    _Conv((9, 9), 4, 8, (5, 5)),
    _Conv((8, 8), 16, 16, (3, 3), dilation=2),
    _Conv((12, 12), 6, 6, (2, 2), stride=2, padding=Padding.VALID),
    _Conv((4, 4), 48, 16, (3, 3), activation=Activation.RELU6),
    _Conv((16, 16), 4, 4, (3, 3), activation=Activation.NONE),
    _Conv((6, 6), 32, 32, groups=4),
    _Conv((7, 5), 12, 18, (3, 3), groups=3),
    _Conv((8, 8), 16, 8, (3, 3), stride=2, activation=Activation.NONE, groups=2),
    _Conv((5, 5), 8, 16, (2, 2), groups=8),
)


def _convolutions() -> Iterator[Probe]:
    for shape in _CONVOLUTIONS:
        groups = f", {shape.groups} groups" if shape.groups > 1 else ""
        layer = _LayerTensors(f"convolution {shape}{groups}")
        window = Window((shape.stride,) * 2, shape.padding, (shape.dilation,) * 2)
        operator = Conv2D(
            layer.name,
            layer.input((1, *shape.size, shape.channels)),
            layer.weights((shape.filters, *shape.kernel, shape.channels // shape.groups), 0),
            layer.bias(shape.filters),
            _output(layer, shape, window, shape.filters),
            window=window,
            activation=shape.activation,
        )
        yield layer.probe(operator)


def _output(layer: _LayerTensors, shape: _Conv, window: Window, channels: int) -> int:
    """An output whose zero point is the least value where the activation has no negative ones."""
    signed = shape.activation is Activation.NONE
    size = window.output_size(shape.size, shape.kernel)
    return layer.activation((1, *size, channels), 0.1, 5 if signed else -128)


#: `filters` is the depth multiplier.
_DEPTHWISE = (
    _Conv((16, 16), 8, 1, (3, 3)),
    _Conv((12, 12), 16, 1, (3, 3)),
    _Conv((25, 5), 64, 1, (3, 3)),
    _Conv((10, 9), 20, 1, (3, 3), activation=Activation.NONE),
    _Conv((16, 16), 8, 1, (3, 3), stride=2, activation=Activation.RELU6),
    _Conv((8, 8), 32, 1, (3, 3), stride=2),
    _Conv((13, 12), 24, 1, (3, 3), stride=2, activation=Activation.NONE),
    _Conv((6, 6), 64, 1, (3, 3)),
    _Conv((3, 3), 128, 1, (3, 3)),
    _Conv((4, 4), 96, 1, (3, 3), stride=2),
    _Conv((10, 10), 5, 1, (3, 3), activation=Activation.RELU6),
    _Conv((10, 10), 8, 1, (3, 3), padding=Padding.VALID),
    _Conv((12, 12), 8, 1, (5, 5)),
    _Conv((12, 12), 16, 1, (5, 5), stride=2, activation=Activation.NONE),
    _Conv((1, 32), 16, 1, (1, 3)),
    _Conv((1, 24), 8, 1, (1, 5), activation=Activation.NONE),
    _Conv((7, 7), 32, 1, (7, 7), padding=Padding.VALID, activation=Activation.NONE),
    _Conv((9, 9), 8, 1, (3, 3), dilation=2),
    _Conv((20, 10), 1, 8, (10, 8), stride=2),
    _Conv((9, 9), 4, 2, (3, 3), activation=Activation.NONE),
    _Conv((4, 48), 8, 1, (3, 3)),
    _Conv((5, 48), 8, 1, (3, 3), stride=2),
)


def _depthwise() -> Iterator[Probe]:
    for shape in _DEPTHWISE:
        layer = _LayerTensors(f"depthwise {shape}")
        filters = shape.channels * shape.filters
        window = Window((shape.stride,) * 2, shape.padding, (shape.dilation,) * 2)
        operator = DepthwiseConv2D(
            layer.name,
            layer.input((1, *shape.size, shape.channels)),
            layer.weights((1, *shape.kernel, filters), 3),
            layer.bias(filters),
            _output(layer, shape, window, filters),
            window=window,
            multiplier=shape.filters,
            activation=shape.activation,
        )
        yield layer.probe(operator)


# ---- fully connected ----

_PRODUCTS = (
    (1, 256, 64), (1, 128, 128), (1, 128, 8), (1, 8, 128), (1, 64, 12), (4, 32, 16), (2, 50, 7),
    (1, 100, 10), (1, 33, 5), (1, 640, 32), (1, 12, 96),
)  # fmt: skip


def _products() -> Iterator[Probe]:
    for batches, depth, rows in _PRODUCTS:
        for axis, activation in ((0, Activation.RELU), (None, Activation.NONE)):
            layer = _LayerTensors(f"product {batches}x{depth} by {rows}, {activation.value}")
            operator = FullyConnected(
                layer.name,
                layer.input((batches, depth)),
                layer.weights((rows, depth), axis),
                layer.bias(rows),
                layer.activation((batches, rows), 0.1, 5 if axis is None else -128),
                activation=activation,
            )
            yield layer.probe(operator)


# ---- the others ----

_IMAGES = (
    (1, 8, 8, 16),
    (1, 16, 16, 8),
    (1, 4, 4, 64),
    (1, 7, 5, 9),
    (1, 25, 5, 32),
    (1, 3, 3, 96),
)


def _sums() -> Iterator[Probe]:
    cases = (
        (0.05, 0.05, Activation.NONE),
        (0.05, 0.03, Activation.RELU),
        (0.02, 0.07, Activation.NONE),
    )
    for number, shape in enumerate(_IMAGES):
        left, right, activation = cases[number % len(cases)]
        layer = _LayerTensors(f"sum {shape}")
        operator = Add(
            layer.name,
            layer.input(shape, left),
            layer.input(shape, right, 4),
            layer.activation(shape, 0.08, -128 if activation is Activation.RELU else 5),
            activation,
        )
        yield layer.probe(operator)


def _binaries(kind: type[Mul | Sub]) -> Iterator[Probe]:
    for shape in _IMAGES:
        layer = _LayerTensors(f"{kind.kind} {shape}")
        operands = layer.input(shape, 0.05), layer.input(shape, 0.03, 4)
        output = layer.activation(shape, 0.08, 5)
        yield layer.probe(kind(layer.name, *operands, output, Activation.NONE))


def _lookups() -> Iterator[Probe]:
    for shape in _IMAGES:
        layer = _LayerTensors(f"lookup {shape}")
        source, output = layer.input(shape), layer.activation(shape, 1 / 256, -128)
        yield layer.probe(Logistic(layer.name, source, output))


def _rescalings() -> Iterator[Probe]:
    for shape in _IMAGES:
        layer = _LayerTensors(f"rescaling {shape}")
        yield layer.probe(Quantize(layer.name, layer.input(shape), layer.activation(shape, 0.07)))


_POOLS = (
    ((8, 8), 16, (2, 2), 2), ((9, 7), 8, (3, 3), 2), ((8, 8), 64, (8, 8), 8),
    ((4, 4), 96, (4, 4), 4), ((25, 5), 64, (25, 5), 25), ((12, 12), 6, (2, 2), 1),
)  # fmt: skip


def _pools(kind: type[AveragePool2D | MaxPool2D]) -> Iterator[Probe]:
    for size, channels, kernel, stride in _POOLS:
        layer = _LayerTensors(f"{kind.kind} {size} {channels} {kernel} {stride}")
        window = Window((stride, stride), Padding.VALID)
        shape = (1, *window.output_size(size, kernel), channels)
        operator = kind(
            layer.name,
            layer.input((1, *size, channels)),
            layer.activation(shape),
            kernel,
            window,
            Activation.NONE,
        )
        yield layer.probe(operator)


def _means() -> Iterator[Probe]:
    for shape in _IMAGES:
        layer = _LayerTensors(f"mean {shape}")
        source, output = layer.input(shape), layer.activation((1, shape[-1]), 0.04, 2)
        yield layer.probe(Mean(layer.name, source, output, (1, 2)))


def _softmaxes() -> Iterator[Probe]:
    for rows, depth in ((1, 10), (1, 12), (1, 2), (1, 100), (8, 4), (16, 21)):
        layer = _LayerTensors(f"softmax {rows}x{depth}")
        source = layer.input((rows, depth), 0.1)
        output = layer.activation((rows, depth), 1 / 256, -128)
        yield layer.probe(Softmax(layer.name, source, output, 1.0))


def _pads() -> Iterator[Probe]:
    for _, height, width, channels in _IMAGES:
        for before, after in ((1, 1), (0, 1)):
            layer = _LayerTensors(f"pad {height} {width} {channels} {before} {after}")
            shape = (1, height + before + after, width + before + after, channels)
            pads = ((0, 0), (before, after), (before, after), (0, 0))
            source = layer.input((1, height, width, channels))
            yield layer.probe(Pad(layer.name, source, layer.activation(shape), pads))


_PROBES: dict[type[Operator], Callable[[], Iterator[Probe]]] = {
    Add: _sums,
    AveragePool2D: lambda: _pools(AveragePool2D),
    Conv2D: _convolutions,
    DepthwiseConv2D: _depthwise,
    FullyConnected: _products,
    Logistic: _lookups,
    MaxPool2D: lambda: _pools(MaxPool2D),
    Mean: _means,
    Mul: lambda: _binaries(Mul),
    Pad: _pads,
    Quantize: _rescalings,
    Softmax: _softmaxes,
    Sub: lambda: _binaries(Sub),
}
#: The kinds of operators that are measured.
MEASURED: tuple[type[Operator], ...] = tuple(_PROBES)
