# SPDX-License-Identifier: Apache-2.0
"""Small networks of known families, made with Keras from random weights.

Run as a script: `python networks.py FOLDER` writes for each `NAME.npy` with
samples of its input and the converted `NAME.int8.tflite`, for some `NAME.int16.tflite` too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

NAMES = (
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_minimalistic",
    "resnet_bottleneck",
    "squeezenet",
    "densenet",
    "efficientnet_lite",
    "unet",
    "tcn",
    "motion_cnn",
    "ds_cnn",
    "autoencoder",
    "small_cnn",
    "gru_classifier",
    "bidirectional_gru",
    "vision_transformer",
    "lstm_classifier",
    "bidirectional_lstm",
)
#: Networks that are converted to int16 activations, too.
INT16 = ("small_cnn", "mobilenet_v2", "unet", "tcn")


def write_all(folder: Path) -> None:
    """Make every network and convert it."""
    import keras

    keras.utils.set_random_seed(1)
    for name in NAMES:
        make: Callable[[Any], Any] = globals()[f"_{name}"]
        model = make(keras)
        _spread_normalisation(model)
        path = folder / f"{name}.keras"
        model.save(path)
        _convert_file(path, ("int8", "int16") if name in INT16 else ("int8",))


def _convert_file(path: Path, activations: tuple[Literal["int8", "int16"], ...]) -> None:
    import numpy as np

    from tinyflow.convert._worker import _convert, _load

    model = _load(path)
    (spec,) = model.inputs
    samples = np.random.default_rng(3).normal(size=(24, *spec.shape)).astype(np.float32)
    np.save(path.with_suffix(".npy"), samples)
    for each in activations:
        converted = _convert(model, [samples], each)
        path.with_suffix(f".{each}.tflite").write_bytes(converted.quantised)


def _spread_normalisation(model: Any) -> None:
    """Give batch normalisation statistics other than 0 and 1, as training would."""
    import numpy as np

    rng = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            size = layer.get_weights()[0].shape
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, size),
                    rng.normal(0, 0.2, size),
                    rng.normal(0, 0.2, size),
                    rng.uniform(0.5, 1.5, size),
                ]
            )


def _mobilenet_v1(keras: Any) -> Any:
    return keras.applications.MobileNet((32, 32, 3), alpha=0.25, weights=None, classes=5)


def _mobilenet_v2(keras: Any) -> Any:
    return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=5)


def _mobilenet_v3_small(keras: Any) -> Any:
    return keras.applications.MobileNetV3Small(
        (32, 32, 3), alpha=0.75, weights=None, classes=5, include_preprocessing=False
    )


def _mobilenet_v3_minimalistic(keras: Any) -> Any:
    return keras.applications.MobileNetV3Small(
        (32, 32, 3),
        alpha=0.75,
        weights=None,
        classes=5,
        minimalistic=True,
        include_preprocessing=False,
    )


def _conv(keras: Any, x: Any, filters: int, size: int = 3, stride: int = 1) -> Any:
    layers = keras.layers
    x = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False)(x)
    return layers.BatchNormalization()(x)


def _resnet_bottleneck(keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.ReLU()(_conv(keras, image, 16))
    for stride in (1, 2):
        shortcut = _conv(keras, x, 32, 1, stride)
        y = layers.ReLU()(_conv(keras, x, 8, 1))
        y = layers.ReLU()(_conv(keras, y, 8, 3, stride))
        x = layers.ReLU()(layers.Add()([_conv(keras, y, 32, 1), shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


def _squeezenet(keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((24, 24, 3))
    x = layers.Conv2D(16, 3, strides=2, activation="relu")(image)
    x = layers.MaxPooling2D(3, 2)(x)
    for squeeze, expand in ((4, 16), (6, 24)):
        x = layers.Conv2D(squeeze, 1, activation="relu")(x)
        x = layers.Concatenate()(
            [
                layers.Conv2D(expand, 1, activation="relu")(x),
                layers.Conv2D(expand, 3, padding="same", activation="relu")(x),
            ]
        )
    x = layers.Conv2D(5, 1, activation="relu")(x)
    return keras.Model(image, layers.Softmax()(layers.GlobalAveragePooling2D()(x)))


def _densenet(keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = _conv(keras, image, 8)
    for _ in range(3):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, layers.Conv2D(6, 3, padding="same")(y)])
    x = layers.AveragePooling2D(2)(layers.ReLU()(x))
    return keras.Model(image, layers.Dense(4)(layers.Flatten()(x)))


def _efficientnet_lite(keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((24, 24, 3))
    x = layers.ReLU(6)(_conv(keras, image, 8, 3, 2))
    for filters, size, stride in ((8, 3, 1), (12, 5, 2), (12, 5, 1)):
        y = layers.ReLU(6)(_conv(keras, x, 24, 1))
        y = layers.DepthwiseConv2D(size, strides=stride, padding="same", use_bias=False)(y)
        y = layers.ReLU(6)(layers.BatchNormalization()(y))
        y = _conv(keras, y, filters, 1)
        x = layers.Add()([x, y]) if y.shape == x.shape else y
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(6, activation="softmax")(x))


def _unet(keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((16, 16, 2))
    first = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D(2)(first)
    x = layers.Conv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Concatenate()([first, x])
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))


def _tcn(keras: Any) -> Any:
    layers = keras.layers
    series = keras.Input((32, 4))
    x = layers.Conv1D(8, 1)(series)
    for dilation in (1, 2, 4):
        y = layers.Conv1D(8, 3, dilation_rate=dilation, padding="causal", activation="relu")(x)
        x = layers.Add()([x, layers.Conv1D(8, 1)(y)])
    return keras.Model(series, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def _motion_cnn(keras: Any) -> Any:
    layers = keras.layers
    six_axes = keras.Input((64, 6))
    x = layers.Conv1D(8, 5, strides=2, activation="relu")(six_axes)
    x = layers.MaxPooling1D(2)(x)
    x = layers.SeparableConv1D(12, 3, padding="same", activation="relu")(x)
    x = layers.GlobalMaxPooling1D()(x)
    return keras.Model(six_axes, layers.Dense(5, activation="softmax")(x))


def _ds_cnn(keras: Any) -> Any:
    layers = keras.layers
    spectrogram = keras.Input((49, 10, 1))
    x = layers.Conv2D(16, (10, 4), strides=2, padding="same", use_bias=False)(spectrogram)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for _ in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.ReLU()(_conv(keras, x, 16, 1))
    x = layers.AveragePooling2D((25, 5))(x)
    return keras.Model(spectrogram, layers.Dense(12, activation="softmax")(layers.Flatten()(x)))


def _autoencoder(keras: Any) -> Any:
    layers = keras.layers
    signal = keras.Input((64,))
    x = layers.Dense(24, activation="relu")(signal)
    x = layers.Dense(6, activation="tanh")(x)
    x = layers.Dense(24, activation="relu")(x)
    return keras.Model(signal, layers.Dense(64)(x))


def _small_cnn(keras: Any) -> Any:
    """Every operator that the converter gives int16 activations, but for those that move."""
    layers = keras.layers
    image = layers.Input((16, 12, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", bias_initializer="normal")(image)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", bias_initializer="normal")(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Add()([x, layers.Conv2D(8, 1, bias_initializer="normal")(x)])
    x = layers.MaxPooling2D(2)(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply()([x, layers.Conv2D(8, 1, activation="sigmoid")(gate)])
    x = layers.Subtract()([x, layers.Conv2D(8, 1, activation="tanh")(x)])
    x = layers.ZeroPadding2D(1)(x)
    x = layers.LeakyReLU(0.1)(layers.Concatenate()([x, layers.ReLU()(x)]))
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    x = layers.Dense(12, activation="relu", bias_initializer="normal")(x)
    return keras.Model(image, layers.Dense(5, activation="softmax")(x))


def _gru_classifier(keras: Any) -> Any:
    layers = keras.layers
    series = keras.Input((16, 6))
    x = layers.GRU(12)(layers.GRU(8, return_sequences=True)(series))
    return keras.Model(series, layers.Dense(4, activation="softmax")(x))


def _bidirectional_gru(keras: Any) -> Any:
    layers = keras.layers
    series = keras.Input((16, 6))
    x = layers.Conv1D(8, 3, activation="relu")(series)
    x = layers.Bidirectional(layers.GRU(6, return_sequences=True))(x)
    return keras.Model(series, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))


def _lstm_classifier(keras: Any) -> Any:
    layers = keras.layers
    series = keras.Input((16, 6))
    x = layers.LSTM(12)(layers.LSTM(8, return_sequences=True)(series))
    return keras.Model(series, layers.Dense(4, activation="softmax")(x))


def _bidirectional_lstm(keras: Any) -> Any:
    layers = keras.layers
    series = keras.Input((16, 6))
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(series)
    x = layers.Bidirectional(layers.LSTM(6))(x)
    return keras.Model(series, layers.Dense(4)(x))


def _vision_transformer(keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    patches = layers.Conv2D(12, 4, strides=4)(image)
    x = layers.Reshape((16, 12))(patches)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 6)(y, y)])
        y = layers.LayerNormalization()(x)
        y = layers.Dense(12)(layers.Dense(24, activation="gelu")(y))
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(image, layers.Dense(5, activation="softmax")(x))


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
