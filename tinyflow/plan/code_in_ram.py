# SPDX-License-Identifier: Apache-2.0
"""Choice of functions that run from RAM instead of flash, on a board that has RAM for code.

The criterion is an inference's wait for a function's lines from flash, traced in the image that has
all code in flash. Small loops stay in the instruction cache and do not wait; where the loops of an
inference do not fit it together, those with the longest wait per byte are moved.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tinyflow.settings.project_file import Objective

#: The least that moving all functions must save, as a share of the cycles of an inference; none
#: are moved for the other objectives, since code in RAM takes RAM and, for detours, flash.
LEAST_GAIN: Mapping[Objective, float] = {"speed": 0.02, "balanced": 0.05}
#: The same for the wait of one function.
LEAST_WAIT = 0.001
#: Extra cost of a call from flash to RAM or back over one that a BL reaches: the linker's detour
#: takes a load into the PC and, from flash, the line that holds the address.
DETOUR_CYCLES = 10
#: Bytes of such a detour, and of alignment, for each function moved.
_DETOUR_BYTES = 24


@dataclass(frozen=True)
class CodeUse:
    """A function of the image: its bytes, and the cycles an inference waits for its code."""

    size: int
    waits: int


class FetchProfile(ABC):
    """Profile of an inference's code fetches, all of them from flash.

    Attributes:
        cycles: of the inference.
        functions: by name; those that ran.
        calls: by names (caller, called), how often.
    """

    cycles: int
    functions: Mapping[str, CodeUse]
    calls: Mapping[tuple[str, str], int]

    @abstractmethod
    def waits_without(self, moved: Collection[str]) -> int:
        """Cycles of waiting for code that are left when some functions are not in flash."""


@dataclass(frozen=True)
class CodePlacement:
    """The functions to copy to RAM at reset.

    Attributes:
        functions: their names, sorted.
        size: bytes, detours not counted.
        gain: cycles of an inference that this is predicted to save.
        cycles: of an inference with all code in flash.
    """

    functions: tuple[str, ...]
    size: int
    gain: int
    cycles: int

    @property
    def room(self) -> int:
        """Bytes that they may take in RAM, with detours."""
        return self.size + _DETOUR_BYTES * len(self.functions)


def place_code(
    profile: FetchProfile, capacity: int, optimize: Objective = "speed"
) -> CodePlacement | None:
    """Choose the functions that run from RAM.

    Functions with the longest wait per byte come first, then those whose calls would cross between
    flash and RAM too often. The remaining waits are predicted exactly, since the order of
    execution stays the same.

    Args:
        profile: of the image with all code in flash.
        capacity: bytes of RAM for code.
        optimize: the build's objective.

    Returns:
        None if that would not save the share that `LEAST_GAIN` asks for.
    """
    before = profile.waits_without(())
    least = LEAST_GAIN.get(optimize, 1.0) * profile.cycles
    if before < least:
        return None
    chosen: set[str] = set()
    room = capacity
    for name in _candidates(profile):
        room = _take(name, profile, chosen, room)
    while (other := _frequent_other_end(profile, chosen, room)) is not None:
        room = _take(other, profile, chosen, room)
    crossings = sum(
        count for ends, count in profile.calls.items() if len(chosen.intersection(ends)) == 1
    )
    gain = before - profile.waits_without(chosen) - DETOUR_CYCLES * crossings
    if not chosen or gain < least:
        return None
    size = sum(profile.functions[name].size for name in chosen)
    return CodePlacement(tuple(sorted(chosen)), size, gain, profile.cycles)


def _candidates(profile: FetchProfile) -> list[str]:
    """The functions that wait long enough, those first that wait most for each byte."""
    found = {
        name: use.waits / max(1, use.size)
        for name, use in profile.functions.items()
        if use.waits >= LEAST_WAIT * profile.cycles
    }
    return sorted(found, key=lambda name: (-found[name], name))


def _take(name: str, profile: FetchProfile, chosen: set[str], room: int) -> int:
    """Choose the function if there is room for it; returns the room that is left."""
    needed = profile.functions[name].size + _DETOUR_BYTES
    if needed > room:
        return room
    chosen.add(name)
    return room - needed


def _frequent_other_end(profile: FetchProfile, chosen: set[str], room: int) -> str | None:
    """A function in flash whose calls from or to RAM cost as much as is worth moving it."""
    least = LEAST_WAIT * profile.cycles
    found = {
        name: count
        for ends, count in profile.calls.items()
        if len(chosen.intersection(ends)) == 1 and count * DETOUR_CYCLES >= least
        for name in set(ends) - chosen
        if profile.functions[name].size + _DETOUR_BYTES <= room
    }
    return max(found, key=lambda name: (found[name], name), default=None)
