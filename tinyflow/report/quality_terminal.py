# SPDX-License-Identifier: Apache-2.0
"""Terminal output about the quality of the answers."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.text import Text

from tinyflow.report.quality_data import ErrorSection, ErrorsSection, TensorQualitySection
from tinyflow.report.report_data import Report

#: Title and text of a line of the summary.
Row = tuple[str | Text, str | Text]


def quality_rows(report: Report) -> Iterator[Row]:
    """Accuracy or errors, what quantisation costs, and the warnings."""
    if report.accuracy is not None:
        accuracy = report.accuracy
        shown = "" if accuracy.float_ is None else f"float {accuracy.float_:.2f} %, "
        shown += "" if accuracy.int8 is None else f"quantised {accuracy.int8:.2f} %, "
        plain = accuracy.task == "classification"
        kind = "" if plain else f"; {accuracy.task} at {accuracy.threshold:g}"
        yield (
            "accuracy",
            f"{shown}device {accuracy.device:.2f} % ({accuracy.samples:,} samples{kind})",
        )
    if report.error is not None:
        yield "mean error", _errors(report.error)
    found = report.quantization
    if found is not None and found.failure is not None:
        yield "quantised", f"not compared with the float model: {escape(found.failure)}"
    elif found is not None and found.outputs:
        worst = min(found.layers, key=_ratio)
        yield (
            "quantised",
            f"signal to error {_decibels(min(found.outputs, key=_ratio))} at the output, "
            f"{_decibels(worst)} at the worst layer ({found.samples} calibration samples)",
        )
    for warning in report.warnings:
        yield (
            Text("warning", style="bold yellow"),
            Text(f"{warning.about}: {warning.message}", style="yellow"),
        )


def _ratio(tensor: TensorQualitySection) -> float:
    return 1000.0 if tensor.sqnr_db is None else tensor.sqnr_db


def _decibels(tensor: TensorQualitySection) -> str:
    return "-" if tensor.sqnr_db is None else f"{tensor.sqnr_db:.1f} dB"


def _errors(found: ErrorSection) -> str:
    def both(errors: ErrorsSection) -> str:
        auc = "" if errors.auc is None else f", AUC {errors.auc:.3f}"
        return f"{errors.mean_absolute:.4g} (squared {errors.mean_squared:.4g}{auc})"

    parts = [("float", found.float_), ("quantised", found.int8), ("device", found.device)]
    shown = ", ".join(f"{name} {both(errors)}" for name, errors in parts if errors is not None)
    return f"{shown}; {found.task}, {found.samples:,} samples"
