# SPDX-License-Identifier: Apache-2.0
"""The interface between the choice of kernels and the memory planner."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tinyflow.kernels.base import Kernel


@dataclass(frozen=True)
class Schedule:
    """A way to run layers whose kernels are chosen.

    Attributes:
        peak: lower bound of its arena, in bytes.
        order: the layers as they run, by their positions in the graph.
        fused_blocks: which of them, by positions in the order, take turns row by row: the first,
            and the one after the last.
    """

    peak: int
    order: tuple[int, ...]
    fused_blocks: tuple[tuple[int, int], ...] = ()

    @property
    def by_rows(self) -> tuple[int, ...]:
        """The layers that run row by row, by their positions in the graph."""
        return tuple(self.order[index] for run in self.fused_blocks for index in range(*run))


def running(kernels: Sequence[Kernel], schedule: Schedule) -> tuple[Kernel, ...]:
    """The kernels that run: `Kernel.by_rows` for the layers that run row by row."""
    by_rows = set(schedule.by_rows)
    return tuple(
        able if index in by_rows and (able := kernel.by_rows) is not None else kernel
        for index, kernel in enumerate(kernels)
    )


class MemoryPlanner(Protocol):
    """Arena sizes and schedules of choices of kernels."""

    @abstractmethod
    def rows(self, kernel: Kernel) -> int:
        """Number of output rows (>= 1)."""

    @abstractmethod
    def least(self, kernels: Sequence[Kernel]) -> int:
        """Lower bound of the arena in bytes, whatever runs row by row."""

    @abstractmethod
    def whole(self, kernels: Sequence[Kernel]) -> Schedule:
        """All layers run whole."""

    @abstractmethod
    def schedule(
        self, kernels: Sequence[Kernel], costs: Sequence[int], room: int
    ) -> Schedule | None:
        """Return the cheapest way to run the layers whose peak fits `room`; None if there is none.

        Args:
            kernels: one for each operator of the graph.
            costs: what each layer costs more if it runs row by row; more than 0.
            room: bytes.
        """

    @abstractmethod
    def arena(self, kernels: Sequence[Kernel], schedule: Schedule) -> int:
        """Arena bytes as a short search finds them: no fewer than `planned_arena`."""

    @abstractmethod
    def planned_arena(self, kernels: Sequence[Kernel], schedule: Schedule) -> int:
        """Arena bytes of the plan that is built."""
