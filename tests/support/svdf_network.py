# SPDX-License-Identifier: Apache-2.0
"""A keyword spotter that takes one frame of features at a time, of SVDF layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.support.tflite_builder import TfliteBuilder

_RELU = 1
FEATURES, LABELS = 40, 12
#: Units and memory of each layer, and of the fully connected one after it, if any.
_LAYERS = (
    (256, 4, 64),
    (128, 10, 64),
    (128, 10, 64),
    (128, 10, 64),
    (128, 10, None),
    (128, 10, None),
)
#: Deviation of weights that are even between -1 and 1.
_WEIGHTS = 3**-0.5
#: Standard deviations that fill a tensor's range.
_RANGE = 3


@dataclass(frozen=True)
class _Activation:
    """A tensor (1, width), and the root mean square of its real values."""

    index: int
    width: int
    scale: float
    size: float


def svdf_network() -> bytes:
    """int8 input (1, 1, 40), int8 output (1, 12); random weights in six SVDF layers.

    The second layer's state is int8, that of the others int16. The scales let the outputs of all
    layers vary where the input is drawn evenly from its whole range.
    """
    rng = np.random.default_rng(11)
    b = TfliteBuilder()
    quantised: dict[str, Any] = {"scale": 0.05, "zero_point": -3}
    frame = b.tensor((1, 1, FEATURES), **quantised, name="features")
    flat = b.tensor((1, FEATURES), **quantised)
    b.operator("RESHAPE", [frame, b.tensor((2,), "int32", data=(1, FEATURES))], [flat])
    x = _Activation(flat, FEATURES, 0.05, 0.05 * 256 / 12**0.5)
    for index, (units, memory, bottleneck) in enumerate(_LAYERS):
        state = "int8" if index == 1 else "int16"
        x = _svdf(b, rng, f"svdf_{index}", x, units, memory, state)
        if bottleneck is not None:
            x = _fully_connected(b, rng, f"bottleneck_{index}", x, bottleneck)
    scores = _fully_connected(b, rng, "scores", x, LABELS)
    y = b.tensor((1, LABELS), scale=1 / 256, zero_point=-128, name="keywords")
    b.operator("SOFTMAX", [scores.index], [y], beta=float(1 / scores.size))
    return b.build([frame], [y])


def _svdf(
    b: TfliteBuilder,
    rng: np.random.Generator,
    name: str,
    x: _Activation,
    units: int,
    memory: int,
    state: str,
) -> _Activation:
    full = np.iinfo(state).max
    kept_size = x.size * _WEIGHTS * x.width**0.5
    size = kept_size * _WEIGHTS * memory**0.5
    kept_scale = _float32(_RANGE * kept_size / full)
    time_scale = _float32(1 / full)
    feature = _weights(b, rng, (units, x.width))
    values = rng.integers(-full, full + 1, (units, memory))
    time = b.tensor((units, memory), state, time_scale, data=values)
    bias = _bias(b, rng, units, _float32(np.float32(kept_scale) * np.float32(time_scale)), size)
    kept = b.tensor((1, units * memory), state, kept_scale, variable=True, name=f"{name}/state")
    scale = _float32(_RANGE * size / 255)
    y = b.tensor((1, units), scale=scale, zero_point=-128, name=name)
    operands = [x.index, feature, time, bias, kept]
    b.operator("SVDF", operands, [y], rank=1, fusedActivationFunction=_RELU)
    return _Activation(y, units, scale, size / 2**0.5)  # one half is 0


def _fully_connected(
    b: TfliteBuilder, rng: np.random.Generator, name: str, x: _Activation, units: int
) -> _Activation:
    size = x.size * _WEIGHTS * x.width**0.5
    weights = _weights(b, rng, (units, x.width))
    bias = _bias(b, rng, units, _float32(np.float32(x.scale) * np.float32(1 / 127)), size)
    scale = _float32(_RANGE * size / 127)
    y = b.tensor((1, units), scale=scale, zero_point=5, name=name)
    b.operator("FULLY_CONNECTED", [x.index, weights, bias], [y])
    return _Activation(y, units, scale, size)


def _weights(b: TfliteBuilder, rng: np.random.Generator, shape: tuple[int, int]) -> int:
    return b.tensor(shape, scale=1 / 127, data=rng.integers(-127, 128, shape))


def _bias(b: TfliteBuilder, rng: np.random.Generator, units: int, scale: float, size: float) -> int:
    """A tenth of what it is added to."""
    values = rng.normal(scale=size / 10 / scale, size=units)
    return b.tensor((units,), "int32", scale, data=values.astype(np.int32))


def _float32(value: float | np.floating[Any]) -> float:
    return float(np.float32(value))
