# SPDX-License-Identifier: Apache-2.0
"""Whether samples are on the scale that a Keras model was trained with, where its layers show it.

A BatchNormalization or Normalization layer keeps mean and variance of what it saw in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyflow.arrays import Array

#: Largest factor between the spread and that of training, either way.
_FACTOR = 8.0
#: A Rescaling by less than this maps bytes to 0..1, and its result spans more than the other.
_BYTES, _SPAN = 1 / 64, 1 / 32
_SAMPLES = 64


def foreign_scale(model: Any, samples: Sequence[Array]) -> str | None:
    """Describe what is odd about the samples' scale; None if nothing is.

    Args:
        model: a Keras model.
        samples: one array (samples, *shape) per input, in the model's order.
    """
    import keras

    taken = [array[:_SAMPLES] for array in samples]
    # In the order of calls.
    layers = list(model._flatten_layers(include_self=False, recursive=False))
    for layer in layers:
        if type(layer) is keras.layers.Rescaling and len(taken) == 1:
            found = _rescaled(layer, taken[0])
            if found is not None:
                return found
        kept = _kept_variance(keras, layer)
        if kept is not None:
            values = _input_of(keras, model, layer, taken)
            return None if values is None else _spread(layer, values, kept)
    return None


def _rescaled(layer: Any, values: Array) -> str | None:
    if np.ndim(layer.scale) or not 0 < layer.scale < _BYTES:
        return None
    greatest = float(np.abs(values).max())
    if greatest == 0 or greatest * layer.scale >= _SPAN:
        return None
    return (
        f"the layer {layer.name!r} multiplies by {layer.scale:.3g}, which expects values up to "
        f"about {1 / layer.scale:.0f}; the samples' largest is {greatest:.3g}"
    )


def _kept_variance(keras: Any, layer: Any) -> Array | None:
    """The variance per channel that the layer saw in training; None if it saw nothing."""
    if type(layer) is keras.layers.BatchNormalization:
        variance = np.asarray(layer.moving_variance)
    elif type(layer) is keras.layers.Normalization and layer.axis == (-1,) and layer.built:
        variance = np.asarray(layer.variance).ravel()
    else:
        return None
    return None if np.all(variance == 1.0) else variance


def _input_of(keras: Any, model: Any, layer: Any, samples: list[Array]) -> Array | None:
    """Return the layer's input for the samples, (values, channels)."""
    axis = getattr(layer, "axis", -1)
    if len(layer._inbound_nodes) == 0 or axis not in (-1, (-1,), len(layer.input.shape) - 1):
        return None
    try:
        part = keras.Model(model.inputs, layer.input)
    except (ValueError, AttributeError):
        return None
    values = np.asarray(part(samples, training=False), dtype=np.float64)
    return values.reshape(-1, values.shape[-1])


def _spread(layer: Any, values: Array, kept: Array) -> str | None:
    seen = values.var(axis=0)
    alive = (kept > 1e-9 * kept.max()) & (seen > 0)
    if not alive.any():
        return None
    factor = float(np.median(np.sqrt(seen[alive] / kept[alive])))
    if 1 / _FACTOR <= factor <= _FACTOR:
        return None
    shown = f"{factor:.3g} times" if factor > 1 else f"1/{1 / factor:.3g} of"
    return f"what reaches {layer.name!r} spreads {shown} what it did in training"
