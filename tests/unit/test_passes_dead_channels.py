# SPDX-License-Identifier: Apache-2.0
"""Constant and unused channels are left out, and nothing changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.drawn_nets import DrawnNet
from tests.support.first_kernels import select_kernels
from tests.support.rewritten import PATH, any_kernels, check_exact, file_of, optimised
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Conv2D, DepthwiseConv2D, Weighted
from tinyflow.ir.types import DType
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.oracle.oracle import Oracle
from tinyflow.oracle.process import first_output
from tinyflow.passes import optimise
from tinyflow.passes.dead_channels import drop_channels
from tinyflow.passes.ranges import Ranges
from tinyflow.tflite.importer import import_model

pytestmark = pytest.mark.slow

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
    ranges, oracle = Ranges(graph), Oracle(content, keep_tensors=True)
    rng = np.random.default_rng(first)
    constant = 0
    for turn in range(6):
        low, high = ((-128, -128), (127, 127), (-128, 127))[min(turn, 2)]
        shapes = [tensor.shape for tensor in graph.input_tensors()]
        oracle.run(*[rng.integers(low, high, s, endpoint=True).astype(np.int8) for s in shapes])
        for op in graph.operators:
            (index,) = op.outputs()
            if graph.tensors[index].dtype is DType.INT8:
                values, limits = oracle.tensor(index), ranges[index]
                assert np.all(limits.low <= values), (op, values, limits)
                assert np.all(values <= limits.high), (op, values, limits)
                constant += int(limits.constant.sum())
    assert constant > 1000


@needs_compiler
@pytest.mark.parametrize("first", range(0, 24, 8))
def test_drawn_networks_stay_exact(first: int) -> None:
    content = file_of([DrawnNet(seed) for seed in range(first, first + 8)])
    graph = check_exact(content, select=any_kernels)
    assert elements(graph) < 0.95 * elements(import_model(content, PATH, name="net"))


class Layers:
    """Chains of layers with given filters, side by side in one model."""

    def __init__(self) -> None:
        self.b = TfliteBuilder()
        self.value = self.source = -1
        self.ends: list[tuple[int, int]] = []
        self.due: dict[int, int] = {}

    def begin(self) -> Layers:
        """A chain from an input of two channels."""
        self.source = self.value = self._tensor((1, 5, 5, 2))
        return self

    def end(self) -> None:
        """The last layer's output is one of the model."""
        self.ends.append((self.source, self.value))

    def left(self, channels: int) -> Layers:
        """Require that `count` channels are left of the last layer's output."""
        self.due[self.value] = channels
        return self

    def _tensor(self, shape: Sequence[int]) -> int:
        return self.b.tensor(shape, scale=0.1, zero_point=ZERO)

    def layer(
        self,
        weights: NDArray[np.int64],
        bias: NDArray[np.int64] | None = None,
        *,
        relu: bool = False,
        depthwise: bool = False,
    ) -> Layers:
        """A convolution of SAME padding with a scale of 1/4."""
        *shape, _ = self.b.subgraph.tensors[self.value].shape
        output = self._tensor((*shape, weights.shape[3 if depthwise else 0]))
        operands = [self.value, self.b.tensor(weights.shape, scale=0.25, data=weights)]
        if bias is not None:
            operands.append(self.b.tensor(bias.shape, "int32", 0.025, data=bias))
        multiplier: dict[str, Any] = {"depthMultiplier": 1} if depthwise else {}
        self.b.operator(
            "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
            operands,
            [output],
            strideH=1,
            strideW=1,
            dilationHFactor=1,
            dilationWFactor=1,
            fusedActivationFunction=int(relu),
            **multiplier,
        )
        self.value = output
        return self

    def add(self, left: int, right: int) -> Layers:
        """The sum of two tensors of one shape."""
        self.value = self._tensor(self.b.subgraph.tensors[left].shape)
        self.b.operator("ADD", [left, right], [self.value])
        return self

    def content(self) -> bytes:
        return self.b.build([source for source, _ in self.ends], [end for _, end in self.ends])

    def check(self) -> None:
        """Every byte is right, and as many channels are left as are due."""
        graph = check_exact(self.content())
        assert {index: graph.tensors[index].shape[-1] for index in self.due} == self.due


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
    layers = Layers()
    for zeros, left in ((0, 12), (1, 12), (3, 12), (4, 8), (8, 4), (11, 4), (12, 4)):
        layers.begin().layer(filters(12, 1, 2, range(zeros)), np.arange(12)).left(left)
        layers.layer(filters(3, 1, 12)).left(3).end()
    layers.check()


#: Of eight filters the first four are zeros.
HALF = range(4)


