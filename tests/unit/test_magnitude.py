# SPDX-License-Identifier: Apache-2.0
"""Magnitude pruning: the schedule, exact counts, zeros that stay; fine-tuning's settings."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from tinyflow.compress.finetune import fine_tune, loss_for, training_task_of
from tinyflow.compress.magnitude import (
    CubicSchedule,
    magnitude_callback,
    mask_of,
    prunable_kernels,
    prune_magnitude,
    sparsity_of,
)
from tinyflow.datasets.dataset import Dataset
from tinyflow.datasets.task import Loss
from tinyflow.errors import InputError

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow
layers = keras.layers


def small(last: str = "softmax", classes: int = 3) -> Any:
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(5, 3, name="conv"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.SeparableConv2D(4, 1, name="separable"),
            layers.Flatten(),
            layers.Dense(classes, activation=last, name="classes"),
        ]
    )


def data(samples: int = 64) -> Dataset:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, samples)
    x = rng.normal(size=(samples, 6, 6, 2)).astype(np.float32) + labels[:, None, None, None]
    return Dataset((x.astype(np.float32),), labels)


def zeros(model: Any) -> list[tuple[int, int]]:
    kernels = [kernel.numpy() for kernel in prunable_kernels(model)]
    return [(int((kernel == 0).sum()), kernel.size) for kernel in kernels]


def test_the_schedule_is_cubic() -> None:
    schedule = CubicSchedule(0.8, begin=10, end=110, initial=0.2)
    assert schedule(0) == schedule(10) == 0.2
    assert schedule(60) == pytest.approx(0.8 - 0.6 * 0.5**3)
    assert schedule(110) == schedule(1000) == 0.8


def test_masks_are_exact_even_among_equals() -> None:
    assert int(mask_of(np.zeros((7, 3)), 0.5).sum()) == 21 - round(10.5)
    mask = mask_of(np.array([[0.3, -0.1], [2.0, -0.2]]), 0.5)
    assert mask.tolist() == [[True, False], [True, False]]


def test_one_shot() -> None:
    model = small()
    depthwise = model.get_layer("depthwise").get_weights()[0]
    prune_magnitude(model, 0.7)
    assert all(count == round(0.7 * size) for count, size in zeros(model))
    assert len(zeros(model)) == 3
    assert sparsity_of(model) == pytest.approx(0.7, abs=0.02)
    np.testing.assert_array_equal(depthwise, model.get_layer("depthwise").get_weights()[0])
    with pytest.raises(InputError, match="ratio"):
        prune_magnitude(model, 1.0)


def test_zeros_hold_while_training_goes_on() -> None:
    model = small()
    seen: list[list[tuple[int, int]]] = []
    callback = magnitude_callback(model, CubicSchedule(0.6, begin=0, end=8), frequency=2)
    before, after = fine_tune(
        model,
        data(),
        validation=data(32),
        epochs=4,
        learning_rate=1e-2,
        batch_size=16,
        seed=1,
        callbacks=[callback],
        settled_epoch=2,
        on_epoch=lambda epoch, logs: seen.append(zeros(model)),
    )
    assert after < before
    assert len(seen) == 4
    assert seen[0] != seen[1] == seen[2] == seen[3] == zeros(model)
    assert all(count == round(0.6 * size) for count, size in zeros(model))


def test_a_schedule_cut_short_still_ends_exact() -> None:
    model = small()
    callback = magnitude_callback(model, CubicSchedule(0.6, begin=0, end=1000))
    fine_tune(
        model, data(), epochs=1, learning_rate=1e-3, batch_size=16, seed=1, callbacks=[callback]
    )
    assert all(count == round(0.6 * size) for count, size in zeros(model))


def test_fine_tuning_repeats_itself() -> None:
    weights = []
    model = small()
    start = model.get_weights()
    for _ in range(2):
        model.set_weights(start)
        fine_tune(model, data(), epochs=1, learning_rate=1e-3, batch_size=16, seed=3)
        weights.append(model.get_weights())
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def loss_of(model: Any, labels: Any, declared: Loss | None = None) -> Any:
    samples = data(len(labels))
    return loss_for(
        model,
        training_task_of(model, Dataset(samples.inputs, np.asarray(labels)), declared),
        declared,
    )


def test_losses_fit_the_last_activation() -> None:
    labels = [0, 1, 2]
    loss = loss_of(small("softmax"), labels)
    assert isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
    assert not loss.from_logits
    assert loss_of(small("linear"), labels).from_logits
    for targets in ([0, 1], [0.0, 1.0]):
        binary = loss_of(small("sigmoid", 1), targets)
        assert isinstance(binary, keras.losses.BinaryCrossentropy)
        assert not binary.from_logits
    assert loss_of(small("linear", 1), [0, 1]).from_logits
    several = loss_of(small("sigmoid", 3), [[1, 1, 0], [0, 0, 1]])
    assert isinstance(several, keras.losses.BinaryCrossentropy)


def test_losses_of_regression() -> None:
    targets = np.full((2, 3), 0.5, np.float32)
    assert isinstance(loss_of(small("linear"), targets), keras.losses.MeanSquaredError)
    assert isinstance(loss_of(small("linear", 1), [17, 70]), keras.losses.MeanSquaredError)
    huber = loss_of(small("linear"), targets, Loss("huber"))
    assert isinstance(huber, keras.losses.Huber)
    mse = loss_of(small("linear", 1), [0, 1], Loss("mse"))
    assert isinstance(mse, keras.losses.MeanSquaredError)


@pytest.mark.parametrize("kind", ["regression", "multi-label", "reconstruction"])
def test_fine_tuning_learns_other_tasks(kind: str) -> None:
    samples = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    labels = {
        "regression": samples.sum(axis=1, keepdims=True),
        "multi-label": (samples[:, :2] > 0).astype(np.int64),
        "reconstruction": None,
    }[kind]
    width = 4 if labels is None else labels.shape[1]
    activation = "sigmoid" if kind == "multi-label" else "linear"
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8), layers.Dense(width, activation=activation)]
    )
    before, after = fine_tune(
        model, Dataset((samples,), labels), epochs=20, learning_rate=1e-2, batch_size=8, seed=0
    )
    assert after < before / 2


def test_labels_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match="reach 3, but the model has 3 classes"):
        loss_of(small(), [3])
    with pytest.raises(InputError, match=r"targets `y` of shape \(2, 4\)"):
        loss_of(small(), np.zeros((2, 4), np.float32))
    with pytest.raises(InputError, match="no labels"):
        fine_tune(
            small(), Dataset(data().inputs), epochs=1, learning_rate=1e-3, batch_size=8, seed=0
        )
