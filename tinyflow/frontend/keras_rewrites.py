"""Keras layers and operations whose own graph the TFLite converter or the kernels cannot take.

Each is replaced, on the loaded model, by another graph of the same meaning.

Imports Keras, hence TensorFlow: called in worker processes only.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any


def rewrite_layers(model: Any) -> None:
    """Replace the `call` of layers, in place, and Keras's own `argmax` in this process."""
    import keras
    from keras.src.backend.tensorflow import numpy as backend

    calls: dict[type, Callable[..., Any]] = {
        keras.layers.Embedding: _embedding,
        keras.layers.RepeatVector: _repeat_vector,
        keras.layers.UpSampling1D: _up_sampling_1d,
    }
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if type(layer) in calls:
            layer.call = MethodType(calls[type(layer)], layer)
        elif type(layer) is keras.layers.UpSampling2D and layer.interpolation == "nearest":
            layer.call = MethodType(_up_sampling_2d, layer)
    backend.argmax = _argmax


def _embedding(layer: Any, inputs: Any) -> Any:
    """Rows of the table. Keras also counts negative indices from the end."""
    import tensorflow as tf

    return tf.gather(layer.embeddings.value, tf.cast(inputs, tf.int32))


def _repeat_vector(layer: Any, inputs: Any) -> Any:
    import tensorflow as tf

    return tf.broadcast_to(inputs[:, None], (inputs.shape[0], layer.n, inputs.shape[1]))


def _up_sampling_1d(layer: Any, inputs: Any) -> Any:
    return _nearest(inputs[:, :, None], layer.size, 1)[:, :, 0]


def _up_sampling_2d(layer: Any, inputs: Any) -> Any:
    import tensorflow as tf

    if layer.data_format == "channels_first":
        last = tf.transpose(inputs, (0, 2, 3, 1))
        return tf.transpose(_nearest(last, *layer.size), (0, 3, 1, 2))
    return _nearest(inputs, *layer.size)


def _nearest(image: Any, rows: int, columns: int) -> Any:
    import tensorflow as tf

    size = (image.shape[1] * rows, image.shape[2] * columns)
    return tf.image.resize(image, size, "nearest")


def _argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Without Keras's distinction of -0.0 from 0.0, which reads the bits of floats."""
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    found = tf.argmax(tf.reshape(x, [-1]) if axis is None else x, axis, output_type=tf.int32)
    if not keepdims:
        return found
    shape = [1] * x.shape.rank if axis is None else None
    return tf.reshape(found, shape) if shape else tf.expand_dims(found, axis)
