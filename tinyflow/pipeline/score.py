# SPDX-License-Identifier: Apache-2.0
"""Scores of the float model, the quantised model and the device on the test data."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TypeVar

from tinyflow.arrays import Array
from tinyflow.datasets.accuracy import dequantize_array
from tinyflow.datasets.dataset import sample_shape
from tinyflow.datasets.scores import Errors, accuracy, errors, is_chance
from tinyflow.datasets.task import Task, find_task
from tinyflow.emulate.verify import Verification
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.ir.types import DType
from tinyflow.oracle.process import litert_predictions
from tinyflow.pipeline.quantize import Quantised
from tinyflow.report.quality_data import (
    AccuracySection,
    ErrorSection,
    ErrorsSection,
    Score,
    WarningSection,
)
from tinyflow.settings.project_file import BudgetTable
from tinyflow.tflite.last_activation import last_activation

_T = TypeVar("_T")
_U = TypeVar("_U")
#: Points of accuracy that quantisation may cost without a warning.
_DROP = 5.0
#: Times by which quantisation may raise the mean squared error without a warning, and the share of
#: the targets' variance that it must then be.
_ERROR_RISE, _ERROR_SHARE = 2.0, 0.05


def task_of(graph: Graph, quantised: Quantised, source: str = "test data") -> Task | None:
    """Return the model's task, from its test data; None without any.

    Raises:
        InputError: the test data has no targets, or such as do not fit the output.
    """
    test = quantised.test
    if test is None:
        return None
    output = next(graph.output_tensors())
    return find_task(
        test.inputs,
        test.labels,
        sample_shape(output.shape),
        activation=last_activation(quantised.tflite),
        loss=quantised.loss,
        gives_classes=output.dtype in (DType.INT32, DType.INT64),
        purpose=source,
    )


def check_limits(budget: BudgetTable, task: Task | None) -> None:
    """Check that the limits on what is scored are of the task.

    Raises:
        InputError: one is not.
    """
    if task is None:
        return
    if budget.accuracy_drop is not None and not task.kind.is_classification:
        raise InputError(
            f"[budget] accuracy_drop: the task is {task.kind.value}, which has no accuracy",
            hint="Limit its mean absolute error by max_error.",
        )
    if budget.max_error is not None and task.kind.is_classification:
        raise InputError(
            f"[budget] max_error: the task is {task.kind.value}, whose answers are right or wrong",
            hint="Limit what the device may lose by accuracy_drop. Regression has float targets "
            "`y`, of the output's shape.",
        )


def measure_score(
    graph: Graph, quantised: Quantised, verification: Verification, task: Task | None
) -> Score:
    """Score the float model, the quantised model on the host, and the device."""
    test = quantised.test
    if task is None or test is None or verification.sample_outputs is None:
        return Score()
    stacked = verification.sample_outputs  # (samples, batch, ...)
    device = stacked.reshape(-1, *stacked.shape[2:])
    quantization = next(graph.output_tensors()).quantization
    if quantization is not None and device.dtype.kind != "f":
        device = dequantize_array(device, quantization.scale, quantization.zero_point)
    host = None
    with suppress(UnsupportedError):
        host = litert_predictions(quantised.tflite, test.inputs)[0]
    if task.kind.is_classification:
        return _accuracies(task, quantised.float_outputs, host, device)
    return _errors(task, quantised.float_outputs, host, device)


def _accuracies(task: Task, real: Array | None, host: Array | None, device: Array) -> Score:
    def percent(outputs: Array) -> float:
        return 100 * accuracy(outputs, task)

    section = AccuracySection(
        float=_each(percent, real),
        int8=_each(percent, host),
        device=percent(device),
        samples=len(task.targets),
        task=task.kind.value,
        threshold=task.threshold,
    )
    by_float = section.float_
    text = None
    if real is not None and by_float is not None and is_chance(real, task):
        text = (
            f"the float model is right for {by_float:.1f} % of the test samples, no better than "
            "chance: are the samples on the scale that it was trained with, and the labels in its "
            "order?"
        )
    elif is_chance(device, task):
        before = "" if by_float is None else f", the float model for {by_float:.1f} %"
        text = (
            f"the device is right for {section.device:.1f} % of the test samples, no better than "
            f"chance{before}"
        )
    elif by_float is not None and by_float - section.device > max(_DROP, 300 / len(task.targets)):
        text = f"quantisation costs {by_float - section.device:.1f} points of accuracy"
    return Score(accuracy=section, warnings=_warning("accuracy", text))


def _errors(task: Task, real: Array | None, host: Array | None, device: Array) -> Score:
    def measured(outputs: Array) -> Errors:
        return errors(outputs, task)

    by_float, by_device = _each(measured, real), measured(device)
    section = ErrorSection(
        float=_each(_section, by_float),
        int8=_each(_section, _each(measured, host)),
        device=_section(by_device),
        samples=len(task.targets),
        task=task.kind.value,
    )
    text = None
    if real is not None and is_chance(real, task):
        text = (
            "the float model's error on the test data is no less than that of the targets' mean: "
            "are samples and targets on the scale that it was trained with?"
        )
    elif by_float is None:
        if is_chance(device, task):
            text = "the device's error on the test data is no less than that of the targets' mean"
    elif _is_raised(by_float, by_device):
        text = (
            f"quantisation raises the mean squared error from {by_float.mean_squared:.4g} to "
            f"{by_device.mean_squared:.4g}"
        )
    return Score(error=section, warnings=_warning("error", text))


def _is_raised(before: Errors, after: Errors) -> bool:
    share = 1.0 if after.explained is None else 1.0 - after.explained
    return after.mean_squared > _ERROR_RISE * before.mean_squared and share > _ERROR_SHARE


def _section(found: Errors) -> ErrorsSection:
    return ErrorsSection(**asdict(found))


def _each(function: Callable[[_T], _U], value: _T | None) -> _U | None:
    return None if value is None else function(value)


def _warning(about: str, text: str | None) -> tuple[WarningSection, ...]:
    return () if text is None else (WarningSection(about=about, message=text),)
