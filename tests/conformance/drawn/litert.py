# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of what TFLM lacks in int8 and LiteRT's reference kernels have."""

from __future__ import annotations

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.values import Cases, Draw, Drawn, named, quantised, shapes
from tests.conformance.tables import unary

#: Up to which the scale may exceed the output's.
_LARGEST_RATIO = 2.0**30


def _function(kind: str) -> Cases:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        source, output = draw(quantised), draw(quantised)
        assume(source[0] < _LARGEST_RATIO * output[0])
        options: dict[str, Any] = {}
        if kind == "GELU":
            options["approximate"] = draw(st.booleans())
        return named(unary, kind, draw(shapes(1, 5)), source, output, **options)

    return drawn()


STRATEGIES: dict[str, Cases] = {kind: _function(kind) for kind in ("EXP", "GELU", "LOG")}
