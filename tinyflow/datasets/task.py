# SPDX-License-Identifier: Apache-2.0
"""Purpose of a model's output, found from its targets, its last activation and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tinyflow.arrays import Array
from tinyflow.errors import InputError

_TARGETS = (
    "`y` holds class indices (n,), one-hot or multi-label rows (n, k), or targets of the output's "
    "shape. A model whose output has its input's shape is an autoencoder and needs no `y`."
)
#: Losses whose outputs are estimates of the targets, by Keras's names in lower case.
_REGRESSION_LOSSES = frozenset(
    "mse mae mape msle mean_squared_error mean_absolute_error mean_absolute_percentage_error "
    "mean_squared_logarithmic_error huber log_cosh logcosh poisson cosine_similarity".split()
)
_BINARY_LOSSES = frozenset("binary_crossentropy binary_focal_crossentropy".split())
#: Activations that give a probability of each output alone.
_PROBABILITIES = ("sigmoid", "hard_sigmoid")


class TaskKind(StrEnum):
    """Kind of task of a model."""

    CLASSES = "classification"
    BINARY = "binary classification"
    LABELS = "multi-label classification"
    REGRESSION = "regression"
    RECONSTRUCTION = "reconstruction"

    @property
    def is_classification(self) -> bool:
        """Whether answers are right or wrong."""
        return self in (TaskKind.CLASSES, TaskKind.BINARY, TaskKind.LABELS)


@dataclass(frozen=True)
class Loss:
    """The loss that a model was compiled with: Keras's name in snake case."""

    name: str
    from_logits: bool = False


@dataclass(frozen=True)
class Task:
    """A task with its targets.

    Attributes:
        kind: which task.
        targets: int64 class indices (n, ...) for CLASSES, without the axis of the classes;
            otherwise of the outputs' shape (n, ...): 0 or 1 as int64, or float32.
        threshold: above which an output means 1, for BINARY and LABELS.
        anomalies: whether a sample is to be reconstructed badly, bool (n,); None if unknown.
    """

    kind: TaskKind
    targets: Array
    threshold: float | None = None
    anomalies: Array | None = None


def find_task(
    inputs: tuple[Array, ...],
    labels: Array | None,
    output_shape: tuple[int, ...],
    *,
    activation: str,
    loss: Loss | None = None,
    gives_classes: bool = False,
    purpose: str = "test data",
) -> Task:
    """The task that a model's first output has on some samples.

    Args:
        inputs: the samples, one array (n, ...) for each of the model's inputs.
        labels: `y` as `load_dataset` gives it, or None.
        output_shape: of one sample.
        activation: the last one's name; "softmax" and the sigmoids give probabilities, any other
            one is taken for an open range.
        loss: what the model was compiled with, None if that is not known.
        gives_classes: the output is an integer, the class itself.
        purpose: what the data is for, in messages.

    Raises:
        InputError: there are no targets, or they do not fit the output.
    """
    reconstructs = len(inputs) == 1 and _squeezed(inputs[0].shape[1:]) == _squeezed(output_shape)
    if labels is None:
        if not reconstructs or gives_classes:
            raise InputError(
                f"{purpose}: no labels `y`, and the output's shape {output_shape} is not the "
                "input's",
                hint=_TARGETS,
            )
        return _reconstruction(inputs[0], output_shape)
    if gives_classes and labels.shape[1:] == output_shape:
        return Task(TaskKind.CLASSES, _indices(labels, None, purpose))
    shape = _squeezed(labels.shape[1:])
    if shape == _squeezed(output_shape):
        targets = labels.reshape(len(labels), *output_shape)
        return _elementwise(targets, inputs[0], reconstructs, activation, loss)
    if output_shape and output_shape[-1] > 1 and shape == _squeezed(output_shape[:-1]):
        binary = len(labels.shape) == 1 and _is_binary(labels)
        crossed = loss is not None and "crossentropy" in loss.name
        if reconstructs and binary and activation != "softmax" and not crossed:
            task = _reconstruction(inputs[0], output_shape)
            return Task(task.kind, task.targets, anomalies=labels.astype(np.bool_))
        if labels.dtype.kind != "f" or _is_integral(labels):
            indices = labels.reshape(len(labels), *output_shape[:-1])
            return Task(TaskKind.CLASSES, _indices(indices, output_shape[-1], purpose))
    raise InputError(
        f"{purpose}: targets `y` of shape {labels.shape} ({labels.dtype}), the model's output is "
        f"(samples, {', '.join(map(str, output_shape))})",
        hint=_TARGETS,
    )


def _elementwise(
    targets: Array, given: Array, reconstructs: bool, activation: str, loss: Loss | None
) -> Task:
    """The task where each output has a target."""
    binary = _is_binary(targets)
    several = targets[0].size > 1
    name = None if loss is None else loss.name
    if several and activation == "softmax":
        return Task(TaskKind.CLASSES, np.argmax(targets, axis=-1))
    estimates = name in _REGRESSION_LOSSES and (activation not in _PROBABILITIES or several)
    threshold: float | None = None
    if binary and not estimates:
        if activation in _PROBABILITIES:
            threshold = 0.5
        elif name in _BINARY_LOSSES:
            threshold = 0.0 if loss is not None and loss.from_logits else 0.5
        elif targets.dtype.kind != "f" and (name is None or "hinge" in name):
            threshold = 0.0  # a linear output that is trained on classes gives logits
    if threshold is not None:
        kind = TaskKind.LABELS if several else TaskKind.BINARY
        return Task(kind, targets.astype(np.int64), threshold)
    kind = TaskKind.REGRESSION
    if reconstructs and np.array_equal(targets, given.reshape(targets.shape)):
        kind = TaskKind.RECONSTRUCTION
    return Task(kind, targets.astype(np.float32))


def _reconstruction(given: Array, output_shape: tuple[int, ...]) -> Task:
    targets = given.reshape(len(given), *output_shape).astype(np.float32)
    return Task(TaskKind.RECONSTRUCTION, targets)


def _indices(labels: Array, classes: int | None, purpose: str) -> Array:
    indices = labels.astype(np.int64)
    if classes is not None and indices.size and indices.max() >= classes:
        raise InputError(
            f"{purpose}: labels `y` reach {indices.max()}, but the model has {classes} classes"
        )
    if indices.size and indices.min() < 0:
        raise InputError(f"{purpose}: labels `y` hold negative class indices")
    return indices


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _is_binary(labels: Array) -> bool:
    return bool(np.isin(labels, (0, 1)).all())


def _is_integral(labels: Array) -> bool:
    return bool((labels == np.floor(labels)).all())
