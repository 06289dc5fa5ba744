# SPDX-License-Identifier: Apache-2.0
"""Structured pruning: every rebuilt network computes what its removed channels leave."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from tinyflow.compress.channel_sets import ChannelSets, Granularity, choose_channels
from tinyflow.compress.structured import graph_of, number_channels, prune_channels
from tinyflow.compress.summary import macs, parameters
from tinyflow.errors import InputError

keras = pytest.importorskip("keras")
layers = keras.layers


def conv_bn(x: Any, filters: int, name: str, size: int = 3) -> Any:
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))


def sequential() -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, activation="relu", name="first"),
            layers.ZeroPadding2D(1),
            layers.MaxPooling2D(2),
            layers.Conv2D(12, 3, name="second"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.Dropout(0.3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dense(4, activation="softmax", name="classes"),
        ]
    )


def residual_identity() -> Any:
    image = keras.Input((6, 6, 3))
    x = conv_bn(image, 8, "stem")
    y = conv_bn(x, 10, "inner")
    y = layers.Conv2D(8, 3, padding="same", name="outer")(y)
    x = layers.ReLU()(layers.Add()([x, y]))
    return keras.Model(image, layers.Dense(3, name="classes")(layers.GlobalMaxPooling2D()(x)))


def residual_projection() -> Any:
    image = keras.Input((6, 6, 3))
    x = conv_bn(image, 6, "stem")
    y = conv_bn(conv_bn(x, 8, "a"), 12, "b")
    x = layers.Conv2D(12, 1, name="projection")(x)
    x = layers.Activation("relu")(layers.Add()([y, x]))
    return keras.Model(image, layers.Dense(3, name="classes")(layers.Flatten()(x)))


def separable() -> Any:
    image = keras.Input((8, 8, 1))
    x = conv_bn(image, 8, "stem")
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depthwise")(x)
    x = layers.BatchNormalization()(x)
    x = conv_bn(x, 12, "pointwise", 1)
    x = layers.SeparableConv2D(10, 3, depth_multiplier=2, activation="relu", name="separable")(x)
    x = layers.AveragePooling2D(2)(x)
    return keras.Model(image, layers.Dense(3, name="classes")(layers.Flatten()(x)))


def concatenated() -> Any:
    image = keras.Input((6, 6, 2))
    left, right = conv_bn(image, 6, "left"), conv_bn(image, 10, "right", 1)
    both = layers.Concatenate()([left, image, right])
    x = layers.BatchNormalization()(both)
    tied = layers.Add()([x, layers.Conv2D(18, 1, name="tied")(x)])
    x = layers.Conv2DTranspose(8, 2, strides=2, name="up")(tied)
    return keras.Model(image, layers.Dense(3, name="classes")(layers.Flatten()(x)))


def squeeze_and_excite() -> Any:
    image = keras.Input((6, 6, 2))
    x = conv_bn(image, 8, "stem")
    s = layers.GlobalAveragePooling2D(keepdims=True)(x)
    s = layers.Conv2D(4, 1, activation="relu", name="squeeze")(s)
    s = layers.Conv2D(8, 1, activation="sigmoid", name="excite")(s)
    x = layers.Multiply()([x, s])
    x = layers.Reshape((36, 8))(x)
    x = layers.Conv1D(6, 3, name="last")(x)
    x = layers.Reshape((-1,))(x)
    return keras.Model(image, layers.Dense(3, name="classes")(x))


def bare_operations() -> Any:
    image = keras.Input((6, 6, 2))
    x = conv_bn(image, 8, "stem")
    y = keras.ops.relu(layers.Conv2D(8, 1, name="side")(x) * 0.5)
    x = layers.GlobalAveragePooling2D()(x + y)
    return keras.Model(image, layers.Dense(3, name="classes")(x))


def nested() -> Any:
    inner_in = keras.Input((6, 6, 3))
    inner = keras.Model(inner_in, conv_bn(conv_bn(inner_in, 8, "a"), 10, "b"), name="backbone")
    image = keras.Input((6, 6, 3))
    x = layers.GlobalAveragePooling2D()(inner(image))
    head = keras.Sequential([layers.Dense(8, name="hidden"), layers.Dense(3, name="classes")])
    return keras.Model(image, head(x))


MODELS: list[Callable[[], Any]] = [
    sequential,
    residual_identity,
    residual_projection,
    separable,
    concatenated,
    squeeze_and_excite,
    bare_operations,
    nested,
]


def randomised(model: Any, seed: int = 0) -> Any:
    """Every weight drawn anew, normalisation included; variances stay positive."""
    rng = np.random.default_rng(seed)
    drawn = []
    for variable in model.weights:
        values = rng.normal(0.1, 0.5, variable.shape)
        drawn.append(np.abs(values) + 0.1 if "variance" in variable.path else values)
    model.set_weights(drawn)
    return model


def masked(model: Any, ratio: float, x: np.ndarray, granularity: int) -> np.ndarray:
    """The original network with the outputs of removed channels multiplied by zero."""
    sets = ChannelSets()
    _, outputs = number_channels(model, sets)
    keep = choose_channels(
        sets, ratio, granularity=Granularity(granularity, granularity), minimum=1
    )

    def apply(operation: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            y = operation(*args, **kwargs)
            ids = outputs.get(operation.name)
            return y if ids is None else y * keep[ids].astype(np.float32)

        return call

    result = graph_of(model)._run_through_graph(keras.ops.convert_to_tensor(x), operation_fn=apply)
    return np.asarray(result)


@pytest.mark.parametrize("build", MODELS)
@pytest.mark.parametrize(("ratio", "granularity"), [(0.5, 1), (0.6, 2)])
def test_equals_the_original_with_channels_zeroed(
    build: Callable[[], Any], ratio: float, granularity: int
) -> None:
    model = randomised(build())
    before = model.get_weights()
    pruned, summary = prune_channels(model, ratio, granularity=granularity)
    x = np.random.default_rng(1).normal(size=(4, *model.inputs[0].shape[1:])).astype(np.float32)
    if build is nested:
        # Unfolded: removing nothing gives the flat network to mask.
        flat, _ = prune_channels(model, 0.0)
        np.testing.assert_allclose(flat(x), model(x), rtol=1e-5, atol=1e-5)
        expected = masked(flat, ratio, x, granularity)
    else:
        expected = masked(model, ratio, x, granularity)
    np.testing.assert_allclose(np.asarray(pruned(x)), expected, rtol=1e-4, atol=1e-4)

    assert parameters(pruned) == summary.parameters_after < summary.parameters_before
    assert macs(pruned) == summary.macs_after < summary.macs_before
    assert [tuple(t.shape) for t in pruned.outputs] == [tuple(t.shape) for t in model.outputs]
    assert set(summary.unprunable) == {"classes"}
    for layer in summary.layers:
        if layer.name != "classes":
            assert layer.before > layer.after
            assert layer.after % granularity == 0
        assert pruned.get_layer(layer.name) is not None
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_half_is_half_and_tied_layers_agree() -> None:
    pruned, summary = prune_channels(residual_projection(), 0.5)
    kept = {layer.name: layer.after for layer in summary.layers}
    assert kept == {"stem": 3, "a": 4, "b": 6, "projection": 6, "classes": 3}
    assert pruned.get_layer("b").filters == pruned.get_layer("projection").filters == 6


def test_the_smallest_norms_go() -> None:
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(4, 1, name="conv"), layers.Flatten(),
         layers.Dense(2)]
    )  # fmt: skip
    kernel = np.array([3.0, -0.1, 0.5, -2.0], np.float32).reshape(1, 1, 1, 4)
    model.get_layer("conv").set_weights([kernel, np.arange(4, dtype=np.float32)])
    pruned, _ = prune_channels(model, 0.5)
    remaining, bias = pruned.get_layer("conv").get_weights()
    assert remaining.ravel().tolist() == [3.0, -2.0]
    assert bias.tolist() == [0.0, 3.0]


def test_granularity_and_minimum() -> None:
    _, summary = prune_channels(sequential(), 0.5, granularity=4)
    assert {layer.name: layer.after for layer in summary.layers} == {
        "first": 4, "second": 8, "hidden": 4, "classes": 4,
    }  # fmt: skip
    _, summary = prune_channels(sequential(), 0.9, minimum=5)
    assert [layer.after for layer in summary.layers] == [5, 5, 5, 4]


def test_a_shared_layer_keeps_its_channels() -> None:
    image = keras.Input((6, 6, 4))
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    x = shared(shared(layers.Conv2D(4, 1, name="before")(image)))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 1, name="after")(x))
    model = keras.Model(image, layers.Dense(2)(x))
    pruned, summary = prune_channels(model, 0.5)
    assert "used more than once" in summary.unprunable["before"]
    assert "used more than once" in summary.unprunable["shared"]
    assert pruned.get_layer("shared").filters == 4
    assert pruned.get_layer("after").filters == 4


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (layers.LayerNormalization, "LayerNormalization"),
        (lambda: layers.Permute((3, 1, 2)), "Permute"),
        (lambda: layers.Conv2D(8, 1, groups=4, name="grouped"), "grouped"),
        (layers.Softmax, "Softmax"),
        (lambda: layers.Conv2D(8, 1, activation="softmax", name="mixing"), None),
        (lambda: layers.Reshape((6, 3, 16)), "moves values between channels"),
        (lambda: layers.BatchNormalization(axis=1), "axis"),
    ],
)
def test_what_is_not_understood_is_left_alone(layer: Callable[[], Any], words: str | None) -> None:
    model = randomised(
        keras.Sequential(
            [
                keras.Input((6, 6, 3)),
                layers.Conv2D(8, 1, name="before"),
                layer(),
                layers.Flatten(),
                layers.Dense(8, name="hidden"),
                layers.Dense(2, name="classes"),
            ]
        )
    )
    pruned, summary = prune_channels(model, 0.5)
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(pruned(x), masked(model, 0.5, x, 1), rtol=1e-3, atol=1e-3)
    assert pruned.get_layer("hidden").units == 4
    if words is None:
        assert "softmax" in summary.unprunable["mixing"]
    else:
        assert pruned.get_layer("before").filters == 8
        assert words in summary.unprunable["before"]


def test_ratio_zero_changes_nothing() -> None:
    model = randomised(separable())
    pruned, summary = prune_channels(model, 0.0)
    assert summary.parameters_after == summary.parameters_before
    x = np.ones((1, 8, 8, 1), np.float32)
    np.testing.assert_allclose(pruned(x), model(x), rtol=1e-5, atol=1e-5)


def test_bad_ratios() -> None:
    for ratio in (-0.1, 1.0):
        with pytest.raises(InputError, match="ratio"):
            prune_channels(sequential(), ratio)
