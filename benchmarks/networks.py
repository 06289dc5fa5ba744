# SPDX-License-Identifier: Apache-2.0
"""Networks of known families at the size they are used on microcontrollers, with random weights.

They are what the kernels were not tuned on. Weights are drawn; batch normalisation gets the
statistics of normally distributed inputs, as training would give it those of its data, so that
every layer's output fills its range and quantisation means something. Run as a script,
`python networks.py FOLDER` writes one `.keras` for each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Input shapes by name.
NETWORKS = {
    "mobilenet_v2": (96, 96, 3),
    "cnn_1d": (256, 6),
    "unet": (64, 64, 3),
    "squeezenet": (96, 96, 3),
    "efficientnet_lite": (96, 96, 3),
}
#: Samples for the statistics.
_SAMPLES = 32


def write_all(folder: Path) -> None:
    """Make every network and save it."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(7)
    for name, shape in NETWORKS.items():
        make: Callable[[Any, tuple[int, ...]], Any] = globals()[f"_{name}"]
        model = make(keras, shape)
        _draw_biases(model)
        _take_statistics(model, np.random.default_rng(1).normal(size=(_SAMPLES, *shape)))
        model.save(folder / f"{name}.keras")


def _draw_biases(model: Any) -> None:
    """Biases, and batch normalisation's scales and offsets, other than 0 and 1."""
    import numpy as np

    rng = np.random.default_rng(2)
    for layer in model.layers:
        for variable in layer.trainable_variables:
            if variable.name in ("bias", "beta"):
                variable.assign(rng.normal(0, 0.2, variable.shape))
            if variable.name == "gamma":
                variable.assign(rng.uniform(0.5, 1.5, variable.shape))


def _take_statistics(model: Any, samples: Any) -> None:
    """Set the statistics of batch normalisation to those of these samples."""
    layers = [each for each in model.layers if type(each).__name__ == "BatchNormalization"]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(samples.astype("float32"), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _mobilenet_v2(keras: Any, shape: tuple[int, ...]) -> Any:
    return keras.applications.MobileNetV2(shape, alpha=0.35, weights=None, classes=10)


def _cnn_1d(keras: Any, shape: tuple[int, ...]) -> Any:
    """Six axes of an inertial sensor: convolutions along time, pooling between them."""
    layers = keras.layers
    series = keras.Input(shape)
    x = series
    for filters, size in ((32, 7), (48, 5), (64, 3), (96, 3)):
        x = layers.Conv1D(filters, size, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling1D(2)(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(48, activation="relu")(x)
    return keras.Model(series, layers.Dense(6, activation="softmax")(x))


def _unet(keras: Any, shape: tuple[int, ...]) -> Any:
    """Ronneberger, Fischer and Brox, U-Net (2015): two levels down, two up."""
    layers = keras.layers
    image = keras.Input(shape)
    kept, x = [], image
    for filters in (8, 16):
        x = _double_convolution(layers, x, filters)
        kept.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = _double_convolution(layers, x, 32)
    for filters in (16, 8):
        x = layers.Conv2DTranspose(filters, 2, strides=2, padding="same")(x)
        x = _double_convolution(layers, layers.Concatenate()([kept.pop(), x]), filters)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))


def _double_convolution(layers: Any, x: Any, filters: int) -> Any:
    for _ in range(2):
        x = layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer="he_normal"
        )(x)
    return x


def _squeezenet(keras: Any, shape: tuple[int, ...]) -> Any:
    """Iandola et al., SqueezeNet (2016), version 1.1."""
    layers = keras.layers

    def convolution(x: Any, filters: int, size: int, **options: Any) -> Any:
        return layers.Conv2D(
            filters, size, activation="relu", kernel_initializer="he_normal", **options
        )(x)

    def fire(x: Any, squeeze: int, expand: int) -> Any:
        x = convolution(x, squeeze, 1)
        wide = convolution(x, expand, 3, padding="same")
        return layers.Concatenate()([convolution(x, expand, 1), wide])

    image = keras.Input(shape)
    x = layers.MaxPooling2D(3, 2)(convolution(image, 64, 3, strides=2))
    x = layers.MaxPooling2D(3, 2)(fire(fire(x, 16, 64), 16, 64))
    x = layers.MaxPooling2D(3, 2)(fire(fire(x, 32, 128), 32, 128))
    for squeeze, expand in ((48, 192), (48, 192), (64, 256), (64, 256)):
        x = fire(x, squeeze, expand)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(10, 1)(x))
    return keras.Model(image, layers.Softmax()(x))


#: EfficientNet-B0's stages: expansion, channels, repeats, stride, kernel size.
_EFFICIENTNET = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3),
)  # fmt: skip
_WIDTH = 0.25


def _efficientnet_lite(keras: Any, shape: tuple[int, ...]) -> Any:
    """EfficientNet-Lite0 (Tan and Le 2019; no squeeze-and-excitation, ReLU6), a quarter as wide."""
    layers = keras.layers

    def normalised(x: Any, *, active: bool = True) -> Any:
        x = layers.BatchNormalization()(x)
        return layers.ReLU(6.0)(x) if active else x

    def convolution(x: Any, filters: int, size: int = 1, stride: int = 1) -> Any:
        return layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False)(x)

    def channels(count: int) -> int:
        return max(8, int(count * _WIDTH + 4) // 8 * 8)

    image = keras.Input(shape)
    x = normalised(convolution(image, channels(32), 3, 2))
    for expansion, count, repeats, first_stride, size in _EFFICIENTNET:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            y = normalised(convolution(x, x.shape[-1] * expansion)) if expansion > 1 else x
            y = layers.DepthwiseConv2D(size, strides=stride, padding="same", use_bias=False)(y)
            y = normalised(convolution(normalised(y), channels(count)), active=False)
            x = layers.Add()([x, y]) if stride == 1 and x.shape == y.shape else y
    x = layers.GlobalAveragePooling2D()(normalised(convolution(x, channels(1280))))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
