# SPDX-License-Identifier: Apache-2.0
"""RESHAPE moves away from between layers."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

from tests.support.rewritten import any_kernels, check_exact, file_of, optimised, titles
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.ir.operators import Conv2D

pytestmark = pytest.mark.slow

needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
SCALE, ZERO, CHANNELS = 0.1, 5, 4


class Sequence:
    """Layers of a 1-D network as a converter writes them, of any seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, b: TfliteBuilder) -> tuple[int, int]:
        """Adds eight steps and gives the input and the output."""
        self.b = b
        steps = (self.causal, self.causal, self.function, self.branch, self.scaled, self.bent)
        source = value = self._tensor((1, int(self._rng.integers(6, 12)), CHANNELS))
        for _ in range(8):
            value = steps[self._rng.integers(len(steps))](value)
        return source, value

    def _tensor(self, shape: Any) -> int:
        return self.b.tensor(tuple(int(n) for n in shape), scale=SCALE, zero_point=ZERO)

    def _shape(self, index: int) -> list[int]:
        return [int(extent) for extent in self.b.subgraph.tensors[index].shape]

    def _reshape(self, source: int, shape: Any) -> int:
        output = self._tensor(shape)
        self.b.operator(
            "RESHAPE", [source, self.b.tensor((len(shape),), "int32", data=shape)], [output]
        )
        return output

    def causal(self, source: int) -> int:
        """A causal convolution: PAD, RESHAPE, CONV_2D and RESHAPE."""
        _, length, _ = self._shape(source)
        dilation = int(self._rng.integers(1, 3))
        edge = 2 * dilation
        padded = self._tensor((1, length + edge, CHANNELS))
        pads = self.b.tensor((3, 2), "int32", data=[[0, 0], [edge, 0], [0, 0]])
        self.b.operator("PAD", [source, pads], [padded])
        image = self._reshape(padded, (1, 1, length + edge, CHANNELS))
        shape = (CHANNELS, 1, 3, CHANNELS)
        weights = self.b.tensor(shape, scale=0.01, data=self._rng.integers(-127, 128, shape))
        output = self._tensor((1, 1, length, CHANNELS))
        self.b.operator(
            "CONV_2D",
            [image, weights],
            [output],
            padding=1,
            strideH=1,
            strideW=1,
            dilationHFactor=1,
            dilationWFactor=dilation,
        )
        return self._reshape(output, (1, length, CHANNELS))

    def function(self, source: int) -> int:
        output = self._tensor(self._shape(source))
        self.b.operator("LEAKY_RELU", [source], [output], alpha=0.3)
        return output

    def branch(self, source: int) -> int:
        """A sum with a convolution of it, or with itself in another rank."""
        other = self.causal(source) if self._rng.random() < 0.7 else self.bent(source)
        output = self._tensor(self._shape(source))
        self.b.operator("ADD", [source, other], [output])
        return output

    def scaled(self, source: int) -> int:
        count = int(self._rng.choice([1, CHANNELS]))
        factors = self.b.tensor((count,), scale=0.02, data=self._rng.integers(-128, 128, count))
        output = self._tensor(self._shape(source))
        self.b.operator("MUL", [source, factors], [output])
        return output

    def bent(self, source: int) -> int:
        """A function in another rank."""
        _, length, _ = self._shape(source)
        ranks = ((length, CHANNELS), (1, length, 1, CHANNELS), (length * CHANNELS,))
        bent = self.function(self._reshape(source, ranks[self._rng.integers(len(ranks))]))
        return self._reshape(bent, (1, length, CHANNELS))


@needs_compiler
@pytest.mark.parametrize("first", [0, 8, 16])
def test_sequences_stay_exact(first: int) -> None:
    content = file_of([Sequence(seed) for seed in range(first, first + 8)])
    graph = check_exact(content, select=any_kernels)
    assert "PAD" not in titles(graph)


def test_a_causal_network_is_convolutions_alone() -> None:
    b = TfliteBuilder()
    layers = Sequence(0)
    layers.b = b
    source = b.tensor((1, 9, CHANNELS), scale=SCALE, zero_point=ZERO)
    first = layers.causal(source)
    second = layers.function(layers.causal(first))
    total = b.tensor((1, 9, CHANNELS), scale=SCALE, zero_point=ZERO)
    b.operator("ADD", [first, second], [total])
    graph = optimised(b.build([source], [layers.causal(total)]))
    assert titles(graph) == [
        "RESHAPE",
        "CONV_2D",
        "CONV_2D",
        "LEAKY_RELU",
        "ADD",
        "CONV_2D",
        "RESHAPE",
    ]
    padding = [op.window.before for op in graph.operators if isinstance(op, Conv2D)]
    assert all(before[0] == 0 and before[1] in (2, 4) for before in padding)


def test_a_pad_of_what_reshape_merges_stays() -> None:
    b = TfliteBuilder()
    source = b.tensor((1, 3, 4), scale=SCALE)
    padded = b.tensor((1, 5, 4), scale=SCALE)
    b.operator("PAD", [source, b.tensor((3, 2), "int32", data=[[0, 0], [1, 1], [0, 0]])], [padded])
    output = b.tensor((1, 20), scale=SCALE)
    b.operator("RESHAPE", [padded, b.tensor((2,), "int32", data=[1, 20])], [output])
    assert titles(optimised(b.build([source], [output]))) == ["PAD", "RESHAPE"]
