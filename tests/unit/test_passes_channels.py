"""Constant and unused channels are left out, and nothing changes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.drawn_nets import DrawnNet
from tests.support.rewritten import PATH, check_exact, file_of, optimised
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.emulate.oracle import Oracle
from tinyflow.frontend.tflite_import import import_model
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Conv2D, DepthwiseConv2D, Weighted
from tinyflow.ir.types import DType
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.kernels.select import select_kernels
from tinyflow.passes import optimise
from tinyflow.passes.channels import drop_channels
from tinyflow.passes.intervals import Intervals

needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

_MODELS = Path(__file__).resolve().parents[3] / "shared" / "models" / "mlperf_tiny"
VWW = Path(os.environ.get("TINYFLOW_MODELS", _MODELS)) / "vww_96_int8.tflite"


def elements(graph: Graph) -> int:
    return sum(graph.tensors[i].elements for op in graph.operators for i in op.outputs())


@pytest.mark.parametrize("first", range(0, 120, 30))
def test_no_value_is_outside_of_its_interval(first: int) -> None:
    content = file_of([DrawnNet(seed) for seed in range(first, first + 30)])
    graph = import_model(content, PATH, name="net")
    intervals, oracle = Intervals(graph), Oracle(content, keep_tensors=True)
    rng = np.random.default_rng(first)
    constant = 0
    for turn in range(6):
        low, high = ((-128, -128), (127, 127), (-128, 127))[min(turn, 2)]
        shapes = [tensor.shape for tensor in graph.input_tensors()]
        oracle.run(*[rng.integers(low, high, s, endpoint=True).astype(np.int8) for s in shapes])
        for op in graph.operators:
            (index,) = op.outputs()
            if graph.tensors[index].dtype is DType.INT8:
                values, limits = oracle.tensor(index), intervals[index]
                assert np.all(limits.low <= values), (op, values, limits)
                assert np.all(values <= limits.high), (op, values, limits)
                constant += int(limits.constant.sum())
    assert constant > 1000


@needs_compiler
@pytest.mark.parametrize("first", range(0, 120, 20))
def test_drawn_networks_stay_exact(first: int) -> None:
    content = file_of([DrawnNet(seed) for seed in range(first, first + 20)])
    graph = check_exact(content)
    assert elements(graph) < 0.95 * elements(import_model(content, PATH, name="net"))


class Layers:
    """A chain of layers with filters of one's own, all of scales that give 1/4."""

    def __init__(self, channels: int, size: int = 5) -> None:
        self.b = TfliteBuilder()
        self.source = self.value = self.b.tensor(
            (1, size, size, channels), scale=0.1, zero_point=ZERO
        )

    @property
    def shape(self) -> list[int]:
        return [int(extent) for extent in self.b.subgraph.tensors[self.value].shape]

    def convolution(
        self, weights: object, bias: object = None, *, relu: bool = False, depthwise: bool = False
    ) -> Layers:
        """Filters of any odd size, which pads; the last dimension of a depthwise one first."""
        values = np.array(weights)
        output = self.b.tensor(
            (*self.shape[:3], values.shape[3 if depthwise else 0]), scale=0.1, zero_point=ZERO
        )
        operands = [self.value, self.b.tensor(values.shape, scale=0.25, data=values)]
        if bias is not None:
            operands.append(self.b.tensor(np.shape(bias), "int32", 0.025, data=bias))
        self.b.operator(
            "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
            operands,
            [output],
            strideH=1,
            strideW=1,
            dilationHFactor=1,
            dilationWFactor=1,
            fusedActivationFunction=int(relu),
            **({"depthMultiplier": 1} if depthwise else {}),
        )
        self.value = output
        return self

    def channels(self) -> list[int]:
        """How many are left of each layer's output; checks every byte before."""
        graph = check_exact(self.b.build([self.source], [self.value]))
        return [graph.tensors[op.output].shape[-1] for op in graph.operators]  # type: ignore[attr-defined]


ZERO = -20
RNG = np.random.default_rng(5)


def filters(count: int, size: int, depth: int, zeros: range = range(0)) -> NDArray[np.int64]:
    values = RNG.integers(1, 20, (count, size, size, depth))
    values[list(zeros)] = 0
    return values


def depthwise(size: int, depth: int) -> NDArray[np.int64]:
    return RNG.integers(1, 20, (1, size, size, depth))


@needs_compiler
def test_filters_of_zeros_go_up_to_a_multiple_of_four() -> None:
    for zeros, left in ((0, 12), (1, 12), (3, 12), (4, 8), (8, 4), (11, 4), (12, 4)):
        layers = Layers(2).convolution(filters(12, 1, 2, range(zeros)), np.arange(12))
        assert layers.convolution(filters(3, 1, 12)).channels() == [left, 3]


