# SPDX-License-Identifier: Apache-2.0
"""Models that Keras quantised itself (`model.quantize("int8")`), as the float models they mean.

Keras keeps small integers with scales and multiplies by them as it computes. TFLite has a
its own quantisation, so the weights are read out as real numbers: a layer is a linear
function of its input up to bias and activation, and inputs with a single 1 are quantised without
loss. What the layer answers to them is its kernel, whatever the width and the scheme.

Imports Keras, hence TensorFlow: called in worker processes only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.arrays import Array
from tinyflow.convert.keras2 import without_quantisation
from tinyflow.errors import InputError


def dequantized(path: Path, model: Any, config: dict[str, Any]) -> Any:
    """The model with weights of float32; itself, where Keras did not quantise it.

    Args:
        path: the model's file, for messages.
        model: as Keras loaded it.
        config: the configuration it was made from.

    Raises:
        InputError: a layer is quantised whose weights cannot be read out.
    """
    if not any(_mode(layer) for layer in _layers(model)):
        return model
    found = type(model).from_config(without_quantisation(config)["config"])
    if not found.built:
        found.build(model.input_shape)
    for old, new in zip(_layers(model), _layers(found), strict=True):
        if type(old) is not type(new):
            raise InputError(f"{path}: the layers are not those of its configuration")
        own = _own_variables(new)
        if _mode(old):
            values = _weights(path, old)
        else:
            values = [np.asarray(variable) for variable in _own_variables(old)]
        for variable, value in zip(own, values, strict=True):
            variable.assign(value)
    return found


def _layers(model: Any) -> list[Any]:
    return list(model._flatten_layers(include_self=False, recursive=True))


def _own_variables(layer: Any) -> list[Any]:
    """A layer's weights without those of the layers in it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _mode(layer: Any) -> str | None:
    mode = getattr(layer, "quantization_mode", None)
    # Only these hold quantised weights; others have the policy and no weights that it concerns.
    return mode if type(layer).__name__ in ("Dense", "EinsumDense", "Embedding") else None


def _weights(path: Path, layer: Any) -> list[Array]:
    """The float32 weights of a quantised layer, in the order that the float layer has them."""
    import keras

    kind = type(layer).__name__
    if kind == "Embedding":
        return [np.asarray(layer(np.arange(layer.input_dim)), np.float32)]
    bias = layer.bias
    kept = None if bias is None else np.asarray(bias, np.float32)
    if bias is not None:
        bias.assign(np.zeros(bias.shape))
    layer.activation = keras.activations.linear
    try:
        if kind == "Dense":
            inputs = layer.input_spec.axes[-1]
            kernel = np.asarray(layer(np.eye(inputs, dtype=np.float32)), np.float32)
        else:
            kernel = _einsum_kernel(layer)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: the layer {layer.name!r} is quantised by Keras in a way that cannot be "
            f"undone: {error}",
            hint="Save the model before model.quantize(): tinyflow quantises it itself.",
        ) from error
    return [kernel] if kept is None else [kernel, kept]


def _einsum_kernel(layer: Any) -> Array:
    """The kernel of an EinsumDense from its answers to single ones."""
    left, output = layer.equation.replace("...", "").split("->")
    given, weights = left.split(",")
    sizes = dict(zip(weights, layer.kernel.shape, strict=True))
    summed = [letter for letter in given if letter in weights and letter not in output]
    if any(letter in given for letter in weights if letter in output):
        raise ValueError(f"the equation {layer.equation} has an axis that is not summed")
    count = int(np.prod([sizes[letter] for letter in summed]))
    shape = [sizes.get(letter, 1) for letter in given]
    # One question at a time along the first axis, which is the batch.
    ones = np.eye(count, dtype=np.float32).reshape(count, *[sizes[letter] for letter in summed])
    order = [given.index(letter) for letter in summed]
    spread = np.zeros((count, *shape[1:]), np.float32)
    if order != sorted(order) or order[0] == 0:
        raise ValueError(f"the equation {layer.equation}")
    spread[...] = ones.reshape(spread.shape)
    answers = np.asarray(layer(spread), np.float32)
    free = [letter for letter in output if letter in weights]
    found = answers.reshape([*[sizes[letter] for letter in summed], *[sizes[x] for x in free]])
    return found.transpose([[*summed, *free].index(letter) for letter in weights])
