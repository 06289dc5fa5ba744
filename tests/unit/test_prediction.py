# SPDX-License-Identifier: Apache-2.0
"""Reports of predictions that were wrong and of limits that cannot be kept."""

from __future__ import annotations

from tinyflow.report.prediction import (
    describe_prediction,
    describe_shortfall,
    prediction_section,
)
from tinyflow.report.report_data import (
    LayerSection,
    NearestSection,
    ShortfallSection,
    SplitSection,
)

SPLIT = SplitSection(core=0, branch=0, flash_data=0, fetch=0, ram=0)


def layer(name: str, predicted: int | None, measured: int) -> LayerSection:
    return LayerSection(
        name=name,
        operator="CONV_2D",
        kernel="kernel",
        macs=0,
        instructions=0,
        cycles=measured,
        ms=0.0,
        energy_uj=None,
        split=SPLIT,
        predicted_cycles=predicted,
    )


def test_a_right_prediction_is_no_warning() -> None:
    found = prediction_section([layer("a", 1000, 1149), layer("b", None, 99_999)], gain=0)
    assert found is not None
    assert (found.cycles, found.measured, found.layers) == (1000, 1149, ())
    assert describe_prediction(found) is None


def test_a_wrong_prediction_names_the_layer() -> None:
    layers = [layer("right", 5000, 5010), layer("wrong", 1000, 12_000), layer("off", 100, 90)]
    found = prediction_section(layers, gain=0)
    assert found is not None
    assert found.layers[0].name == "wrong"
    text = describe_prediction(found)
    assert text is not None
    assert "180 % more cycles than predicted" in text
    assert "wrong takes 12,000 instead of 1,000" in text
    fewer = prediction_section([layer("fast", 1000, 500)], gain=0)
    assert fewer is not None
    assert "50 % fewer" in (describe_prediction(fewer) or "")


def test_what_was_copied_to_ram_was_predicted() -> None:
    found = prediction_section([layer("a", 1000, 600)], gain=400)
    assert found is not None
    assert found.off_percent == 0.0


def test_nothing_is_compared_without_a_prediction() -> None:
    assert prediction_section([layer("a", None, 5)], gain=0) is None


def test_the_nearest_builds_are_listed() -> None:
    figures = {"latency_ms": 2.5, "ram_kib": 4.75, "flash_kib": 20.0}
    text = describe_shortfall(
        ShortfallSection(
            limits={"ram_kib": 5.0, "latency_ms": 1.0},
            broken=("latency_ms",),
            nearest=(
                NearestSection(limit="ram_kib", kept=True, **figures),
                NearestSection(limit="latency_ms", kept=False, **figures),
            ),
        )
    )
    assert "keeps RAM of 5 KiB and latency of 1 ms together" in text
    assert "for the limit on RAM alone 2.5 ms, 4.75 KiB of RAM, 20 KiB of flash" in text
    assert "none keeps the limit on latency alone, the best has 2.5 ms" in text
