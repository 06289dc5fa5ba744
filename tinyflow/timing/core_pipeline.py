# SPDX-License-Identifier: Apache-2.0
"""Interface of the core models: the cycles of a block, entered from another one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from tinyflow.timing.instructions import Instruction

Block = Sequence[Instruction]


@dataclass(frozen=True)
class EdgeCost:
    """The cycles that one passage from a block to another adds, memory without wait states.

    Attributes:
        core: for each instruction of the block that is entered. The first may carry what the last
            of the block before gains or loses by being followed by it.
        branch: what the branch at the end of the block before costs beyond its own cycle.
    """

    core: tuple[int, ...]
    branch: int

    @property
    def cycles(self) -> int:
        """All of it."""
        return sum(self.core) + self.branch


@dataclass(frozen=True)
class TimingRule:
    """One figure of a core's timing table.

    Attributes:
        cycles: the figure.
        meaning: when it is charged.
        source: the document and section it is from.
    """

    cycles: int
    meaning: str
    source: str


class Pipeline(ABC):
    """A core's pipeline, with memory that answers at once."""

    #: Name in reports.
    name: str
    #: Cycles that a mispredicted conditional branch costs; 0 for a core that does not predict.
    mispredict: int = 0

    @abstractmethod
    def edge(self, before: Block, block: Block) -> EdgeCost:
        """Return the cost of running `block` right after `before`.

        `before` is empty at the start of what is measured. Whether the branch at its end is taken
        follows from the addresses.
        """

    @abstractmethod
    def rules(self) -> tuple[TimingRule, ...]:
        """The table, for documentation."""

    def block(self, block: Block) -> tuple[int, ...]:
        """Cycles of each instruction of a block that is entered with the pipeline empty."""
        return self.edge((), block).core


def falls_through(before: Block, block: Block) -> bool:
    """`block` begins where `before` ends."""
    return bool(before) and before[-1].end == block[0].address
