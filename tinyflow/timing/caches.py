# SPDX-License-Identifier: Apache-2.0
"""Caches that replace the line used longest ago, and the branch predictor, run over a trace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyflow.boards import CacheGeometry

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def misses(lines: Ints, cache: CacheGeometry) -> Bools:
    """Return which accesses to lines miss, starting from an empty cache.

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


#: A cache's content: of each set the lines it holds, the one used longest ago first.
_Content = tuple[tuple[int, ...], ...]


class _State(dict[int, tuple["_State", int]]):
    """A content, and by run of code the content after it and the lines it missed.

    Programs loop, so that few contents occur, and each step is found after its first time.
    """

    def __init__(self, content: _Content, runs: _Runs) -> None:
        super().__init__()
        self._content = content
        self._runs = runs

    def __missing__(self, run: int) -> tuple[_State, int]:
        content, missed = list(self._content), 0
        for line in self._runs.lines[run]:
            index = line % len(content)
            held = [other for other in content[index] if other != line]
            if len(held) == len(content[index]):
                missed += 1
                held = held[-(self._runs.ways - 1) :] if self._runs.ways > 1 else []
            content[index] = (*held, line)
        self[run] = step = (self._runs.state(tuple(content)), missed)
        return step


class _Runs:
    """The runs of code of a program, and the cache contents they have led to so far."""

    def __init__(self, lines: Sequence[Sequence[int]], cache: CacheGeometry) -> None:
        self.lines = lines
        self.ways = cache.ways
        self._states: dict[_Content, _State] = {}

    def state(self, content: _Content) -> _State:
        if content not in self._states:
            self._states[content] = _State(content, self)
        return self._states[content]


def run_misses(runs: Ints, lines: Sequence[Sequence[int]], cache: CacheGeometry) -> Ints:
    """Count the lines that each run of code misses, starting from an empty cache.

    The same as `misses` over the lines of one run after the other, in less time.

    Args:
        runs: (executions,), numbers of the runs in the order they are executed.
        lines: for each run, the lines it touches, in order.
        cache: its geometry.

    Returns:
        int64 (executions,).
    """
    state = _Runs(lines, cache).state(((),) * cache.sets)
    found = np.zeros(len(runs), np.int64)
    for position, run in enumerate(runs.tolist()):
        state, missed = state[run]
        if missed:
            found[position] = missed
    return found


def mispredictions(taken: Bools) -> Bools:
    """Return which outcomes of one branch a two-bit saturating counter mispredicts.

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
