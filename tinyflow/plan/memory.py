"""The memory plan of a graph: where each tensor and each kernel's scratch lies in the arena."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel
from tinyflow.plan.allocator import Block, Sharing, aligned, allocate
from tinyflow.plan.lifetimes import Lifetimes, overlap
from tinyflow.plan.order import order_for_memory
from tinyflow.plan.rows import Segment, row_bytes
from tinyflow.plan.streaming import choose_segments


@dataclass(frozen=True)
class Ring:
    """A buffer of some rows of a tensor: row `r` is at `offset + r % rows * (bytes of a row)`."""

    offset: int
    rows: int


@dataclass(frozen=True)
class MemoryPlan:
    """Offsets in bytes from the start of the arena, and of the memory of the state.

    Attributes:
        kernels: in execution order.
        tensors: offset of each tensor that is neither constant nor a state, and lies there whole.
        scratch: offset of each kernel's scratch, None where it needs none.
        arena_size: bytes.
        lower_bound: bytes that no arena for this order of layers can go below.
        states: offset of each state in the memory that is kept between inferences.
        state_size: bytes of that memory.
        segments: layers that run row by row, in execution order.
        rings: where rows of the tensors lie that lie nowhere whole.
    """

    kernels: tuple[Kernel, ...]
    tensors: Mapping[TensorId, int]
    scratch: tuple[int | None, ...]
    arena_size: int
    lower_bound: int
    states: Mapping[TensorId, int]
    state_size: int
    segments: tuple[Segment, ...] = ()
    rings: Mapping[TensorId, Ring] = field(default_factory=dict)

    @property
    def is_optimal(self) -> bool:
        """Whether the arena is proved to be as small as this order of layers allows."""
        return self.arena_size == self.lower_bound


def plan_memory(
    graph: Graph, kernels: Sequence[Kernel], *, room: int | None = None, thorough: bool = True
) -> MemoryPlan:
    """Place every activation and scratch buffer of the graph in one arena, and its states.

    An output lies in the memory of an input where the kernel allows it (`Kernel.overlaps`) and
    nobody reads that input afterwards; so an inference may write over the model's inputs. Where
    branches leave a choice, the layers run in the order that gives the smaller arena.

    Args:
        graph: the graph.
        kernels: one for each operator.
        room: bytes that the arena may have. Where it would have more, layers run row by row, if
            their kernels can and that makes it smaller: no more of them than are needed for that.
            None lets all layers run whole, and 0 makes the arena as small as can be.
        thorough: search long for the least arena; else take what is found at once, to compare
            many choices of kernels.
    """
    orders = dict.fromkeys([tuple(kernels), order_for_memory(graph, kernels)])
    plans = [_plan(graph, order, (), thorough) for order in orders]
    best = min(plans, key=lambda plan: plan.arena_size)
    # What is placed may take more than the bound that segments are chosen by.
    for target in () if room is None else sorted({room, 0}, reverse=True):
        if best.arena_size <= target:
            break
        plans = [
            _plan(graph, order, choose_segments(graph, order, target), thorough) for order in orders
        ]
        best = min(best, *plans, key=lambda plan: plan.arena_size)
    return best


def _plan(
    graph: Graph, kernels: tuple[Kernel, ...], segments: tuple[Segment, ...], thorough: bool
) -> MemoryPlan:
    """The plan for one order of the layers, some of which run row by row."""
    layout = _Layout(graph, kernels, segments)
    allocation = allocate(layout.blocks, layout.sharings, thorough=thorough)
    offsets = allocation.offsets
    states, state_size = _states(graph)
    return MemoryPlan(
        kernels=kernels,
        tensors={
            tensor: offsets[layout.whole[memory]]
            for tensor, memory in layout.lives.storage.items()
            if memory in layout.whole
        },
        scratch=tuple(None if block is None else offsets[block] for block in layout.scratch),
        arena_size=max(allocation.size, 1),
        lower_bound=max(allocation.lower_bound, 1),
        states=states,
        state_size=state_size,
        segments=segments,
        rings={
            tensor: Ring(offsets[layout.rings[tensor]], rows)
            for segment in segments
            for tensor, rows in segment.rings.items()
        },
    )


def _states(graph: Graph) -> tuple[dict[TensorId, int], int]:
    """The states one after another: all of them live for ever."""
    offsets: dict[TensorId, int] = {}
    end = 0
    for index in graph.states():
        offsets[index] = end
        end += aligned(graph.tensors[index].size)
    return offsets, end


class _Layout:
    """The blocks to place; a segment is one step, in which all of its memory is in use.

    Attributes:
        lives: of the graph's tensors.
        blocks: all of them.
        sharings: which may overlap.
        whole: the block of each memory that is there as a whole.
        rings: the block of each tensor of which only some rows are there.
        scratch: the block of each kernel's scratch; layers of one segment share it.
    """

    def __init__(
        self, graph: Graph, kernels: tuple[Kernel, ...], segments: tuple[Segment, ...]
    ) -> None:
        self._graph, self._kernels = graph, kernels
        self.lives = Lifetimes(graph, kernels)
        self.blocks: list[Block] = []
        self._steps = _steps(len(kernels), segments)
        ringed = {tensor: rows for segment in segments for tensor, rows in segment.rings.items()}
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
        streamed = {index for segment in segments for index in range(segment.first, segment.end)}
        runs = [range(segment.first, segment.end) for segment in segments]
        runs += [range(index, index + 1) for index in range(len(kernels)) if index not in streamed]
        for run in runs:
            self._add_scratch(run)
        self.sharings = [
            *(
                sharing
                for i in range(len(kernels))
                if i not in streamed
                for sharing in self._in_place(i)
            ),
            *(
                Sharing(self.whole[before], self.whole[after], lead)
                for segment in segments
                for (before, after), lead in segment.leads.items()
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

    def _in_place(self, index: int) -> Iterator[Sharing]:
        """Where the output of a layer may overlap its inputs."""
        kernel, lives = self._kernels[index], self.lives
        if kernel.aliases_input or len(lives.writes[index]) != 1:
            return
        for memory in lives.reads[index]:
            rule = overlap(kernel, kernel.overlaps, lives.storage, memory)
            if rule is not None and lives.last[memory] == index:
                after = self.whole[lives.writes[index][0]]
                yield Sharing(self.whole[memory], after, rule.lead, rule.exact)


def _steps(count: int, segments: tuple[Segment, ...]) -> list[int]:
    """The step of each layer, and as a last one that after all layers."""
    following = {index for segment in segments for index in range(segment.first + 1, segment.end)}
    steps: list[int] = []
    for index in range(count + 1):
        steps.append((steps[-1] + (index not in following)) if steps else 0)
    return steps
