# SPDX-License-Identifier: Apache-2.0
"""Keras layers and operations whose own graph the TFLite converter or the kernels cannot take.

Each is replaced, on the loaded model, by another graph of the same meaning.

Imports Keras, hence TensorFlow: called in worker processes only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any


def rewrite_layers(model: Any) -> None:
    """Replace the `call` of layers, in place, and some of Keras's functions in this process."""
    import keras
    from keras.src.backend.tensorflow import math, nn, numpy

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
    numpy.argmax, numpy.argmin = partial(_extreme, "argmax"), partial(_extreme, "argmin")
    math.logsumexp, nn.one_hot = _logsumexp, _one_hot


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


def _extreme(kind: str, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """argmax or argmin without Keras's telling -0.0 from 0.0, which reads the bits of floats."""
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    function = getattr(tf, kind)
    found = function(tf.reshape(x, [-1]) if axis is None else x, axis, output_type=tf.int32)
    if not keepdims:
        return found
    shape = [1] * x.shape.rank if axis is None else None
    return tf.reshape(found, shape) if shape else tf.expand_dims(found, axis)


def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Without TensorFlow's tests for infinities."""
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    greatest = tf.reduce_max(x, axis, keepdims=True)
    total = tf.reduce_sum(tf.exp(x - greatest), axis, keepdims=True)
    found = tf.math.log(total) + greatest
    return found if keepdims else tf.squeeze(found, axis)


def _one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: str | None = None, sparse: bool = False
) -> Any:
    """Compute one-hot by comparison with the classes; no ONE_HOT of TFLite, no sparse tensors."""
    import keras
    import tensorflow as tf

    x = tf.expand_dims(tf.cast(x, tf.int32), axis)
    shape = [1] * x.shape.rank
    shape[axis] = num_classes
    classes = tf.reshape(tf.range(num_classes, dtype=tf.int32), shape)
    # The converter knows a comparison of the two by themselves as ONE_HOT.
    return tf.cast(tf.equal(x - classes, 0), dtype or keras.config.floatx())
