# SPDX-License-Identifier: Apache-2.0
"""Predicted and measured cycles, and what was possible if limits cannot all be kept."""

from __future__ import annotations

from collections.abc import Sequence

from tinyflow.report.report_data import (
    LayerSection,
    OffSection,
    PredictionSection,
    Report,
    ShortfallSection,
)

#: A build whose cycles are further from the prediction is reported, in percent.
MOST_OFF_PERCENT = 15
#: Layers that a warning names.
_NAMED = 3
_LIMITS = {"latency_ms": "latency", "ram_kib": "RAM", "flash_kib": "flash"}


def prediction_section(layers: Sequence[LayerSection], gain: int) -> PredictionSection | None:
    """The comparison of predicted and measured cycles, over the layers that have a prediction.

    Args:
        layers: all that run code.
        gain: cycles that copying code and constants to RAM was predicted to save.

    Returns:
        None if no layer has a prediction.
    """
    known = [layer for layer in layers if layer.predicted_cycles is not None]
    if not known:
        return None
    expected = max(1, sum(layer.predicted_cycles or 0 for layer in known) - gain)
    measured = sum(layer.cycles for layer in known)
    off = 100 * (measured - expected) / expected
    apart = sorted(
        (
            OffSection(name=layer.name, predicted=own, measured=layer.cycles)
            for layer in known
            if (own := layer.predicted_cycles) is not None
        ),
        key=lambda one: -abs(one.measured - one.predicted),
    )
    wrong = abs(off) > MOST_OFF_PERCENT
    return PredictionSection(
        cycles=expected,
        measured=measured,
        off_percent=round(off, 1),
        layers=tuple(apart[:_NAMED]) if wrong else (),
    )


def selection_warnings(report: Report) -> list[str]:
    """Warnings of a wrong prediction and of limits that cannot be kept."""
    prediction, shortfall = report.kernels.prediction, report.kernels.shortfall
    texts = (
        prediction and describe_prediction(prediction),
        shortfall and describe_shortfall(shortfall),
    )
    return [text for text in texts if text]


def describe_prediction(prediction: PredictionSection) -> str | None:
    """Describe the error of the prediction, and the layers it comes from; None if it is right."""
    if abs(prediction.off_percent) <= MOST_OFF_PERCENT:
        return None
    than = "more" if prediction.off_percent > 0 else "fewer"
    layers = "; ".join(
        f"{one.name} takes {one.measured:,} instead of {one.predicted:,}"
        for one in prediction.layers
    )
    return (
        f"the layers take {abs(prediction.off_percent):.0f} % {than} cycles than predicted, "
        f"{prediction.measured:,} instead of {prediction.cycles:,}, so another choice of "
        f"kernels may be better: {layers}"
    )


def describe_shortfall(shortfall: ShortfallSection) -> str:
    """Describe the limits that cannot be kept, and the nearest possible builds, in one line."""
    limits = " and ".join(
        f"{_LIMITS[name]} of {limit:.4g} {_unit(name)}" for name, limit in shortfall.limits.items()
    )
    together = " together" if len(shortfall.limits) > 1 else ""
    builds = "; ".join(
        f"{'for' if build.kept else 'none keeps'} the limit on {_LIMITS[build.limit]} alone"
        f"{'' if build.kept else ', the best has'} "
        f"{build.latency_ms:.4g} ms, {build.ram_kib:.4g} KiB of RAM, "
        f"{build.flash_kib:.4g} KiB of flash"
        for build in shortfall.nearest
    )
    return f"no build was found that keeps {limits}{together}; the nearest, as predicted: {builds}"


def shortfall_hint(shortfall: ShortfallSection | None) -> str:
    """Return the same as a sentence to add to a hint; empty if no limit is broken."""
    if shortfall is None:
        return ""
    text = describe_shortfall(shortfall)
    return f" {text[0].upper()}{text[1:]}."


def _unit(name: str) -> str:
    return "ms" if name == "latency_ms" else "KiB"
