# SPDX-License-Identifier: Apache-2.0
"""Rules for each Keras layer: how it carries channels, and how it shrinks with them.

A rule has two halves: `carry` says which channels the layer's output has, given its inputs',
and `shrink` gives the layer's new settings and weights once it is known which channels stay.
A layer with no rule, or used in a way its rule does not foresee, is opaque: its inputs and
outputs keep all their channels. Data is channels-last throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflow.compress.channel_sets import ChannelSets, Ids, Mask

Weights = list[npt.NDArray[Any]]


class OpaqueError(Exception):
    """The layer is used in a way its rule does not cover; the argument says which."""


@dataclass(frozen=True)
class LayerCall:
    """One use of a layer.

    Attributes:
        layer: the Keras layer or operation.
        arguments: everything it was called with, tensors and others.
        inputs, outputs: its tensors.
        ids: the channels of each input.
    """

    layer: Any
    arguments: list[Any]
    inputs: list[Any]
    outputs: list[Any]
    ids: list[Ids]


@dataclass(frozen=True)
class Shrunk:
    """A layer's changed settings and its remaining weights, in the order of get_weights."""

    settings: dict[str, Any] = field(default_factory=dict)
    weights: Weights = field(default_factory=list)


@dataclass(frozen=True)
class LayerRule:
    """The two halves; `shrink` receives the inputs' and the output's remaining channels."""

    carry: Callable[[ChannelSets, LayerCall], Ids]
    shrink: Callable[[LayerCall, list[Mask], Mask], Shrunk]


#: Activations that look at each element alone.
_ELEMENTWISE = {
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish",
    "sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "tanh",
    "softplus", "softsign", "mish", "exponential", "squareplus", "hard_shrink", "soft_shrink",
    "tanh_shrink", "threshold", "sparse_plus",
}  # fmt: skip


def activation_name(layer: Any) -> str:
    """The name of a layer's activation; "linear" when it has none."""
    activation = getattr(layer, "activation", None)
    return "linear" if activation is None else str(getattr(activation, "__name__", activation))


def _channels_last(layer: Any) -> None:
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise OpaqueError("data_format is not channels_last")


def _after_activation(sets: ChannelSets, layer: Any, ids: Ids) -> Ids:
    name = activation_name(layer)
    if name not in _ELEMENTWISE:
        sets.freeze(ids, f"the activation {name!r} of {layer.name!r} mixes channels")
    return ids


def _l1(kernel: npt.NDArray[Any], axis: int = -1) -> npt.NDArray[np.float64]:
    moved = np.moveaxis(np.abs(kernel.astype(np.float64)), axis, -1)
    return np.asarray(moved.reshape(-1, moved.shape[-1]).sum(axis=0))


# Convolution, Dense: kernel (..., in, out), bias (out,).


def _conv_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    layer = call.layer
    _channels_last(layer)
    if getattr(layer, "groups", 1) != 1:
        raise OpaqueError("grouped convolution")
    kernel = layer.get_weights()[0]
    ids = sets.produce(layer.name, _l1(kernel), spatial=int(np.prod(kernel.shape[:-2])) > 1)
    return _after_activation(sets, layer, ids)


def _conv_shrink(key: str) -> Callable[[LayerCall, list[Mask], Mask], Shrunk]:
    def shrink(call: LayerCall, ins: list[Mask], out: Mask) -> Shrunk:
        kernel, *bias = call.layer.get_weights()
        weights = [kernel[..., ins[0], :][..., out], *(b[out] for b in bias)]
        return Shrunk({key: int(out.sum())}, weights)

    return shrink


# Transposed convolution: kernel (..., out, in).


def _transpose_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    _channels_last(call.layer)
    if getattr(call.layer, "groups", 1) != 1:
        raise OpaqueError("grouped convolution")
    kernel = call.layer.get_weights()[0]
    ids = sets.produce(call.layer.name, _l1(kernel, axis=-2), spatial=True)
    return _after_activation(sets, call.layer, ids)


def _transpose_shrink(call: LayerCall, ins: list[Mask], out: Mask) -> Shrunk:
    kernel, *bias = call.layer.get_weights()
    return Shrunk(
        {"filters": int(out.sum())}, [kernel[..., out, :][..., ins[0]], *(b[out] for b in bias)]
    )


# Depthwise: kernel (..., in, multiplier), bias (in * multiplier,).


def _depthwise_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    _channels_last(call.layer)
    ids = np.repeat(call.ids[0], call.layer.depth_multiplier)
    return _after_activation(sets, call.layer, ids)


def _depthwise_shrink(call: LayerCall, ins: list[Mask], out: Mask) -> Shrunk:
    kernel, *bias = call.layer.get_weights()
    return Shrunk({}, [kernel[..., ins[0], :], *(b[out] for b in bias)])


# Separable: a depthwise kernel, a pointwise kernel (..., in * multiplier, out), bias (out,).


def _separable_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    _channels_last(call.layer)
    ids = sets.produce(call.layer.name, _l1(call.layer.get_weights()[1]))
    return _after_activation(sets, call.layer, ids)


def _separable_shrink(call: LayerCall, ins: list[Mask], out: Mask) -> Shrunk:
    depthwise, pointwise, *bias = call.layer.get_weights()
    middle = np.repeat(ins[0], call.layer.depth_multiplier)
    weights = [
        depthwise[..., ins[0], :],
        pointwise[..., middle, :][..., out],
        *(b[out] for b in bias),
    ]
    return Shrunk({"filters": int(out.sum())}, weights)


