# SPDX-License-Identifier: Apache-2.0
"""The blocks that a plan places, for layers in a certain order."""

from __future__ import annotations

from collections.abc import Iterator

from tinyflow.ir.graph import Graph
from tinyflow.kernels.base import Kernel
from tinyflow.plan.allocator import Block, InPlaceOverlap
from tinyflow.plan.fused_blocks import FusedBlock, row_bytes
from tinyflow.plan.lifetimes import Lifetimes, overlap


class Layout:
    """The blocks to place; a fused block is one step, in which all of its memory is in use.

    Attributes:
        lives: of the graph's tensors.
        blocks: all of them.
        in_place_overlaps: which may overlap.
        whole: the block of each memory that is there as a whole.
        rings: the block of each tensor of which only some rows are there.
        scratch: the block of each kernel's scratch, shared by the layers of a fused block.
    """

    def __init__(
        self, graph: Graph, kernels: tuple[Kernel, ...], fused_blocks: tuple[FusedBlock, ...]
    ) -> None:
        self._graph, self._kernels = graph, kernels
        self.lives = Lifetimes(graph, kernels)
        self.blocks: list[Block] = []
        self._steps = _steps(len(kernels), fused_blocks)
        ringed = {
            tensor: rows
            for fused_block in fused_blocks
            for tensor, rows in fused_block.rings.items()
        }
        self.whole = {
            memory: self._add(
                graph.tensors[memory].name,
                graph.tensors[memory].size,
                max(first, 0),
                max(self.lives.last[memory], 0),
            )
            for memory, first in self.lives.first.items()
            if memory not in ringed
        }
        self.rings = {
            tensor: self._add(
                f"rows of {graph.tensors[tensor].name}",
                rows * row_bytes(graph, tensor),
                self.lives.first[tensor],
                self.lives.last[tensor],
            )
            for tensor, rows in ringed.items()
        }
        self.scratch: list[int | None] = [None] * len(kernels)
        streamed = {
            index
            for fused_block in fused_blocks
            for index in range(fused_block.first, fused_block.end)
        }
        runs = [range(fused_block.first, fused_block.end) for fused_block in fused_blocks]
        runs += [range(index, index + 1) for index in range(len(kernels)) if index not in streamed]
        for run in runs:
            self._add_scratch(run)
        self.in_place_overlaps = [
            *(
                in_place_overlap
                for i in range(len(kernels))
                if i not in streamed
                for in_place_overlap in self._in_place(i)
            ),
            *(
                InPlaceOverlap(self.whole[before], self.whole[after], lead)
                for fused_block in fused_blocks
                for (before, after), lead in fused_block.leads.items()
            ),
        ]

    def _add(self, name: str, size: int, first: int, last: int) -> int:
        """A block from one layer to another."""
        self.blocks.append(Block(name, size, self._steps[first], self._steps[last]))
        return len(self.blocks) - 1

    def _add_scratch(self, run: range) -> None:
        size = max(self._kernels[index].scratch for index in run)
        if size:
            name = f"scratch of {self._kernels[run.start].operator.name}"
            block = self._add(name, size, run.start, run.start)
            for index in run:
                self.scratch[index] = block if self._kernels[index].scratch else None

    def _in_place(self, index: int) -> Iterator[InPlaceOverlap]:
        """Yield the ways in which the output of a layer may overlap its inputs."""
        kernel, lives = self._kernels[index], self.lives
        if kernel.aliases_input or len(lives.writes[index]) != 1:
            return
        for memory in lives.reads[index]:
            rule = overlap(kernel, kernel.overlaps, lives.storage, memory)
            if rule is not None and lives.last[memory] == index:
                after = self.whole[lives.writes[index][0]]
                yield InPlaceOverlap(self.whole[memory], after, rule.lead, rule.exact)


def _steps(count: int, fused_blocks: tuple[FusedBlock, ...]) -> list[int]:
    """Return the step of each layer, and last the step after all layers."""
    following = {
        index
        for fused_block in fused_blocks
        for index in range(fused_block.first + 1, fused_block.end)
    }
    steps: list[int] = []
    for index in range(count + 1):
        steps.append((steps[-1] + (index not in following)) if steps else 0)
    return steps
