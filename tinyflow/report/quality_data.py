# SPDX-License-Identifier: Apache-2.0
"""The sections of a report that say how good the answers are, and what to beware of."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from tinyflow.report.section import Section


class AccuracySection(Section):
    """Right answers in percent, for classification; `float` is None for a `.tflite` model.

    `task` is "classification" (the largest output counts), "binary classification" or "multi-label
    classification" (an output above `threshold` means 1; percent of samples, or of labels). `int8`
    is that of the quantised model in LiteRT, None if LiteRT cannot run it.
    """

    float_: float | None = Field(alias="float")
    int8: float | None
    device: float
    samples: int
    task: str = "classification"
    threshold: float | None = None


class ErrorsSection(Section):
    """Errors over all samples and elements, in units of the output.

    `explained` is 1 - mean square / variance of the targets (R squared), None for constant
    targets. `auc` is how well a sample's error detects anomalies, None if they are not labelled.
    """

    mean_absolute: float
    mean_squared: float
    explained: float | None
    auc: float | None = None


class ErrorSection(Section):
    """Errors of a regression or of a reconstruction, which is `task`, over the test samples.

    `float` is None for a `.tflite` model, `int8`, of the quantised model in LiteRT, where LiteRT
    cannot run it.
    """

    float_: ErrorsSection | None = Field(alias="float")
    int8: ErrorsSection | None
    device: ErrorsSection
    samples: int
    task: str


class TensorQualitySection(Section):
    """Comparison of a tensor of the quantised model with that of the float model, over all samples.

    `sqnr_db` is the variance of the float values over the mean square of the error, in dB, None
    where they are constant; `cosine` the cosine of the angle between both. `saturated` is the
    percentage of float values outside of the integers' range, `common` that of the most frequent
    integer, `float_common` that of the most frequent float value.
    """

    name: str
    sqnr_db: float | None
    cosine: float
    saturated: float
    common: float
    float_common: float


class QuantizationSection(Section):
    """Comparison of the quantised model with the float model on `samples` of the calibration data.

    `agreement` is the percentage of samples whose largest output is the same, None for one output.
    `clipped` is the percentage of test input values outside of the calibrated range, None if
    there are no real test inputs. `failure` is why there was no comparison, None if there was.
    """

    samples: int
    agreement: float | None = None
    clipped: float | None = None
    failure: str | None = None
    outputs: tuple[TensorQualitySection, ...] = ()
    layers: tuple[TensorQualitySection, ...] = ()


class WarningSection(Section):
    """Something that the figures show and that should not be; `about` is a short keyword."""

    about: str
    message: str


@dataclass(frozen=True)
class Score:
    """Accuracy for classification, else errors; neither without test data."""

    accuracy: AccuracySection | None = None
    error: ErrorSection | None = None
    warnings: tuple[WarningSection, ...] = ()