# Layers with one weight per channel.


def _norm_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    axis = call.layer.axis
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    rank = len(call.inputs[0].shape)
    if axis not in (-1, rank - 1):
        raise OpaqueError("its axis is not the channels'")
    return call.ids[0]


def _per_channel_shrink(call: LayerCall, ins: list[Mask], out: Mask) -> Shrunk:
    return Shrunk({}, [weight[out] for weight in call.layer.get_weights()])


def _prelu_shrink(call: LayerCall, ins: list[Mask], out: Mask) -> Shrunk:
    (alpha,) = call.layer.get_weights()
    return Shrunk({}, [alpha if alpha.shape[-1] == 1 and out.size > 1 else alpha[..., out]])


# Layers that leave channels as they are.


def _same_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    _channels_last(call.layer)
    return _after_activation(sets, call.layer, call.ids[0])


def _same_shrink(call: LayerCall, ins: list[Mask], out: Mask) -> Shrunk:
    return Shrunk({}, call.layer.get_weights() if hasattr(call.layer, "get_weights") else [])


def _rescaling_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
        raise OpaqueError("it scales channels one by one")
    return call.ids[0]


# Layers that tie, join or rearrange channels.


def _merge_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    wide = max(call.ids, key=len)
    if any(len(ids) not in (1, len(wide)) for ids in call.ids):
        raise OpaqueError("its inputs' channels do not line up")
    for ids in call.ids:
        if len(ids) == len(wide):
            sets.tie(ids, wide)
        else:
            sets.freeze(ids, f"{call.layer.name!r} broadcasts it")
    return wide


def _concatenate_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    if call.layer.axis in (-1, len(call.inputs[0].shape) - 1):
        return np.concatenate(call.ids)
    return _merge_carry(sets, call)


def _flatten_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    _channels_last(call.layer)
    return np.tile(call.ids[0], int(np.prod(call.inputs[0].shape[1:-1], dtype=np.int64)))


def _reshape_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    before, after = call.inputs[0].shape, call.outputs[0].shape
    if None in before[1:] or None in after[1:]:
        raise OpaqueError("its shape is dynamic")
    if len(after) == 2:
        return _flatten_carry(sets, call)
    if before[-1] == after[-1]:
        return call.ids[0]
    raise OpaqueError("it moves values between channels")


def _reshape_shrink(call: LayerCall, ins: list[Mask], out: Mask) -> Shrunk:
    target = list(call.layer.target_shape)
    if target[-1] != -1:
        target[-1] = int(out.sum())
    return Shrunk({"target_shape": target}, [])


def _operation_carry(sets: ChannelSets, call: LayerCall) -> Ids:
    """A bare operation such as `x + y`: tensors of one rank, or a tensor and plain numbers."""
    others = [
        value for value in call.arguments if not any(value is tensor for tensor in call.inputs)
    ]
    if any(value is not None and not isinstance(value, bool | int | float) for value in others):
        raise OpaqueError("it takes a constant array")
    return _merge_carry(sets, call)


def rules() -> dict[type, LayerRule]:
    """The rule of each layer class; classes without one are opaque."""
    import keras
    from keras.src.ops import nn, numpy

    layers = keras.layers
    same = LayerRule(_same_carry, _same_shrink)
    table: dict[type, LayerRule] = {
        layers.Dense: LayerRule(_conv_carry, _conv_shrink("units")),
        layers.BatchNormalization: LayerRule(_norm_carry, _per_channel_shrink),
        layers.PReLU: LayerRule(_same_carry, _prelu_shrink),
        layers.Rescaling: LayerRule(_rescaling_carry, _same_shrink),
        layers.Concatenate: LayerRule(_concatenate_carry, _same_shrink),
        layers.Flatten: LayerRule(_flatten_carry, _same_shrink),
        layers.Reshape: LayerRule(_reshape_carry, _reshape_shrink),
    }
    for conv in (layers.Conv1D, layers.Conv2D, layers.Conv3D):
        table[conv] = LayerRule(_conv_carry, _conv_shrink("filters"))
    for transpose in (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose):
        table[transpose] = LayerRule(_transpose_carry, _transpose_shrink)
    for depthwise in (layers.DepthwiseConv1D, layers.DepthwiseConv2D):
        table[depthwise] = LayerRule(_depthwise_carry, _depthwise_shrink)
    for separable in (layers.SeparableConv1D, layers.SeparableConv2D):
        table[separable] = LayerRule(_separable_carry, _separable_shrink)
    for merge in (
        layers.Add, layers.Subtract, layers.Multiply, layers.Average,
        layers.Maximum, layers.Minimum,
    ):  # fmt: skip
        table[merge] = LayerRule(_merge_carry, _same_shrink)
    for name in (
        "Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "SpatialDropout1D",
        "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "ActivityRegularization",
        "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D",
        "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D",
        "GlobalAveragePooling2D", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D",
        "UpSampling1D", "UpSampling2D", "Identity",
    ):  # fmt: skip
        table[getattr(layers, name)] = same
    operation = LayerRule(_operation_carry, _same_shrink)
    for name in ("Relu", "Relu6", "Sigmoid", "Silu", "HardSigmoid", "HardSilu", "LeakyRelu"):
        table[getattr(nn, name)] = same
    for name in ("Add", "Subtract", "Multiply", "Maximum", "Minimum"):
        table[getattr(numpy, name)] = operation
    return table
