# SPDX-License-Identifier: Apache-2.0
"""Choice of constants of the model that are copied to RAM, on a board whose flash is slower to
read.

The criterion is an inference's wait for an array in flash, traced in the image that has all of them
in flash: an array that is read once waits for each of its lines, one that is read repeatedly may
wait for them every time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tinyflow.boards import DataRam

#: The least that moving arrays must save together, as a share of the cycles of an inference. They
#: are moved for speed, or if RAM is asked for: the other objectives save RAM.
LEAST_GAIN = 0.02
#: Cycles that an inference waits for each byte of an array that is read over and over. Reading an
#: array once takes less on every shipped board: 0.75 at most, where its words are read as such.
HOT = Decimal(1)
#: Arrays begin at whole words.
_WORD = 4


@dataclass(frozen=True)
class ArrayUse:
    """A constant array: its bytes, and how an inference reads it.

    Attributes:
        size: bytes.
        misses: reads that wait for flash.
        bursts: runs of neighbouring loads.
    """

    size: int
    misses: int
    bursts: int

    @property
    def words(self) -> int:
        """Bytes that it takes, up to the next word."""
        return -(-self.size // _WORD) * _WORD


class ReadProfile(ABC):
    """Profile of an inference's reads of constants, all of them in flash.

    Attributes:
        cycles: of the inference.
        miss_cycles: wait of a read that misses the caches.
        arrays: by symbol; those that were read.
    """

    cycles: int
    miss_cycles: Decimal
    arrays: Mapping[str, ArrayUse]

    @abstractmethod
    def waits_with(self, moved: Mapping[str, int]) -> int:
        """Cycles of waiting for data when some arrays lie in RAM, each at its address."""


@dataclass(frozen=True)
class PlacedWeights:
    """The arrays to copy to one piece of RAM at reset.

    Attributes:
        origin: where they begin.
        room: bytes there are from `origin` on.
        arrays: their symbols, in the order they lie.
        size: bytes.
        gain: cycles of an inference that this is predicted to save.
    """

    origin: int
    room: int
    arrays: tuple[str, ...]
    size: int
    gain: int


def place_weights(
    profile: ReadProfile,
    rams: Sequence[DataRam],
    capacity: int,
    least_wait: Decimal = Decimal(0),
) -> tuple[PlacedWeights, ...]:
    """Choose the constant arrays that lie in RAM, and in which.

    Arrays with the longest wait per byte come first, and take the fastest RAM with room for them.
    Each must gain something there; an array is never split. Their total gain is predicted exactly,
    since the reads and their order stay the same.

    Args:
        profile: of the image with all constants in flash.
        rams: free pieces of the board's RAM, each beginning at a whole word.
        capacity: bytes that all arrays may take.
        least_wait: cycles that an inference must wait for each byte of an array that is moved.

    Returns:
        The RAMs that are used, in the order of their addresses; empty where all of it would not
        save the share that `LEAST_GAIN` asks for.
    """
    least = LEAST_GAIN * profile.cycles
    if sum(use.misses for use in profile.arrays.values()) * profile.miss_cycles < least:
        return ()
    chosen = _chosen(profile, rams, capacity, least_wait)
    placed: list[PlacedWeights] = []
    moved: dict[str, int] = {}
    waits = first = profile.waits_with({})
    for ram in sorted(chosen, key=lambda ram: ram.origin):
        address = ram.origin
        for name in chosen[ram]:
            moved[name] = address
            address += profile.arrays[name].words
        before, waits = waits, profile.waits_with(moved)
        size = address - ram.origin
        arrays = tuple(chosen[ram])
        placed.append(PlacedWeights(ram.origin, ram.size, arrays, size, before - waits))
    return tuple(placed) if first - waits >= least else ()


def _chosen(
    profile: ReadProfile, rams: Sequence[DataRam], capacity: int, least_wait: Decimal
) -> dict[DataRam, list[str]]:
    """The arrays in each RAM that takes any, in the order they were chosen."""
    fastest = sorted(rams, key=lambda ram: (ram.miss_cycles + ram.burst_cycles, ram.origin))
    free = {ram: ram.size for ram in fastest}
    chosen: dict[DataRam, list[str]] = {}
    for name in _by_waits(profile):
        use = profile.arrays[name]
        if use.misses * profile.miss_cycles < least_wait * use.words:
            break
        ram = next((ram for ram in fastest if use.words <= min(free[ram], capacity)), None)
        if ram is None or _gain(profile, use, ram) <= 0:
            continue
        free[ram] -= use.words
        capacity -= use.words
        chosen.setdefault(ram, []).append(name)
    return chosen


def _by_waits(profile: ReadProfile) -> list[str]:
    """The arrays, those first that wait most for each byte."""
    share = {name: use.misses / use.words for name, use in profile.arrays.items()}
    return sorted(share, key=lambda name: (-share[name], name))


def _gain(profile: ReadProfile, use: ArrayUse, ram: DataRam) -> Decimal:
    """Estimate the cycles saved on an array's reads in a RAM."""
    return use.misses * (profile.miss_cycles - ram.miss_cycles) - use.bursts * ram.burst_cycles
