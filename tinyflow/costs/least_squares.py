# SPDX-License-Identifier: Apache-2.0
"""Least squares with coefficients that are not negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Gradients below this, relative to the largest, do not let a coefficient in.
_TOLERANCE = 1e-10


def non_negative_least_squares(matrix: Floats, target: Floats) -> Floats:
    """The x >= 0 with the least `|matrix @ x - target|`.

    The active-set algorithm of Lawson and Hanson, "Solving Least Squares Problems" (1974),
    chapter 23.

    Args:
        matrix: float64 (equations, coefficients).
        target: float64 (equations,).

    Returns:
        float64 (coefficients,).
    """
    count = matrix.shape[1]
    free = np.zeros(count, np.bool_)
    found: Floats = np.zeros(count)
    limit = _TOLERANCE * max(1.0, float(np.abs(matrix.T @ target).max(initial=0.0)))
    for _ in range(3 * count):
        gradient = matrix.T @ (target - matrix @ found)
        entering = np.where(free, -np.inf, gradient)
        if free.all() or entering.max() <= limit:
            break
        free[int(entering.argmax())] = True
        found = _stay_positive(matrix, target, found, free)
    return found


def _stay_positive(
    matrix: Floats, target: Floats, found: Floats, free: NDArray[np.bool_]
) -> Floats:
    """Solve for the free coefficients; those that would become negative are fixed to 0."""
    while True:
        best = np.zeros_like(found)
        best[free] = np.linalg.lstsq(matrix[:, free], target, rcond=None)[0]
        below = free & (best <= 0)
        if not below.any():
            return best
        step = float((found[below] / (found[below] - best[below])).min())
        found = found + step * (best - found)
        free &= found > 1e-12 * max(1.0, float(found.max()))
        found[~free] = 0.0


def fit_relative(work: Floats, measured: Floats, weights: Floats) -> Floats:
    """Fit non-negative coefficients with the least weighted sum of squared relative errors.

    Args:
        work: float64 (measurements, coefficients).
        measured: float64 (measurements,), positive.
        weights: float64 (measurements,), of each measurement.

    Returns:
        float64 (coefficients,).
    """
    matrix = work * (weights / measured)[:, None]
    scale = np.maximum(matrix.max(axis=0), np.finfo(np.float64).tiny)
    found: Floats = non_negative_least_squares(matrix / scale, weights) / scale
    return found