@needs_compiler
def test_a_depthwise_layer_hands_a_constant_on() -> None:
    layers = Layers()
    # A window that stays inside, one that pads, and one that pads by the same value.
    for size, bias, left in ((1, 40, 4), (3, 40, 8), (3, 0, 4)):
        layers.begin().layer(filters(8, 1, 2, HALF), np.full(8, bias)).left(left)
        layers.layer(depthwise(size, 8), depthwise=True).left(left)
        layers.layer(filters(3, 1, 8)).end()
    layers.check()


@needs_compiler
def test_padding_of_the_reader_keeps_what_is_not_the_zero_point() -> None:
    layers = Layers()
    # The clamp makes the zero point of a negative sum.
    for bias, relu, left in ((40, False, 8), (0, False, 4), (-40, False, 8), (-40, True, 4)):
        layers.begin().layer(filters(8, 1, 2, HALF), np.full(8, bias), relu=relu).left(left)
        layers.layer(filters(3, 3, 8)).end()
    layers.check()


@needs_compiler
def test_a_clamp_that_lets_one_value_through_makes_a_constant() -> None:
    layers = Layers()
    bias = np.array([-(10**6)] * 4 + [0] * 4)
    layers.begin().layer(filters(8, 1, 2), bias, relu=True).left(4)
    layers.layer(filters(3, 3, 8)).end()
    layers.check()


@needs_compiler
def test_channels_with_zero_weights_are_removed() -> None:
    layers = Layers()
    weights = filters(3, 1, 8)
    weights[..., 2:6] = 0
    layers.begin().layer(filters(8, 1, 2)).left(4)
    layers.layer(depthwise(3, 8), depthwise=True).left(4).layer(weights).end()
    layers.check()


@needs_compiler
def test_outputs_of_the_model_stay() -> None:
    layers = Layers()
    layers.begin().layer(filters(8, 1, 2, range(8)), np.arange(8)).left(8).end()
    layers.check()


@needs_compiler
def test_both_operands_of_a_sum_keep_the_same_channels() -> None:
    layers = Layers()
    for zeros, left in ((range(4), 4), (range(4, 8), 8)):
        first = layers.begin().layer(filters(8, 1, 2, HALF), np.arange(8)).left(left).value
        layers.value = layers.source
        second = layers.layer(filters(8, 1, 2, zeros), np.arange(8)).left(left).value
        layers.add(first, second).left(left).layer(filters(3, 1, 8)).end()
    layers.check()


def test_a_cut_tensor_knows_its_channels() -> None:
    layers = Layers()
    middle = layers.begin().layer(filters(12, 1, 2, range(2, 9)), np.arange(12)).value
    layers.layer(filters(3, 1, 12)).end()
    graph = optimised(layers.content())
    assert graph.tensors[middle].channels == (0, 1, 2, 3, 4, 9, 10, 11)
    assert graph.tensors[middle].shape == (1, 5, 5, 8)


@pytest.mark.skipif(not VWW.is_file(), reason=f"no MLPerf Tiny models at {VWW.parent}")
def test_half_of_a_pruned_network_goes() -> None:
    content = VWW.read_bytes()
    imported = import_model(content, VWW, name="vww")
    bare = drop_channels(imported, 1)
    assert (macs(imported), weights(imported)) == (7_489_664, 208_112)
    assert (macs(bare), weights(bare)) == (3_727_313, 29_066)
    rounded = optimise(imported, content, VWW, first_output)
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


def test_other_types_and_scalars_are_left_alone() -> None:
    b = TfliteBuilder()
    image = b.tensor((1, 4, 4, 2), "float32")
    weights = b.tensor((3, 1, 1, 2), "float32", data=np.zeros((3, 1, 1, 2)))
    middle, output = (b.tensor((1, 4, 4, 3), "float32") for _ in range(2))
    options: dict[str, Any] = {"strideH": 1, "strideW": 1}
    options |= {"dilationHFactor": 1, "dilationWFactor": 1}
    b.operator("CONV_2D", [image, weights], [middle], **options)
    b.operator("RELU", [middle], [output])
    scalar, bent = b.tensor((), scale=0.1), b.tensor((), scale=0.1)
    b.operator("ABS", [scalar], [bent])
    total = b.tensor((), scale=0.2)
    b.operator("ADD", [bent, b.tensor((), scale=0.1, data=3)], [total])
    last = b.tensor((1,), scale=0.2)
    b.operator("RESHAPE", [total, b.tensor((1,), "int32", data=[1])], [last])
    graph = optimised(b.build([image, scalar], [output, last]))
    assert not any(tensor.channels for tensor in graph.tensors)