@needs_compiler
def test_a_depthwise_layer_hands_a_constant_on() -> None:
    bias = np.full(8, 40)
    first = filters(8, 1, 2, range(4))
    # Behind a window that stays inside, behind one that pads, and with what padding counts as.
    inside = Layers(2).convolution(first, bias).convolution(depthwise(1, 8), depthwise=True)
    assert inside.convolution(filters(3, 1, 8)).channels() == [4, 4, 3]
    beyond = Layers(2).convolution(first, bias).convolution(depthwise(3, 8), depthwise=True)
    assert beyond.convolution(filters(3, 1, 8)).channels() == [8, 8, 3]
    zero = Layers(2).convolution(first, 0 * bias).convolution(depthwise(3, 8), depthwise=True)
    assert zero.convolution(filters(3, 1, 8)).channels() == [4, 4, 3]


@needs_compiler
def test_padding_of_the_reader_keeps_what_is_not_the_zero_point() -> None:
    first = filters(8, 1, 2, range(4))
    padding = Layers(2).convolution(first, np.full(8, 40)).convolution(filters(3, 3, 8))
    assert padding.channels() == [8, 3]
    zero = Layers(2).convolution(first, np.zeros(8)).convolution(filters(3, 3, 8))
    assert zero.channels() == [4, 3]
    # A negative sum is the zero point behind a clamp.
    clamped = Layers(2).convolution(first, np.full(8, -40), relu=True)
    assert clamped.convolution(filters(3, 3, 8)).channels() == [4, 3]


@needs_compiler
def test_a_clamp_that_lets_one_value_through_makes_a_constant() -> None:
    bias = np.array([-(10**6)] * 4 + [0] * 4)
    layers = Layers(2).convolution(filters(8, 1, 2), bias, relu=True)
    assert layers.convolution(filters(3, 3, 8)).channels() == [4, 3]


@needs_compiler
def test_what_nobody_weighs_goes() -> None:
    weights = filters(3, 1, 8)
    weights[..., 2:6] = 0
    layers = Layers(2).convolution(filters(8, 1, 2)).convolution(depthwise(3, 8), depthwise=True)
    assert layers.convolution(weights).channels() == [4, 4, 3]


@needs_compiler
def test_outputs_of_the_model_stay() -> None:
    assert Layers(2).convolution(filters(8, 1, 2, range(8)), np.arange(8)).channels() == [8]


@needs_compiler
def test_both_operands_of_a_sum_keep_the_same_channels() -> None:
    for zeros, left in ((range(4), [4, 4, 4, 3]), (range(4, 8), [8, 8, 8, 3])):
        layers = Layers(2).convolution(filters(8, 1, 2, range(4)), np.arange(8))
        first, layers.value = layers.value, layers.source
        second = layers.convolution(filters(8, 1, 2, zeros), np.arange(8)).value
        layers.value = layers.b.tensor(layers.shape, scale=0.1, zero_point=ZERO)
        layers.b.operator("ADD", [first, second], [layers.value])
        assert layers.convolution(filters(3, 1, 8)).channels() == left


def test_a_cut_tensor_knows_its_channels() -> None:
    layers = Layers(2).convolution(filters(12, 1, 2, range(2, 9)), np.arange(12))
    middle = layers.value
    layers.convolution(filters(3, 1, 12))
    graph = optimised(layers.b.build([layers.source], [layers.value]))
    assert graph.tensors[middle].channels == (0, 1, 2, 3, 4, 9, 10, 11)
    assert graph.tensors[middle].shape == (1, 5, 5, 8)


@pytest.mark.skipif(not VWW.is_file(), reason=f"no MLPerf Tiny models at {VWW.parent}")
def test_half_of_a_pruned_network_goes() -> None:
    content = VWW.read_bytes()
    imported = import_model(content, VWW, name="vww")
    bare = drop_channels(imported, 1)
    assert (macs(imported), weights(imported)) == (7_489_664, 208_112)
    assert (macs(bare), weights(bare)) == (3_727_313, 29_066)
    rounded = optimise(imported, content, VWW)
    assert (macs(rounded), weights(rounded)) == (3_766_476, 30_340)
    assert all(
        rounded.tensors[op.output].shape[-1] % 4 == 0
        for op in rounded.operators
        if isinstance(op, Conv2D | DepthwiseConv2D)
    )


@needs_compiler
@pytest.mark.skipif(not VWW.is_file(), reason=f"no MLPerf Tiny models at {VWW.parent}")
def test_a_pruned_network_stays_exact() -> None:
    check_exact(VWW.read_bytes(), vectors=3)


def macs(graph: Graph) -> int:
    kernels = select_kernels(graph, load_board("stm32f407"), find_cmsis_nn())
    return sum(kernel.macs for kernel in kernels)


def weights(graph: Graph) -> int:
    return sum(
        graph.tensors[op.weights].elements for op in graph.operators if isinstance(op, Weighted)
    )
