"""What the choice of kernels asks the memory planner, and what it is told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tinyflow.kernels.base import Kernel


@dataclass(frozen=True)
class Way:
    """A way to run layers whose kernels are chosen.

    Attributes:
        peak: no arena for it is smaller; bytes.
        order: the layers as they run, by their positions in the graph.
        segments: which of them, by positions in the order, take turns row by row: the first, and
            the one after the last.
    """

    peak: int
    order: tuple[int, ...]
    segments: tuple[tuple[int, int], ...] = ()

    @property
    def by_rows(self) -> tuple[int, ...]:
        """The layers that run row by row, by their positions in the graph."""
        return tuple(self.order[index] for run in self.segments for index in range(*run))


class MemoryPlanner(Protocol):
    """What arenas choices of kernels need."""

    @abstractmethod
    def rows(self, kernel: Kernel) -> int:
        """Of a layer's output, what is computed one by one where it runs row by row."""

    @abstractmethod
    def least(self, kernels: Sequence[Kernel]) -> int:
        """Bytes that the arena has at least, whatever runs row by row."""

    @abstractmethod
    def whole(self, kernels: Sequence[Kernel]) -> Way:
        """All layers run whole."""

    @abstractmethod
    def way(self, kernels: Sequence[Kernel], costs: Sequence[int], room: int) -> Way | None:
        """The cheapest way to run the layers with a peak that the room has; None if there is none.

        Args:
            kernels: one for each operator of the graph.
            costs: what each layer costs more if it runs row by row; more than 0.
            room: bytes.
        """

    @abstractmethod
    def arena(self, kernels: Sequence[Kernel], way: Way) -> int:
        """Bytes of the arena, about: what is placed in no time."""
