# SPDX-License-Identifier: Apache-2.0
"""Train the digits example: a small CNN on the handwritten digits of scikit-learn.

    pip install 'tinyflow-mcu[keras,examples]'
    python train.py

Writes digits.keras and calibration.npz, training.npz, test.npz next to itself. Takes about a
minute on two cores, and gives the same files every time on the same machine.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
SEED = 7
EPOCHS = 40
BATCH = 32


def conv(x, filters, *, name):
    """A 3x3 convolution with normalisation and ReLU."""
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def separable(x, filters, *, name):
    """A depthwise and a pointwise convolution, each with normalisation."""
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.BatchNormalization(name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
    x = layers.BatchNormalization(name=f"{name}_pointwise_bn")(x)
    return layers.ReLU(name=f"{name}_pointwise_relu")(x)


def residual(x, filters, *, name):
    """Two convolutions around which the input is carried."""
    y = conv(x, filters, name=f"{name}_a")
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_b_conv")(y)
    y = layers.BatchNormalization(name=f"{name}_b_bn")(y)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def build():
    """The network: 8x8 grey levels in 0..1 to ten probabilities."""
    image = keras.Input((8, 8, 1), name="image")
    x = conv(image, 32, name="stem")
    x = residual(x, 32, name="residual")
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = separable(x, 64, name="separable")
    x = layers.AveragePooling2D(2, name="average")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(image, digit, name="digits")


def shifted(images, rng):
    """Each image moved by up to one pixel either way, edges filled with zero."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moved = np.empty_like(images)
    for index, (row, column) in enumerate(rng.integers(0, 3, (len(images), 2))):
        moved[index] = padded[index, row : row + 8, column : column + 8]
    return moved


def main():
    """Train, and write the model and its data next to this file."""
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    images, digits = load_digits(return_X_y=True)
    # Grey levels 0..16 to 0..1.
    images = (images.reshape(-1, 8, 8, 1) / 16.0).astype(np.float32)
    digits = digits.astype(np.uint8)
    x_train, x_test, y_train, y_test = train_test_split(
        images, digits, test_size=450, random_state=SEED, stratify=digits
    )

    rng = np.random.default_rng(SEED)
    augmented = np.concatenate([x_train] + [shifted(x_train, rng) for _ in range(2)])
    labels = np.concatenate([y_train] * 3)

    model = build()
    steps = EPOCHS * -(-len(augmented) // BATCH)
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(augmented, labels, epochs=EPOCHS, batch_size=BATCH, verbose=2)
    _, score = model.evaluate(x_test, y_test, verbose=0)
    print(f"{model.count_params():,} weights, held-out accuracy {score:.4f} of {len(x_test)}")

    model.save(HERE / "digits.keras", include_optimizer=False)
    np.savez_compressed(HERE / "calibration.npz", x=x_train[:200])
    np.savez_compressed(HERE / "training.npz", x=augmented, y=labels)
    np.savez_compressed(HERE / "test.npz", x=x_test, y=y_test)


if __name__ == "__main__":
    main()
