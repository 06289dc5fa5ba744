# SPDX-License-Identifier: Apache-2.0
"""Small int8 networks drawn at random, many of whose channels are constant or without use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.ir.operators import Window
from tinyflow.ir.types import Padding

SAME, VALID = 0, 1
#: NONE, RELU and RELU6.
_ACTIVATIONS = (0, 1, 3)


class DrawnNet:
    """One network, of a seed: call it to add it to a file."""

    def __init__(self, seed: int, layers: int = 6) -> None:
        self._rng = np.random.default_rng(seed)
        self._layers = layers

    def __call__(self, b: TfliteBuilder) -> tuple[int, int]:
        """Adds the operators; the tensors of the input and of the output."""
        self._b = b
        height, width = (int(extent) for extent in self._rng.integers(3, 8, 2))
        source = self._tensor((1, height, width, int(self._rng.integers(1, 9))))
        value = self._convolution(source)
        for _ in range(self._layers):
            choices = (
                self._convolution,
                self._convolution,
                self._depthwise,
                self._depthwise,
                self._branches,
                self._function,
                self._with_constant,
                self._pool,
                self._pad,
                self._concatenation,
                self._prelu,
                self._transpose,
                self._resize,
            )
            value = choices[self._rng.integers(len(choices))](value)
        ends = (self._mean, self._dense, self._flat_dense, self._convolution)
        return source, ends[self._rng.integers(len(ends))](value)

    # ------------------------------------------------------------------------------ tensors

    def _shape(self, index: int) -> tuple[int, ...]:
        return tuple(int(extent) for extent in self._b.subgraph.tensors[index].shape)

    def _quantised_as(self, index: int) -> tuple[float, int]:
        q = self._b.subgraph.tensors[index].quantization
        return float(q.scale[0]), int(q.zeroPoint[0])

    def _tensor(self, shape: tuple[int, ...], like: int | None = None) -> int:
        if like is not None:
            return self._b.tensor(shape, "int8", *self._quantised_as(like))
        zero_point = int(self._rng.choice([-128, int(self._rng.integers(-128, 128))]))
        return self._b.tensor(
            shape, scale=float(self._rng.uniform(0.02, 0.1)), zero_point=zero_point
        )

    def _weights(self, source: int, shape: tuple[int, ...], axis: int) -> tuple[int, int]:
        """Weights with filters of zeros, and a bias that drives some outputs into their clamp."""
        count = shape[axis]
        values = self._rng.integers(-127, 128, shape)
        columns = np.moveaxis(values, axis, 0)
        columns[self._rng.random(count) < 0.3] = 0
        if axis == 0 and shape[-1] > 1:  # input channels without use
            values[..., self._rng.random(shape[-1]) < 0.2] = 0
        bias = self._rng.integers(-3000, 3000, count)
        bias[self._rng.random(count) < 0.15] = -(10**6)
        scales = self._rng.uniform(0.002, 0.02, count).tolist()
        sums = [scale * self._quantised_as(source)[0] for scale in scales]
        return (
            self._b.tensor(shape, "int8", scales, data=values, axis=axis),
            self._b.tensor((count,), "int32", sums, data=bias),
        )

    def _activation(self) -> int:
        return int(self._rng.choice(_ACTIVATIONS))

    # --------------------------------------------------------------------- weighted operators

    def _window(self, source: int) -> tuple[dict[str, Any], Window, tuple[int, int]]:
        _, height, width, _ = self._shape(source)
        kernel = (
            int(self._rng.integers(1, min(height, 3) + 1)),
            min(width, int(self._rng.choice([1, 3]))),
        )
        stride, padding = int(self._rng.choice([1, 1, 2])), int(self._rng.integers(2))
        options: dict[str, Any] = {"padding": padding, "strideH": stride, "strideW": stride}
        rule = (Padding.SAME, Padding.VALID)[padding]
        return options, Window((stride, stride), rule), kernel

    def _convolution(self, source: int) -> int:
        _, height, width, channels = self._shape(source)
        options, window, kernel = self._window(source)
        if self._rng.random() < 0.5:
            kernel = (1, 1)
        count = int(self._rng.integers(1, 14))
        size = window.output_size((height, width), kernel)
        output = self._tensor((1, *size, count))
        self._b.operator(
            "CONV_2D",
            [source, *self._weights(source, (count, *kernel, channels), 0)],
            [output],
            dilationHFactor=1,
            dilationWFactor=1,
            fusedActivationFunction=self._activation(),
            **options,
        )
        return output

    def _depthwise(self, source: int) -> int:
        _, height, width, channels = self._shape(source)
        options, window, kernel = self._window(source)
        multiplier = int(self._rng.choice([1, 1, 1, 2]))
        size = window.output_size((height, width), kernel)
        output = self._tensor((1, *size, channels * multiplier))
        self._b.operator(
            "DEPTHWISE_CONV_2D",
            [source, *self._weights(source, (1, *kernel, channels * multiplier), 3)],
            [output],
            dilationHFactor=1,
            dilationWFactor=1,
            depthMultiplier=multiplier,
            fusedActivationFunction=self._activation(),
            **options,
        )
        return output

    def _dense(self, source: int) -> int:
        elements, count = math.prod(self._shape(source)), int(self._rng.integers(1, 9))
        output = self._tensor((1, count))
        operands = [source, *self._weights(source, (count, elements), 0)]
        self._b.operator(
            "FULLY_CONNECTED", operands, [output], fusedActivationFunction=self._activation()
        )
        return output

    def _flat_dense(self, source: int) -> int:
        flat = self._tensor((1, math.prod(self._shape(source))), source)
        shape = self._b.tensor((2,), "int32", data=self._shape(flat))
        self._b.operator("RESHAPE", [source, shape], [flat])
        return self._dense(self._dense(flat))

    # ------------------------------------------------------------------ element by element

    def _branches(self, source: int) -> int:
        """Two layers of one input, put together element by element."""
        left = self._pointwise(source, int(self._rng.integers(1, 14)))
        count = self._shape(left)[-1]
        same = self._shape(source)[-1] == count and self._rng.random() < 0.5
        right = source if same else self._pointwise(source, count)
        kind = str(self._rng.choice(["ADD", "ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"]))
        output = self._tensor(self._shape(left))
        fused: dict[str, Any] = (
            {} if kind == "SQUARED_DIFFERENCE" else {"fusedActivationFunction": self._activation()}
        )
        self._b.operator(kind, [left, right], [output], **fused)
        return output

    def _pointwise(self, source: int, count: int) -> int:
        shape = self._shape(source)
        output = self._tensor((*shape[:-1], count))
        self._b.operator(
            "CONV_2D",
            [source, *self._weights(source, (count, 1, 1, shape[-1]), 0)],
            [output],
            strideH=1,
            strideW=1,
            dilationHFactor=1,
            dilationWFactor=1,
            fusedActivationFunction=self._activation(),
        )
        return output

    def _with_constant(self, source: int) -> int:
        shape = self._shape(source)
        values = self._rng.integers(-128, 128, shape[-1] if self._rng.random() < 0.7 else 1)
        kind = str(self._rng.choice(["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"]))
        extremum = kind in ("MAXIMUM", "MINIMUM")
        output = self._tensor(shape, source if extremum else None)
        scale, zero_point = self._quantised_as(source) if extremum else (0.05, 3)
        constant = self._b.tensor(values.shape, "int8", scale, zero_point, data=values)
        operands = (
            [source, constant] if extremum or self._rng.random() < 0.5 else [constant, source]
        )
        fused: dict[str, Any] = {} if extremum else {"fusedActivationFunction": self._activation()}
        self._b.operator(kind, operands, [output], **fused)
        return output

    def _prelu(self, source: int) -> int:
        shape = self._shape(source)
        slopes = self._b.tensor(
            (1, 1, shape[-1]), scale=0.01, data=self._rng.integers(-128, 128, (1, 1, shape[-1]))
        )
        output = self._tensor(shape)
        self._b.operator("PRELU", [source, slopes], [output])
        return output

    def _function(self, source: int) -> int:
        kind = str(self._rng.choice(["RELU", "RELU6", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE"]))
        output = self._tensor(self._shape(source))
        options: dict[str, Any] = {"alpha": 0.1} if kind == "LEAKY_RELU" else {}
        self._b.operator(kind, [source], [output], **options)
        return output

    # ---------------------------------------------------------------------------- others

    def _pool(self, source: int) -> int:
        _, height, width, channels = self._shape(source)
        options, window, kernel = self._window(source)
        size = window.output_size((height, width), kernel)
        output = self._tensor((1, *size, channels), source)
        self._b.operator(
            str(self._rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"])),
            [source],
            [output],
            filterHeight=kernel[0],
            filterWidth=kernel[1],
            fusedActivationFunction=self._activation(),
            **options,
        )
        return output

    def _pad(self, source: int) -> int:
        pads = self._rng.integers(0, 2, (4, 2)) * [[0], [1], [1], [self._rng.random() < 0.2]]
        shape = tuple(
            extent + int(sum(pair)) for extent, pair in zip(self._shape(source), pads, strict=True)
        )
        output = self._tensor(shape, source)
        operand = self._b.tensor((4, 2), "int32", data=pads)
        self._b.operator("PAD", [source, operand], [output])
        return output

    def _concatenation(self, source: int) -> int:
        shape = self._shape(source)
        axis = int(self._rng.choice([2, 3, 3]))
        other = self._tensor(shape, source)
        zeros = self._b.tensor((4, 2), "int32", data=np.zeros((4, 2)))
        self._b.operator("PAD", [source, zeros], [other])
        bent = self._tensor(shape, source)
        self._b.operator("LEAKY_RELU", [source], [bent], alpha=0.2)
        joined = list(shape)
        joined[axis] *= 2
        output = self._tensor(tuple(joined), source)
        self._b.operator("CONCATENATION", [other, bent], [output], axis=axis)
        return output

    def _transpose(self, source: int) -> int:
        order = (0, 2, 1, 3) if self._rng.random() < 0.8 else (0, 3, 2, 1)
        shape = self._shape(source)
        output = self._tensor(tuple(shape[axis] for axis in order), source)
        self._b.operator("TRANSPOSE", [source, self._b.tensor((4,), "int32", data=order)], [output])
        return output

    def _resize(self, source: int) -> int:
        _, height, width, channels = self._shape(source)
        if height * width > 16:
            return self._pool(source)
        size = (2 * height, 2 * width)
        output = self._tensor((1, *size, channels), source)
        kind = str(self._rng.choice(["RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"]))
        operand = self._b.tensor((2,), "int32", data=size)
        self._b.operator(kind, [source, operand], [output], halfPixelCenters=True)
        return output

    def _mean(self, source: int) -> int:
        output = self._tensor((1, self._shape(source)[-1]))
        axes = self._b.tensor((2,), "int32", data=[1, 2])
        self._b.operator("MEAN", [source, axes], [output])
        return self._dense(output)
