# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of the post-processing of object detectors."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.conformance.detection import detections
from tests.conformance.drawn.values import Cases, Draw, Drawn, named


@st.composite
def _detections(draw: Draw) -> Drawn:
    return named(
        detections,
        draw(st.integers(1, 40)),
        draw(st.integers(1, 5)),
        most=draw(st.integers(1, 20)),
        background=draw(st.booleans()),
        regular=draw(st.booleans()),
        per_class=draw(st.none() | st.integers(1, 9)),
        least=draw(st.sampled_from([0.0, 0.2, 0.5, 0.9, -1.0])),
        overlap=draw(st.sampled_from([1e-6, 0.3, 0.5, 0.6, 1.0])),
        coordinates=draw(st.sampled_from([4, 4, 5])),
        spread=draw(st.sampled_from([1.0, 0.01, 10.0])),
        levels=draw(st.sampled_from([256, 16, 2])),
    )


STRATEGIES: dict[str, Cases] = {"TFLite_Detection_PostProcess": _detections()}
