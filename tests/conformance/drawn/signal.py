# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of the operators of TFLM's signal library that keep no state."""

from __future__ import annotations

import math

from hypothesis import assume
from hypothesis import strategies as st

from tests.conformance.drawn.values import Cases, Draw, Drawn, named, shapes
from tests.conformance.signal import (
    auto_scale,
    divided,
    energy,
    fft,
    filter_bank,
    logarithm,
    pcan,
    square_root,
    unquantised,
    window,
)

_shift = st.integers(0, 31)


@st.composite
def _window(draw: Draw) -> Drawn:
    size = draw(st.integers(1, 40))
    rows = draw(shapes(0, 2, extent=3))
    return named(window, (*rows, size * draw(st.integers(1, 2))), size, draw(_shift))


@st.composite
def _auto_scale(draw: Draw) -> Drawn:
    bound = st.integers(-(2**15), 2**15 - 1) | st.integers(-20, 20) | st.sampled_from([-(2**15), 0])
    low, high = sorted([draw(bound), draw(bound)])
    return named(auto_scale, draw(st.integers(1, 30)), least=low, greatest=high)


@st.composite
def _fft(draw: Draw) -> Drawn:
    twos = draw(st.integers(1, 8))
    points = 2**twos * 3 ** draw(st.integers(0, 2)) * 5 ** draw(st.integers(0, 2))
    points //= draw(st.sampled_from([1, 2])) if points > 2 else 1
    assume(points <= 256)
    batch = draw(shapes(0, 2, extent=2))
    assume(math.prod(batch) * points <= 512)
    inverse = draw(st.booleans())
    samples = None if inverse else draw(st.none() | st.integers(1, 2 * points))
    dtype = draw(st.sampled_from(["int16", "int32", "float32"]))
    return named(fft, 2 * points, dtype, samples=samples, batch=batch, inverse=inverse)


@st.composite
def _energy(draw: Draw) -> Drawn:
    bins = draw(st.integers(1, 60))
    start = draw(st.integers(0, bins - 1))
    return named(energy, bins, start, draw(st.integers(start + 1, bins)))


@st.composite
def _filter_bank(draw: Draw) -> Drawn:
    widths = draw(st.lists(st.integers(-1, 9), min_size=2, max_size=12))
    return named(filter_bank, tuple(widths), draw(st.integers(max(1, *widths), 40)))


@st.composite
def _pcan(draw: Draw) -> Drawn:
    return named(
        pcan,
        draw(st.integers(1, 40)),
        draw(st.integers(0, 63)),
        draw(st.sampled_from([125, 126, 200])),
        draw(st.sampled_from([2**15 - 1, 1000, 10])),
    )


@st.composite
def _logarithm(draw: Draw) -> Drawn:
    scale = draw(st.sampled_from([64, 1, -1]) | st.integers(-(2**31), 2**31 - 1))
    return named(logarithm, draw(st.integers(1, 40)), scale, draw(_shift))


@st.composite
def _divided(draw: Draw) -> Drawn:
    divisor = st.integers(-(2**31), 2**31 - 1) | st.integers(-9, 9)
    divisors = draw(st.lists(divisor.filter(bool), min_size=1, max_size=9))
    return named(divided, (draw(st.integers(1, 5)), len(divisors)), tuple(divisors))


STRATEGIES: dict[str, Cases] = {
    "DIV of int32": _divided(),
    "RESHAPE, STRIDED_SLICE, CONCATENATION without a scale": st.builds(
        lambda dtype: named(unquantised, dtype), st.sampled_from(["int8", "int16", "int32"])
    ),
    "SignalEnergy": _energy(),
    "SignalFftAutoScale": _auto_scale(),
    "SignalFilterBank": _filter_bank(),
    "SignalFilterBankLog": _logarithm(),
    "SignalFilterBankSquareRoot": st.builds(
        lambda size: named(square_root, size), st.integers(1, 40)
    ),
    "SignalPCAN": _pcan(),
    "SignalRfft, SignalIrfft": _fft(),
    "SignalWindow": _window(),
}
