# SPDX-License-Identifier: Apache-2.0
"""Purpose of a model's output, and its score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinyflow.datasets.scores import accuracy, errors, is_chance
from tinyflow.datasets.task import Loss, Task, TaskKind, find_task
from tinyflow.errors import InputError

LOGITS = Loss("binary_crossentropy", from_logits=True)


def task(
    labels: Any, shape: tuple[int, ...], *, x: Any = None, activation: str = "linear", **more: Any
) -> Task:
    labels = None if labels is None else np.asarray(labels)
    count = len(x) if x is not None else len(labels)
    given = np.zeros((count, 7), np.float32) if x is None else x
    return find_task((given,), labels, shape, activation=activation, **more)


@pytest.mark.parametrize(
    ("labels", "shape", "activation", "loss", "kind", "threshold"),
    [
        ([0, 2, 1], (3,), "softmax", None, TaskKind.CLASSES, None),
        ([0, 2, 1], (3,), "linear", None, TaskKind.CLASSES, None),
        ([0.0, 2.0, 1.0], (3,), "softmax", None, TaskKind.CLASSES, None),
        ([[0.1, 0.9], [0.6, 0.4]], (2,), "softmax", None, TaskKind.CLASSES, None),
        ([0, 1, 1], (1,), "sigmoid", None, TaskKind.BINARY, 0.5),
        ([0.0, 1.0, 1.0], (1,), "sigmoid", None, TaskKind.BINARY, 0.5),
        ([[0.0], [1.0]], (1,), "sigmoid", Loss("mse"), TaskKind.BINARY, 0.5),
        ([0, 1, 1], (1,), "linear", None, TaskKind.BINARY, 0.0),
        ([0, 1, 1], (1,), "linear", LOGITS, TaskKind.BINARY, 0.0),
        ([0.0, 1.0, 1.0], (1,), "linear", LOGITS, TaskKind.BINARY, 0.0),
        ([0, 1, 1], (1,), "linear", Loss("binary_crossentropy"), TaskKind.BINARY, 0.5),
        ([0, 1, 1], (1,), "linear", Loss("mean_squared_error"), TaskKind.REGRESSION, None),
        ([0.0, 1.0, 1.0], (1,), "linear", None, TaskKind.REGRESSION, None),
        ([0.5, -1.0], (1,), "linear", None, TaskKind.REGRESSION, None),
        ([-3, 70], (1,), "linear", None, TaskKind.REGRESSION, None),
        ([[0.5], [1.5]], (1,), "linear", LOGITS, TaskKind.REGRESSION, None),
        ([0.25, 0.75], (1,), "sigmoid", None, TaskKind.REGRESSION, None),
        ([[0.5, 2.0], [1.5, 3.0]], (2,), "linear", None, TaskKind.REGRESSION, None),
        ([[1, 1, 0], [0, 1, 0]], (3,), "sigmoid", None, TaskKind.LABELS, 0.5),
        ([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]], (3,), "sigmoid", None, TaskKind.LABELS, 0.5),
        ([[1, 1, 0], [0, 1, 0]], (3,), "linear", LOGITS, TaskKind.LABELS, 0.0),
        (np.zeros((2, 4, 5), int), (4, 5, 3), "softmax", None, TaskKind.CLASSES, None),
        (np.zeros((2, 4, 5, 1), int), (4, 5, 1), "sigmoid", None, TaskKind.LABELS, 0.5),
        (np.ones((2, 4, 5)), (4, 5, 1), "linear", Loss("mae"), TaskKind.REGRESSION, None),
    ],
)
def test_tasks(
    labels: Any,
    shape: tuple[int, ...],
    activation: str,
    loss: Loss | None,
    kind: TaskKind,
    threshold: float | None,
) -> None:
    found = task(labels, shape, activation=activation, loss=loss)
    assert (found.kind, found.threshold) == (kind, threshold)
    positions = shape[:-1] if kind is TaskKind.CLASSES else shape
    assert found.targets.shape == (len(labels), *positions)


def test_an_autoencoder_needs_no_targets() -> None:
    x = np.random.default_rng(0).random((40, 6), dtype=np.float32)
    found = task(None, (6,), x=x)
    assert found.kind is TaskKind.RECONSTRUCTION
    np.testing.assert_array_equal(found.targets, x)
    assert task(x, (6,), x=x).kind is TaskKind.RECONSTRUCTION
    image = x.reshape(40, 3, 2, 1)
    assert task(None, (3, 2), x=image).targets.shape == (40, 3, 2)


def test_labels_of_an_autoencoder_are_anomalies() -> None:
    x = np.zeros((4, 6), np.float32)
    found = task([0, 1, 0, 1], (6,), x=x)
    assert found.kind is TaskKind.RECONSTRUCTION
    outputs = np.array([[0.1], [0.4], [0.3], [0.2]]) * np.ones((1, 6))
    assert errors(outputs, found).auc == 0.75
    assert errors(outputs, found).mean_absolute == pytest.approx(0.25)
    assert task([0, 1, 0, 1], (6,), x=x, activation="softmax").kind is TaskKind.CLASSES


@pytest.mark.parametrize(
    ("labels", "shape", "words"),
    [
        ([0, 3], (3,), "reach 3, but the model has 3 classes"),
        ([0, -1], (3,), "negative class indices"),
        (np.zeros((2, 4)), (3,), r"targets `y` of shape \(2, 4\)"),
        ([0.5, 1.5], (3,), r"float64\), the model's output is \(samples, 3\)"),
    ],
)
def test_targets_that_do_not_fit(labels: Any, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        task(labels, shape, activation="softmax")


def test_targets_are_asked_for() -> None:
    with pytest.raises(InputError, match="no labels `y`"):
        task(None, (3,), x=np.zeros((2, 7), np.float32))


def test_accuracy() -> None:
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert accuracy(scores, task([1, 0, 0], (2,), activation="softmax")) == pytest.approx(2 / 3)
    assert accuracy(np.array([[0.6], [0.4]]), task([1, 1], (1,), activation="sigmoid")) == 0.5
    assert accuracy(np.array([[0.2], [-0.4]]), task([1, 0], (1,))) == 1.0
    assert accuracy(np.array([2, 0]), task([2, 1], (), gives_classes=True)) == 0.5
    labels = task([[1, 1], [0, 1]], (2,), activation="sigmoid")
    assert accuracy(np.array([[0.9, 0.4], [0.1, 0.8]]), labels) == 0.75


def test_errors() -> None:
    found = errors(np.array([[1.0], [4.0]]), task([0.5, 2.5], (1,)))
    assert (found.mean_absolute, found.mean_squared) == (1.0, 1.25)
    assert found.explained == pytest.approx(1 - 1.25 / 1.0)
    assert errors(np.array([[1.0], [4.0]]), task([0.5, 0.5], (1,))).explained is None


@pytest.mark.parametrize("classes", [2, 5, 100])
def test_chance(classes: int) -> None:
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, 2000)
    found = task(labels, (classes,), activation="softmax")
    guesses = random.random((2000, classes))
    assert is_chance(guesses, found)
    right = guesses + 0.6 * np.eye(classes)[labels]
    assert not is_chance(right, found)
    poor = np.where(random.random((2000, 1)) < 0.15, np.eye(classes)[labels], guesses)
    assert not is_chance(poor, found)


def test_a_rare_class_that_is_found_is_not_chance() -> None:
    labels = np.zeros(500, int)
    labels[:15] = 1
    found = task(labels, (1,), activation="sigmoid")
    answers = labels.astype(float)
    assert is_chance(np.zeros((500, 1)), found)  # 97 % right
    answers[:5] = 0.0
    assert not is_chance(answers[:, None], found)
    assert not is_chance(np.zeros((20, 1)), task(labels[:20], (1,), activation="sigmoid"))


def test_an_error_as_large_as_the_spread_is_chance() -> None:
    random = np.random.default_rng(0)
    targets = random.normal(5, 2, 200)
    found = task(targets, (1,))
    assert is_chance(np.zeros((200, 1)), found)
    assert is_chance(255 * targets[:, None], found)
    assert not is_chance(targets[:, None] + random.normal(0, 1, (200, 1)), found)
