# SPDX-License-Identifier: Apache-2.0
"""Small int8 convolutional networks drawn at random: what a choice of kernels can go wrong on."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.ir.operators import Window
from tinyflow.ir.types import Padding

_SAME, _VALID = 0, 1
#: NONE, RELU and RELU6.
_ACTIVATIONS = (0, 1, 3)
_Shape = tuple[int, int, int]


def drawn_cnn(seed: int) -> bytes:
    """An image of up to 32x32, two to seven blocks of convolutions, a head; the `.tflite`."""
    b = TfliteBuilder()
    source, output = _DrawnCnn(b, np.random.default_rng(seed)).draw()
    return b.build([source], [output])


class _DrawnCnn:
    def __init__(self, b: TfliteBuilder, rng: np.random.Generator) -> None:
        self._b, self._rng = b, rng

    def draw(self) -> tuple[int, int]:
        """Add the operators; the tensors of the input and of the output."""
        rng = self._rng
        shape = (
            int(rng.integers(8, 33)),
            int(rng.choice([1, 8, 12, 16, 24, 32])),
            int(rng.choice([1, 1, 2, 3, 3, 4, 6, 8])),
        )
        source = self._tensor(shape)
        value, size = self._conv(source, shape)
        for _ in range(int(rng.integers(2, 8))):
            block = rng.choice(["conv", "separable", "residual", "pool", "grouped", "pointwise"])
            value, size = getattr(self, f"_{block}")(value, size)
        return source, self._head(value, size)

    # ---- blocks: a tensor and its shape give a tensor and its shape ----

    def _conv(self, value: int, shape: _Shape) -> tuple[int, _Shape]:
        rng = self._rng
        kernel = (
            min(shape[0], int(rng.choice([3, 3, 5, 2]))),
            min(shape[1], int(rng.choice([3, 1]))),
        )
        return self._window(value, shape, kernel, int(rng.choice([4, 6, 8, 12, 16, 20, 24])))

    def _pointwise(self, value: int, shape: _Shape) -> tuple[int, _Shape]:
        count = int(self._rng.choice([4, 8, 10, 16, 24, 32]))
        return self._window(value, shape, (1, 1), count, stride=1)

    def _grouped(self, value: int, shape: _Shape) -> tuple[int, _Shape]:
        groups = 2 if shape[2] % 2 == 0 else 1
        kernel = min(shape[0], 3), min(shape[1], 3)
        return self._window(value, shape, kernel, 4 * groups, groups=groups, stride=1)

    def _separable(self, value: int, shape: _Shape) -> tuple[int, _Shape]:
        value, shape = self._depthwise(value, shape)
        return self._pointwise(value, shape)

    def _residual(self, value: int, shape: _Shape) -> tuple[int, _Shape]:
        kernel = min(shape[0], 3), min(shape[1], 3)
        inner, inner_shape = self._window(value, shape, kernel, shape[2], stride=1)
        other, _ = self._window(inner, inner_shape, (1, 1), shape[2], stride=1)
        output = self._tensor(shape)
        self._b.operator("ADD", [value, other], [output], fusedActivationFunction=1)
        return output, shape

    def _pool(self, value: int, shape: _Shape) -> tuple[int, _Shape]:
        kernel = min(shape[0], 2), min(shape[1], 2)
        size = Window(kernel, Padding.VALID).output_size(shape[:2], kernel)
        due = (*size, shape[2])
        output = self._b.tensor((1, *due), scale=0.05, zero_point=-4)
        self._b.operator(
            str(self._rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"])),
            [value],
            [output],
            padding=_VALID,
            strideH=kernel[0],
            strideW=kernel[1],
            filterHeight=kernel[0],
            filterWidth=kernel[1],
        )
        return output, due

    # ---- operators ----

    def _tensor(self, shape: _Shape) -> int:
        return self._b.tensor((1, *shape), scale=0.05, zero_point=-4)

    def _weights(self, shape: tuple[int, ...], axis: int) -> tuple[int, int]:
        count, rng = shape[axis], self._rng
        values = np.clip(rng.normal(0, 30, shape), -127, 127).astype(np.int8)
        scales = rng.uniform(0.002, 0.02, count).tolist()
        return (
            self._b.tensor(shape, "int8", scales, data=values, axis=axis),
            self._b.tensor(
                (count,),
                "int32",
                [0.05 * scale for scale in scales],
                data=rng.integers(-3000, 3000, count),
            ),
        )

    def _options(self, shape: _Shape, stride: int | None) -> dict[str, Any]:
        if stride is None:
            stride = int(self._rng.choice([1, 1, 2])) if min(shape[:2]) > 4 else 1
        padding = _SAME if self._rng.random() < 0.8 else _VALID
        return {
            "padding": padding,
            "strideH": stride,
            "strideW": stride,
            "dilationHFactor": 1,
            "dilationWFactor": 1,
            "fusedActivationFunction": int(self._rng.choice(_ACTIVATIONS)),
        }

    @staticmethod
    def _size(options: dict[str, Any], shape: _Shape, kernel: tuple[int, int]) -> tuple[int, int]:
        rule = (Padding.SAME, Padding.VALID)[options["padding"]]
        return Window((options["strideH"],) * 2, rule).output_size(shape[:2], kernel)

    def _window(
        self,
        value: int,
        shape: _Shape,
        kernel: tuple[int, int],
        count: int,
        *,
        groups: int = 1,
        stride: int | None = None,
    ) -> tuple[int, _Shape]:
        options = self._options(shape, stride)
        if stride == 1:
            options["padding"] = _SAME
        due = (*self._size(options, shape, kernel), count)
        output = self._tensor(due)
        weights = self._weights((count, *kernel, shape[2] // groups), 0)
        self._b.operator("CONV_2D", [value, *weights], [output], **options)
        return output, due

    def _depthwise(self, value: int, shape: _Shape) -> tuple[int, _Shape]:
        kernel = min(shape[0], 3), min(shape[1], 3)
        options = self._options(shape, None)
        due = (*self._size(options, shape, kernel), shape[2])
        output = self._tensor(due)
        weights = self._weights((1, *kernel, shape[2]), 3)
        self._b.operator(
            "DEPTHWISE_CONV_2D", [value, *weights], [output], depthMultiplier=1, **options
        )
        return output, due

    def _head(self, value: int, shape: _Shape) -> int:
        mean = self._b.tensor((1, shape[2]), scale=0.05, zero_point=-4)
        axes = self._b.tensor((2,), "int32", data=[1, 2])
        self._b.operator("MEAN", [value, axes], [mean])
        count = int(self._rng.integers(2, 11))
        output = self._b.tensor((1, count), scale=0.1, zero_point=0)
        self._b.operator("FULLY_CONNECTED", [mean, *self._weights((count, shape[2]), 0)], [output])
        return output
