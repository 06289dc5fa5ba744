# SPDX-License-Identifier: Apache-2.0
"""The tables of kissfft, which TFLM's transforms compute with, and that of its logarithm."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.types import DType

#: One in the fixed point of the tables, by type: all bits but the sign.
_ONE = {DType.INT16: 2**15 - 1, DType.INT32: 2**31 - 1}
#: Segments of the logarithm's table, and what 1 is in it.
_SEGMENTS, _LOG_ONE = 128, 1 << 16


def twiddles(points: int, dtype: DType, *, inverse: bool) -> NDArray[np.generic]:
    """The factors of a transform of complex points: [points, 2] (`kiss_fft_alloc`)."""
    phases = [-2 * math.pi * index / points for index in range(points)]
    return _exponentials(phases, dtype, inverse=inverse)


def halves(points: int, dtype: DType, *, inverse: bool) -> NDArray[np.generic]:
    """The factors between those of the points, for a real spectrum: [points // 2, 2].

    Turned by a quarter (`kiss_fftr_alloc`).
    """
    phases = [-math.pi * ((index + 1) / points + 0.5) for index in range(points // 2)]
    return _exponentials(phases, dtype, inverse=inverse)


def _exponentials(phases: list[float], dtype: DType, *, inverse: bool) -> NDArray[np.generic]:
    """Real and imaginary part of exp(i * phase), rounded to the type."""
    turned = [-phase for phase in phases] if inverse else phases
    parts = np.array([(math.cos(phase), math.sin(phase)) for phase in turned], np.float64)
    if dtype in _ONE:
        parts = np.floor(0.5 + _ONE[dtype] * parts)
    return parts.astype(dtype.numpy)


def log_segments() -> NDArray[np.uint16]:
    """Return log2(1 + i / 128) - i / 128, times 2^16, followed by a 0: [130] (`kLogLut`)."""
    found = np.zeros(_SEGMENTS + 2, np.uint16)
    for index in range(_SEGMENTS):
        part = index / _SEGMENTS
        found[index] = round(_LOG_ONE * (math.log2(1 + part) - part))
    return found
