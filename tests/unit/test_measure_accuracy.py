# SPDX-License-Identifier: Apache-2.0
"""Accuracy and errors of the device, whose outputs are integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.datasets.dataset import Dataset
from tinyflow.datasets.task import find_task
from tinyflow.emulate.verify import Verification
from tinyflow.errors import InputError
from tinyflow.oracle.oracle import Oracle
from tinyflow.pipeline.quantize import Quantised
from tinyflow.pipeline.score import check_limits, measure_score, task_of
from tinyflow.report.quality_data import Score
from tinyflow.settings.project_file import BudgetTable
from tinyflow.tflite.importer import import_model


def score_of(kind: str, values: list[float], labels: np.ndarray, **known: Any) -> Score:
    """The score of a network of one operator on int16, as the oracle computes it."""
    b = TfliteBuilder()
    probability = kind == "LOGISTIC"
    x = b.tensor((1, 1), "int16", 1e-3)
    y = b.tensor((1, 1), "int16", 1 / 32768 if probability else 1e-3)
    b.operator(kind, [x], [y])
    content = b.build([x], [y])
    samples = np.array(values, np.float32)[:, None]
    oracle = Oracle(content)
    outputs = [oracle.run((row / 1e-3).astype(np.int16)[None])[0] for row in samples]
    verification = Verification(
        oracle="oracle",
        vectors=0,
        compared_bytes=0,
        mismatches=0,
        instructions=[],
        layer_instructions=[],
        stack_peak=0,
        oracle_outputs=(),
        sample_outputs=np.stack(outputs),
    )
    graph = import_model(content, Path("net.tflite"), name="net")
    quantised = Quantised(content, Dataset((samples,), labels), **known)
    return measure_score(graph, quantised, verification, task_of(graph, quantised))


def test_a_probability_of_int16_counts_from_one_half() -> None:
    found = score_of("LOGISTIC", [-3.0, -0.5, 0.5, 3.0], np.array([0, 0, 1, 1])).accuracy
    assert found is not None
    assert (found.int8, found.device, found.threshold) == (100.0, 100.0, 0.5)
    assert found.task == "binary classification"


def test_a_logit_counts_from_zero() -> None:
    found = score_of("RELU", [0.0, 0.0, 0.2, 3.0], np.array([0, 0, 1, 1])).accuracy
    assert found is not None
    assert (found.int8, found.device, found.threshold) == (100.0, 100.0, 0.0)


def test_regression_has_errors() -> None:
    found = score_of("RELU", [0.0, 1.0, 2.0], np.array([0.5, 1.0, 3.0], np.float32))
    assert found.accuracy is None
    assert found.error is not None
    assert found.error.float_ is None
    assert found.error.int8 is not None
    assert found.error.int8.mean_absolute == pytest.approx(0.5, abs=1e-3)
    assert found.error.device.mean_absolute == pytest.approx(0.5, abs=1e-3)
    assert found.error.device.mean_squared == pytest.approx(1.25 / 3, abs=1e-3)


def test_chance_is_told() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(60) % 2
    blind = score_of("LOGISTIC", random.normal(size=60).tolist(), labels)
    assert [warning.about for warning in blind.warnings] == ["accuracy"]
    assert "the device" in blind.warnings[0].message
    values = (4.0 * labels - 2.0).tolist()
    assert score_of("LOGISTIC", values, labels).warnings == ()
    wrong = score_of("LOGISTIC", values, labels, float_outputs=random.random((60, 1)))
    assert "the float model" in wrong.warnings[0].message


def test_what_quantisation_costs_is_told() -> None:
    labels = np.arange(200) % 2
    values = 4.0 * labels - 2.0
    values[:30] = -2.0
    right = labels.astype(np.float32)[:, None]
    lost = score_of("LOGISTIC", values.tolist(), labels, float_outputs=right)
    assert lost.warnings[0].message == "quantisation costs 7.5 points of accuracy"


@pytest.mark.parametrize(
    ("labels", "limit", "words"),
    [
        (np.array([0.5, 2.0], np.float32), "accuracy_drop", "no accuracy"),
        (np.array([0, 1]), "max_error", "right or wrong"),
    ],
)
def test_limits_are_of_the_task(labels: np.ndarray, limit: str, words: str) -> None:
    task = find_task((np.zeros((2, 3)),), labels, (1,), activation="linear")
    with pytest.raises(InputError, match=words):
        check_limits(BudgetTable.model_validate({limit: 1.0}), task)
    check_limits(BudgetTable.model_validate({limit: 1.0}), None)
