# SPDX-License-Identifier: Apache-2.0
"""Cases drawn at random, biased to the edges of what each operator accepts.

A strategy draws a case together with its name, which is the Python call that makes it: a failing
case is named by what reproduces it. The seed of a case's constants is its name, too.

Strategies draw only what tinyflow accepts, so that a refusal is a finding; where they leave
something out, a comment names the constraint.
"""

from __future__ import annotations

from tests.conformance.drawn import (
    convolutions,
    detection,
    elementwise,
    floats,
    int4,
    int16,
    litert,
    logic,
    movement,
    quantize,
    signal,
    state,
    streams,
    sums,
    tables,
    windows,
)
from tests.conformance.drawn.values import Cases

#: Strategies by family, and within a family by operator. A new family is one more line.
STRATEGIES: dict[str, dict[str, Cases]] = {
    "convolutions": convolutions.STRATEGIES,
    "detection": detection.STRATEGIES,
    "elementwise": elementwise.STRATEGIES,
    "floats": floats.STRATEGIES,
    "int4": int4.STRATEGIES,
    "int16": int16.STRATEGIES,
    "litert": litert.STRATEGIES,
    "logic": logic.STRATEGIES,
    "movement": movement.STRATEGIES,
    "quantize": quantize.STRATEGIES,
    "signal": signal.STRATEGIES,
    "state": state.STRATEGIES,
    "streams": streams.STRATEGIES,
    "sums": sums.STRATEGIES,
    "tables": tables.STRATEGIES,
    "windows": windows.STRATEGIES,
}
