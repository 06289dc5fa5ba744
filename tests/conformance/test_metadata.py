# SPDX-License-Identifier: Apache-2.0
"""Metadata that TFLM ignores is accepted: each case is exact.

The cases hold what old converters and other tools write; TFLM's kernels run all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.conformance.driver import check_library
from tests.support.open_batch import shape_chain
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board

#: Changes a layer's raw tensors: input, weights, bias, output.
Change = Callable[[Any, Any, Any, Any], None]


def _layer(kind: str, change: Change) -> Callable[..., tuple[list[int], list[int]]]:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        depthwise, dense = kind == "DEPTHWISE_CONV_2D", kind == "FULLY_CONNECTED"
        x = b.tensor((1, 4) if dense else (1, 5, 5, 4), scale=0.05, zero_point=-1)
        shape = (4, 4) if dense else (1, 3, 3, 4) if depthwise else (4, 3, 3, 4)
        scales = rng.uniform(0.005, 0.02, 4).tolist()
        data = rng.integers(-120, 121, shape)
        w = b.tensor(shape, scale=scales, data=data, axis=3 if depthwise else 0)
        bias = b.tensor((4,), "int32", [0.0005] * 4, data=rng.integers(-500, 501, 4))
        y = b.tensor((1, 4) if dense else (1, 3, 3, 4), scale=0.2, zero_point=3)
        change(*(b.subgraph.tensors[index] for index in (x, w, bias, y)))
        steps = ("strideH", "strideW", "dilationHFactor", "dilationWFactor")
        options: dict[str, Any] = {} if dense else {"padding": 1, **dict.fromkeys(steps, 1)}
        if depthwise:
            options["depthMultiplier"] = 1
        b.operator(kind, [x, w, bias], [y], **options)
        return [x], [y]

    return case


def _set(position: int, **fields: Any) -> Change:
    def change(*tensors: Any) -> None:
        for name, value in fields.items():
            setattr(tensors[position].quantization, name, value)

    return change


def _without(position: int) -> Change:
    def change(*tensors: Any) -> None:
        tensors[position].quantization = None

    return change


_PER_TENSOR = {"scale": [0.01], "zeroPoint": [5]}
_CHANGES: dict[str, Change] = {
    "bias_along_no_axis": _set(2, quantizedDimension=3),
    "bias_not_quantised": _without(2),
    "bias_with_too_few_scales": _set(2, scale=[0.0005] * 2, zeroPoint=[0] * 2),
    "bias_with_a_zero_point": _set(2, zeroPoint=[9] * 4),
    "bias_scaled_by_nan": _set(2, scale=[float("nan")] * 4),
    "bias_without_zero_points": _set(2, zeroPoint=None),
    "more_zero_points_than_scales": _set(0, zeroPoint=[-1, 5, 6]),
    "activation_per_channel": _set(0, scale=[0.05] * 4, zeroPoint=[-1] * 4, quantizedDimension=1),
    "activation_along_no_axis": _set(3, quantizedDimension=9),
    "output_with_min_and_max": _set(3, min=[-1.0], max=[6.0]),
    "weights_with_one_zero_point": _set(1, zeroPoint=[0]),
    "weights_with_zero_points": _set(1, zeroPoint=[3] * 4),
    "weights_per_tensor_along_no_axis": _set(1, scale=[0.01], zeroPoint=[0], quantizedDimension=9),
}
_KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
CASES = {
    f"{kind.lower()}_{name}": _layer(kind, change)
    for kind in _KINDS
    for name, change in _CHANGES.items()
} | {
    # Of as many filters as channels: TFLM takes the scales as those of the filters.
    "conv_2d_weights_along_channels": _layer("CONV_2D", _set(1, quantizedDimension=3)),
    "fully_connected_weights_along_depth": _layer("FULLY_CONNECTED", _set(1, quantizedDimension=1)),
    "conv_2d_zero_point": _layer("CONV_2D", _set(1, **_PER_TENSOR)),
    "fully_connected_zero_point": _layer("FULLY_CONNECTED", _set(1, **_PER_TENSOR)),
}


def _flattened(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    x, y = b.tensor((1, 3, 2, 2), scale=0.1), b.tensor((1, 12), scale=0.1)
    b.operator("RESHAPE", [x, shape_chain(b, x, 12)], [y])
    z = b.tensor((1, 12), scale=0.2)
    b.operator("ADD", [y, y], [z])
    return [x], [z]


def _first_step(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """The first step of an unrolled recurrent layer: a product of zeros, which is its bias."""
    x, dims = b.tensor((1, 4), scale=0.1), b.tensor((2,), "int32", data=[1, 4])
    zero, zeros = b.tensor((), "int8", 0.0, data=0), b.tensor((1, 4), scale=0.0)
    b.operator("FILL", [dims, zero], [zeros])
    w = b.tensor((4, 4), scale=0.01, data=rng.integers(-127, 128, (4, 4)))
    product, y = b.tensor((1, 4), scale=0.05), b.tensor((1, 4), scale=0.2)
    bias = b.tensor((4,), "int32", data=[0, 0, 0, 0])
    b.operator("FULLY_CONNECTED", [zeros, w, bias], [product])
    b.operator("ADD", [x, product], [y])
    return [x], [y]


def _sliced(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """One step as TimeDistributed takes it, of more dimensions than TFLM's kernel takes."""
    x, y = b.tensor((3, 1, 4, 4, 2), scale=0.1), b.tensor((1, 4, 4, 2), scale=0.1)
    bounds = [(1, 0, 0, 0, 0), (2, 1, 4, 4, 2), (1,) * 5]
    operands = [b.tensor((5,), "int32", data=values) for values in bounds]
    b.operator("STRIDED_SLICE", [x, *operands], [y], shrinkAxisMask=1)
    return [x], [y]


CASES |= {"flattened": _flattened, "first_step": _first_step, "sliced": _sliced}


@pytest.mark.parametrize("board", ["stm32l4r5", "nrf52840"])
def test_what_tflm_ignores_is_accepted_and_exact(board: str) -> None:
    check_library(CASES, load_board(board), "auto")
