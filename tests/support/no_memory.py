# SPDX-License-Identifier: Apache-2.0
"""A memory planner for tests in which memory does not matter: it takes no time for any network."""

from __future__ import annotations

from collections.abc import Sequence

from tinyflow.kernels.base import Kernel
from tinyflow.plan.schedule import MemoryPlanner, Schedule


class NoMemory(MemoryPlanner):
    """All layers run whole, in no memory."""

    def rows(self, kernel: Kernel) -> int:
        """One."""
        return 1

    def least(self, kernels: Sequence[Kernel]) -> int:
        """None."""
        return 0

    def whole(self, kernels: Sequence[Kernel]) -> Schedule:
        """Run all layers whole, in the graph's order."""
        return Schedule(0, tuple(range(len(kernels))))

    def schedule(
        self, kernels: Sequence[Kernel], costs: Sequence[int], room: int
    ) -> Schedule | None:
        """No other one."""
        return None

    def arena(self, kernels: Sequence[Kernel], schedule: Schedule) -> int:
        """None."""
        return 0

    def planned_arena(self, kernels: Sequence[Kernel], schedule: Schedule) -> int:
        """None."""
        return 0
