# SPDX-License-Identifier: Apache-2.0
"""Scores of outputs for a task: accuracy, errors, and whether that is better than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyflow.arrays import Array
from tinyflow.datasets.task import Task, TaskKind

#: Below this share of what can be gained over chance, and within this many standard deviations of
#: it, answers are no better than chance. Fewer samples say nothing.
_CHANCE_KAPPA, _CHANCE_DEVIATIONS, _CHANCE_SAMPLES = 0.3, 3.0, 30


@dataclass(frozen=True)
class Errors:
    """Errors over all samples and elements, in the output's units.

    Attributes:
        mean_absolute, mean_squared: of output minus target.
        explained: 1 - mean square / variance of the targets (R squared, all elements together);
            None if the targets are constant.
        auc: area under the ROC curve of the mean squared error of a sample as a sign of an
            anomaly; None if anomalies are not labelled.
    """

    mean_absolute: float
    mean_squared: float
    explained: float | None
    auc: float | None = None


def answers(outputs: Array, task: Task) -> Array:
    """The classes, or zeros and ones, that the outputs (n, ...) mean: int64, as the targets."""
    if task.kind is TaskKind.CLASSES:
        if outputs.shape == task.targets.shape:
            return outputs.astype(np.int64)
        classes: Array = np.argmax(outputs, axis=-1).reshape(task.targets.shape)
        return classes
    assert task.threshold is not None
    found: Array = (outputs > task.threshold).astype(np.int64)
    return found.reshape(task.targets.shape)


def accuracy(outputs: Array, task: Task) -> float:
    """The share of right answers, 0 to 1: of samples or positions, for several labels of labels."""
    return float(np.mean(answers(outputs, task) == task.targets))


def errors(outputs: Array, task: Task) -> Errors:
    """The errors of the outputs (n, ...) of a regression or reconstruction."""
    difference = outputs.reshape(task.targets.shape).astype(np.float64) - task.targets
    squared = np.square(difference)
    mean_squared = float(squared.mean())
    centred = task.targets - task.targets.mean(axis=0, keepdims=True, dtype=np.float64)
    variance = float(np.square(centred).mean())
    auc = None
    if task.anomalies is not None:
        auc = _auc(squared.reshape(len(squared), -1).mean(axis=1), task.anomalies)
    return Errors(
        float(np.abs(difference).mean()),
        mean_squared,
        1.0 - mean_squared / variance if variance > 0 else None,
        auc,
    )


def is_chance(outputs: Array, task: Task) -> bool:
    """Whether the answers agree with the targets no more than independent ones would.

    By Cohen's kappa, for which answers that are always the same are worth nothing, however
    frequent that class is; for errors, whether the targets' mean would be as good an answer.
    """
    if not task.kind.is_classification:
        explained = errors(outputs, task).explained
        return len(task.targets) >= _CHANCE_SAMPLES and explained is not None and explained <= 0
    found, targets = answers(outputs, task).ravel(), task.targets.ravel()
    if len(targets) < _CHANCE_SAMPLES or len(np.unique(targets)) == 1:
        return False
    classes = int(max(found.max(), targets.max())) + 1
    shares = [np.bincount(each, minlength=classes) / len(targets) for each in (found, targets)]
    expected = float(shares[0] @ shares[1])
    gained = float(np.mean(found == targets)) - expected
    deviation = float(np.sqrt(expected * (1 - expected) / len(targets)))
    return gained < _CHANCE_KAPPA * (1 - expected) and gained <= _CHANCE_DEVIATIONS * deviation


def _auc(scores: Array, positive: Array) -> float | None:
    """The chance that a positive sample scores above a negative one, ties counting half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return None
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))
