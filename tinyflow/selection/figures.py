# SPDX-License-Identifier: Apache-2.0
"""Cycles, flash and memory of one choice of kernels, kept from search to search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from tinyflow.kernels.base import Kernel
from tinyflow.plan.schedule import MemoryPlanner, Schedule
from tinyflow.selection.priced_kernels import (
    PricedKernel,
    cost_of_rows,
    flash_of_rows,
    least_flash,
)


class PricedSchedule:
    """A way to run a choice of kernels, with its figures."""

    def __init__(
        self, options: Sequence[PricedKernel], schedule: Schedule, cycles: int, flash: int
    ) -> None:
        self.schedule = schedule
        self.cycles = cycles + cost_of_rows(options, schedule).cycles
        self.flash = flash + flash_of_rows(options, schedule)
        self.arena: int | None = None


class ChoiceFigures:
    """The figures of one choice of kernels; what was computed is kept.

    Searches with other starts, objectives and limits come to the same choices again and again.

    Attributes:
        options: of each layer.
        cycles: if all layers run whole.
        flash: the same; bytes.
        floor: bytes of flash that no schedule goes below.
    """

    def __init__(
        self, options: Sequence[PricedKernel], cycles: int, flash: int, planner: MemoryPlanner
    ) -> None:
        self.options, self.cycles, self.flash = options, cycles, flash
        self.floor = least_flash(options, flash)
        self._planner = planner
        #: Each with the most room that it was the cheapest in.
        self._priced: list[tuple[int, PricedSchedule]] = []
        #: Bytes of room that no schedule has.
        self._too_little = -1

    @cached_property
    def _kernels(self) -> list[Kernel]:
        return [option.kernel for option in self.options]

    @cached_property
    def _costs(self) -> list[int]:
        return [1 if one.by_rows is None else one.by_rows.cycles for one in self.options]

    @cached_property
    def whole(self) -> PricedSchedule:
        """All layers run whole."""
        return self._price(self._planner.whole(self._kernels))

    def least(self) -> int:
        """Bytes that no arena is below; more once more is known."""
        return self._planner.least(self._kernels)

    def within(self, room: int) -> PricedSchedule | None:
        """The cheapest schedule with a peak of at most `room` bytes, or None."""
        if room <= self._too_little:
            return None
        for most, priced in self._priced:
            if priced.schedule.peak <= room <= most:
                return priced
        schedule = self._planner.schedule(self._kernels, self._costs, room)
        if schedule is None:
            self._too_little = room
            return None
        priced = self._price(schedule)
        self._priced.append((room, priced))
        return priced

    def arena(self, priced: PricedSchedule) -> int:
        """Bytes."""
        if priced.arena is None:
            priced.arena = self._planner.arena(self._kernels, priced.schedule)
        return priced.arena

    def _price(self, schedule: Schedule) -> PricedSchedule:
        return PricedSchedule(self.options, schedule, self.cycles, self.flash)
