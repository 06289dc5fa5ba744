# SPDX-License-Identifier: Apache-2.0
"""Sets of a network's channels that can only be removed together.

Every channel of every producer (a convolution's filter, a Dense unit) gets a number. A tensor
is described by the numbers along its last axis: a depthwise layer repeats them, Flatten tiles
them, Concatenate joins them, and Add ties two tensors' numbers pairwise in a union-find. What
is left is a partition of all channels into sets that can only be removed as a whole, as in
DepGraph (Fang et al. 2023, arXiv:2301.12900), at the grain of single channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Producer:
    """A layer that makes new channels.

    Attributes:
        name: the layer's name.
        ids: the channels' numbers, in order.
        norms: the L1 norm of each channel's weights.
        spatial: whether its window has more than one position: a convolution of 1x1 and a Dense
            layer have none.
    """

    name: str
    ids: Ids
    norms: npt.NDArray[np.float64]
    spatial: bool = False


@dataclass(frozen=True)
class Granularity:
    """Multiples that numbers of kept channels are rounded to, where there are enough channels.

    Attributes:
        spatial: for convolutions with a window.
        pointwise: for all others.
    """

    spatial: int = 1
    pointwise: int = 1

    def of(self, producer: Producer) -> int:
        """Return the granularity of a layer."""
        return self.spatial if producer.spatial else self.pointwise


class ChannelSets:
    """A union-find over channels; a set with a reason attached may not be removed."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._reasons: dict[int, str] = {}
        self.producers: list[Producer] = []

    def fresh(self, count: int) -> Ids:
        """Numbers for `count` new channels, each its own set."""
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return np.arange(start, start + count, dtype=np.int64)

    def produce(self, name: str, norms: npt.NDArray[np.float64], *, spatial: bool = False) -> Ids:
        """New channels of the layer `name`, one per norm."""
        ids = self.fresh(len(norms))
        self.producers.append(Producer(name, ids, norms, spatial))
        return ids

    def tie(self, left: Ids, right: Ids) -> None:
        """Tie the channels of two tensors together, pairwise."""
        for a, b in zip(left.tolist(), right.tolist(), strict=True):
            first, second = self.find(a), self.find(b)
            if first != second:
                low, high = min(first, second), max(first, second)
                self._parent[high] = low
                reason = self._reasons.pop(high, None)
                if reason is not None:
                    self._reasons.setdefault(low, reason)

    def freeze(self, ids: Ids, reason: str, *, first: bool = False) -> None:
        """Forbid the removal of these channels and of all tied to them.

        The first reason given stays, unless this one is to be `first`.
        """
        for number in ids.tolist():
            root = self.find(number)
            self._reasons[root] = reason if first else self._reasons.get(root, reason)

    def find(self, number: int) -> int:
        """The representative of a channel's set."""
        root = number
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[number] != root:
            self._parent[number], number = root, self._parent[number]
        return root

    def roots(self, ids: Ids) -> Ids:
        """The representatives of many channels."""
        return np.array([self.find(number) for number in ids.tolist()], dtype=np.int64)

    def reason(self, root: int) -> str | None:
        """Why a set may not be removed; None when it may."""
        return self._reasons.get(root)

    @property
    def count(self) -> int:
        """Number of channels."""
        return len(self._parent)


def choose_channels(
    sets: ChannelSets, ratio: float, *, granularity: Granularity, minimum: int
) -> Mask:
    """Choose the channels that stay: one bool per channel number.

    Each producer loses `ratio` of its channels, rounded down, and keeps at least `minimum`
    and a multiple of `granularity`. Sets go in ascending order of the sum of their members'
    L1 norms; a set goes only while every producer in it may still lose its part, so that
    layers tied by an Add shrink alike.
    """
    keep = np.ones(sets.count, dtype=np.bool_)
    quota = [
        _removable(len(producer.ids), ratio, granularity.of(producer), minimum)
        for producer in sets.producers
    ]
    scores: dict[int, float] = {}
    members: dict[int, dict[int, int]] = {}
    channels: dict[int, list[int]] = {}
    for index, producer in enumerate(sets.producers):
        roots = sets.roots(producer.ids).tolist()
        for root, number, norm in zip(
            roots, producer.ids.tolist(), producer.norms.tolist(), strict=True
        ):
            scores[root] = scores.get(root, 0.0) + norm
            counts = members.setdefault(root, {})
            counts[index] = counts.get(index, 0) + 1
            channels.setdefault(root, []).append(number)
    for root in sorted(scores, key=lambda root: (scores[root], root)):
        if sets.reason(root) is not None:
            continue
        if all(quota[index] >= count for index, count in members[root].items()):
            for index, count in members[root].items():
                quota[index] -= count
            keep[channels[root]] = False
    if max(granularity.spatial, granularity.pointwise) > 1:
        best_first = sorted(scores, key=lambda root: (-scores[root], root))
        _fill_granules(keep, sets.producers, [channels[root] for root in best_first], granularity)
    return keep


def _removable(count: int, ratio: float, granularity: int, minimum: int) -> int:
    # The small term keeps 10 * 0.3 from rounding down to 2.
    kept = max(count - int(count * ratio + 1e-9), minimum, 1)
    kept = -(-kept // granularity) * granularity
    return max(0, count - kept)


def _fill_granules(
    keep: Mask, producers: list[Producer], best_first: list[list[int]], granularity: Granularity
) -> None:
    """Put sets back where another producer's limit left one between two granules."""
    changed = True
    while changed:
        changed = False
        for producer in producers:
            own = set(producer.ids.tolist())
            granule = granularity.of(producer)
            while keep[producer.ids].sum() % granule and not keep[producer.ids].all():
                back = next(
                    numbers
                    for numbers in best_first
                    if not keep[numbers].any() and not own.isdisjoint(numbers)
                )
                keep[back] = True
                changed = True
