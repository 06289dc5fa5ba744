"""Caches that replace the line used longest ago, and the branch predictor, run over a trace."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyflow.boards import CacheGeometry

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def misses(lines: Ints, cache: CacheGeometry) -> Bools:
    """Which accesses to lines miss, the cache being empty at first.

    Args:
        lines: (accesses,), line numbers: addresses divided by the size of a line.
        cache: its geometry; line n goes to set n modulo the number of sets.

    Returns:
        Bool (accesses,).
    """
    found = np.zeros(len(lines), np.bool_)
    # Only a change of line can miss.
    changes = np.flatnonzero(np.diff(lines, prepend=-1))
    # A dictionary keeps its order: the line used longest ago comes first.
    sets: list[dict[int, None]] = [{} for _ in range(cache.sets)]
    count, ways = cache.sets, cache.ways
    missed = []
    for position, line in enumerate(lines[changes].tolist()):
        held = sets[line % count]
        if line in held:
            del held[line]
        else:
            missed.append(position)
            if len(held) == ways:
                del held[next(iter(held))]
        held[line] = None
    found[changes[missed]] = True
    return found


def mispredictions(taken: Bools) -> Bools:
    """Which outcomes of one branch a two-bit saturating counter mispredicts.

    The counter starts at weakly not taken, and predicts taken from two upwards.

    Args:
        taken: (outcomes,), in order.

    Returns:
        Bool (outcomes,).
    """
    found = np.zeros(len(taken), np.bool_)
    starts = np.flatnonzero(np.diff(taken.astype(np.int8), prepend=-1))
    lengths = np.diff(starts, append=len(taken))
    counter = 1
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        if taken[start]:
            wrong, counter = max(0, 2 - counter), min(3, counter + length)
        else:
            wrong, counter = max(0, counter - 1), max(0, counter - length)
        found[start : start + min(wrong, length)] = True
    return found
