# SPDX-License-Identifier: Apache-2.0
"""Memory plan of a graph: the offset of each tensor and each kernel's scratch in the arena."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel, nhwc
from tinyflow.plan.allocator import BRIEF, GREEDY, THOROUGH, Effort, aligned, allocate
from tinyflow.plan.fused_blocks import FusedBlock
from tinyflow.plan.layout import Layout
from tinyflow.plan.order import has_one_order, order_for_memory
from tinyflow.plan.partitions import Layers, Partitions
from tinyflow.plan.schedule import Schedule, running


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
        tensors: offset of each tensor that is neither constant nor a state, and is stored whole.
        scratch: offset of each kernel's scratch, None if it needs none.
        arena_size: bytes.
        lower_bound: bytes that no arena for this order of layers can go below.
        states: offset of each state in the memory that is kept between inferences.
        state_size: bytes of that memory.
        fused_blocks: layers that run row by row, in execution order.
        rings: buffers of rows, for the tensors that are not stored whole.
    """

    kernels: tuple[Kernel, ...]
    tensors: Mapping[TensorId, int]
    scratch: tuple[int | None, ...]
    arena_size: int
    lower_bound: int
    states: Mapping[TensorId, int]
    state_size: int
    fused_blocks: tuple[FusedBlock, ...] = ()
    rings: Mapping[TensorId, Ring] = field(default_factory=dict)

    @property
    def is_optimal(self) -> bool:
        """Whether the arena is proved to be as small as this order of layers allows."""
        return self.arena_size == self.lower_bound


#: Number of kernel choices for which a planner keeps the prepared search.
_PREPARED = 8192


def plan_memory(
    graph: Graph, kernels: Sequence[Kernel], *, room: int | None = None, effort: Effort = THOROUGH
) -> MemoryPlan:
    """Place every activation and scratch buffer of the graph in one arena, and its states.

    An output shares the memory of an input if the kernel allows it (`Kernel.overlaps`) and
    that input is not read afterwards; so an inference may write over the model's inputs. Where
    branches leave a choice, the layers run in the order that gives the smaller arena.

    Args:
        graph: the graph.
        kernels: one for each operator.
        room: bytes that the arena may have. If it would have more, layers run row by row, if their
            kernels can and that makes it smaller: no more rows than are needed for that. None
            lets all layers run whole, and 0 makes the arena as small as possible.
        effort: how long to search for the least arena.
    """
    planner = Planner(graph)
    best = planner.plan(kernels, planner.whole(kernels), effort=effort)
    if room is None or best.arena_size <= room:
        return best
    rows = [planner.rows(kernel) for kernel in kernels]
    schedule: Schedule | None = planner.schedule(kernels, rows, room) or planner.lowest(
        kernels, rows
    )
    # What is placed may take more than the peak.
    while schedule is not None and best.arena_size > room:
        plan = planner.plan(kernels, schedule, effort=effort)
        best = min(best, plan, key=lambda found: found.arena_size)
        schedule = planner.schedule(kernels, rows, schedule.peak - 1)
    return best


#: Up to this many layers, arenas are searched for while kernels are chosen: greedy placement can be
#: some percent above what the final plan needs, and hide the better choice.
FEW_LAYERS = 16


class Planner:
    """Planner of one graph for many choices of kernels; shared results are computed once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._one_order: bool | None = None
        self._kinds: dict[Hashable, int] = {}
        self._kind_of: dict[Kernel, int] = {}
        self._layers: dict[tuple[int, ...], Layers] = {}
        self._orders: dict[Hashable, tuple[tuple[int, ...], ...]] = {}
        self._prepared: dict[Hashable, list[tuple[tuple[int, ...], Partitions]]] = {}
        self._arenas: dict[Hashable, int] = {}
        self._planned: dict[Hashable, int] = {}

    def rows(self, kernel: Kernel) -> int:
        """Number of output rows (>= 1)."""
        index = next(iter(kernel.operator.outputs()))
        return max(1, nhwc(self._graph.tensors[index])[1])

    def least(self, kernels: Sequence[Kernel]) -> int:
        """Lower bound of the arena in bytes, whatever runs row by row."""
        return min(partitions.least for _, partitions in self._partitions(kernels))

    def whole(self, kernels: Sequence[Kernel]) -> Schedule:
        """All layers run whole, in the order that needs less memory."""
        schedules = [
            Schedule(partitions.whole, order) for order, partitions in self._partitions(kernels)
        ]
        return min(schedules, key=lambda schedule: schedule.peak)

    def schedule(
        self, kernels: Sequence[Kernel], costs: Sequence[int], room: int
    ) -> Schedule | None:
        """See `tinyflow.plan.schedule.MemoryPlanner`."""
        found = [
            (partition, order)
            for order, partitions in self._partitions(kernels)
            if (partition := partitions.within(room, [costs[index] for index in order])) is not None
        ]
        if not found:
            return None
        partition, order = min(found, key=lambda pair: (pair[0].cost, pair[0].peak))
        runs = tuple((fused_block.first, fused_block.end) for fused_block in partition.fused_blocks)
        return Schedule(partition.peak, order, runs)

    def lowest(self, kernels: Sequence[Kernel], costs: Sequence[int]) -> Schedule:
        """The cheapest way with the lowest peak."""
        while (schedule := self.schedule(kernels, costs, self.least(kernels))) is None:
            pass  # the bound has become higher
        return schedule

    def arena(self, kernels: Sequence[Kernel], schedule: Schedule) -> int:
        """Arena bytes: of few layers by a brief search, of more by greedy placement."""
        key = self._seen(kernels), schedule
        if key not in self._arenas:
            effort = BRIEF if len(kernels) <= FEW_LAYERS else GREEDY
            plan = self.plan(kernels, schedule, effort=effort)
            self._arenas[key] = plan.arena_size
        return self._arenas[key]

    def planned_arena(self, kernels: Sequence[Kernel], schedule: Schedule) -> int:
        """Arena bytes of the plan that is built."""
        estimate = self.arena(kernels, schedule)
        if estimate <= schedule.peak:
            return estimate
        key = self._seen(kernels), schedule
        if key not in self._planned:
            self._planned[key] = self.plan(kernels, schedule).arena_size
        return self._planned[key]

    def plan(
        self, kernels: Sequence[Kernel], schedule: Schedule, *, effort: Effort = THOROUGH
    ) -> MemoryPlan:
        """The plan of a way."""
        ordered = tuple(running(kernels, schedule)[index] for index in schedule.order)
        layers = self._layers_of(kernels, schedule.order)
        members = [layers.row_layer(index, kernel) for index, kernel in enumerate(ordered)]
        fused_blocks = tuple(layers.fused_block(run, members)[1] for run in schedule.fused_blocks)
        layout = Layout(self._graph, ordered, fused_blocks)
        allocation = allocate(layout.blocks, layout.in_place_overlaps, effort=effort)
        offsets = allocation.offsets
        states, state_size = _states(self._graph)
        return MemoryPlan(
            kernels=ordered,
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
            fused_blocks=fused_blocks,
            rings={
                tensor: Ring(offsets[layout.rings[tensor]], rows)
                for fused_block in fused_blocks
                for tensor, rows in fused_block.rings.items()
            },
        )

    def _seen(self, kernels: Sequence[Kernel]) -> tuple[int, ...]:
        """Return a number for each kernel, the same for kernels that plan alike."""
        for kernel in kernels:
            if kernel not in self._kind_of:
                able = kernel.by_rows
                form = None if able is None else able.row_form
                rows = able and form and (form.window, form.overlaps, able.scratch)
                kind = kernel.scratch, kernel.overlaps, rows
                self._kind_of[kernel] = self._kinds.setdefault(kind, len(self._kinds))
        return tuple(map(self._kind_of.__getitem__, kernels))

    def _partitions(self, kernels: Sequence[Kernel]) -> list[tuple[tuple[int, ...], Partitions]]:
        """Return the partitions by the order of the layers."""
        key = self._seen(kernels)
        if key not in self._prepared:
            if len(self._prepared) >= _PREPARED:
                self._prepared.clear()
            self._prepared[key] = [
                (
                    order,
                    Partitions(
                        self._layers_of(kernels, order), [kernels[index] for index in order]
                    ),
                )
                for order in self._orders_of(kernels)
            ]
        return self._prepared[key]

    def _layers_of(self, kernels: Sequence[Kernel], order: tuple[int, ...]) -> Layers:
        if order not in self._layers:
            self._layers[order] = Layers(self._graph, [kernels[index] for index in order])
        return self._layers[order]

    def _orders_of(self, kernels: Sequence[Kernel]) -> tuple[tuple[int, ...], ...]:
        """The order of the graph, and one that needs less memory."""
        given = tuple(range(len(kernels)))
        if self._one_order is None:
            self._one_order = has_one_order(self._graph, kernels)
        if self._one_order:
            return (given,)
        key = self._seen(kernels)
        if key not in self._orders:
            found = order_for_memory(self._graph, kernels)
            self._orders[key] = tuple(dict.fromkeys([given, found]))
        return self._orders[key]


def _states(graph: Graph) -> tuple[dict[TensorId, int], int]:
    """Place the states one after another: all of them live for ever."""
    offsets: dict[TensorId, int] = {}
    end = 0
    for index in graph.states():
        offsets[index] = end
        end += aligned(graph.tensors[index].size)
    return offsets, end
