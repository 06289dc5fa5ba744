"""The memory plan of a graph: where each tensor and each kernel's scratch lies in the arena."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel, nhwc
from tinyflow.plan.allocator import BRIEF, GREEDY, THOROUGH, Effort, aligned, allocate
from tinyflow.plan.layout import Layout
from tinyflow.plan.order import has_one_order, order_for_memory
from tinyflow.plan.rows import Segment
from tinyflow.plan.schedule import Way, running
from tinyflow.plan.streaming import Cuttings, Layers


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


#: How many choices of kernels a planner has prepared the search for at a time.
_PREPARED = 256


def plan_memory(
    graph: Graph, kernels: Sequence[Kernel], *, room: int | None = None, effort: Effort = THOROUGH
) -> MemoryPlan:
    """Place every activation and scratch buffer of the graph in one arena, and its states.

    An output lies in the memory of an input where the kernel allows it (`Kernel.overlaps`) and
    nobody reads that input afterwards; so an inference may write over the model's inputs. Where
    branches leave a choice, the layers run in the order that gives the smaller arena.

    Args:
        graph: the graph.
        kernels: one for each operator.
        room: bytes that the arena may have. Where it would have more, layers run row by row, if
            their kernels can and that makes it smaller: no more rows than are needed for that.
            None lets all layers run whole, and 0 makes the arena as small as can be.
        effort: how long to search for the least arena.
    """
    planner = Planner(graph)
    best = planner.plan(kernels, planner.whole(kernels), effort=effort)
    if room is None or best.arena_size <= room:
        return best
    rows = [planner.rows(kernel) for kernel in kernels]
    way: Way | None = planner.way(kernels, rows, room) or planner.lowest(kernels, rows)
    # What is placed may take more than the peak.
    while way is not None and best.arena_size > room:
        plan = planner.plan(kernels, way, effort=effort)
        best = min(best, plan, key=lambda found: found.arena_size)
        way = planner.way(kernels, rows, way.peak - 1)
    return best


#: Up to this many layers, arenas are searched for while kernels are chosen: greedy placement can be
#: some percent above what the final plan needs, and hide the better choice.
FEW_LAYERS = 12


class Planner:
    """Plans of one graph for many choices of kernels: what they have in common is found once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._one_order: bool | None = None
        self._kinds: dict[Hashable, int] = {}
        self._kind_of: dict[Kernel, int] = {}
        self._layers: dict[tuple[int, ...], Layers] = {}
        self._orders: dict[Hashable, tuple[tuple[int, ...], ...]] = {}
        self._prepared: dict[Hashable, list[tuple[tuple[int, ...], Cuttings]]] = {}
        self._arenas: dict[Hashable, int] = {}

    def rows(self, kernel: Kernel) -> int:
        """Number of output rows (>= 1)."""
        index = next(iter(kernel.operator.outputs()))
        return max(1, nhwc(self._graph.tensors[index])[1])

    def least(self, kernels: Sequence[Kernel]) -> int:
        """Bytes that the arena has at least, whatever runs row by row."""
        return min(cuttings.least for _, cuttings in self._cuttings(kernels))

    def whole(self, kernels: Sequence[Kernel]) -> Way:
        """All layers run whole, in the order that needs less memory."""
        ways = [Way(cuttings.whole, order) for order, cuttings in self._cuttings(kernels)]
        return min(ways, key=lambda way: way.peak)

    def way(self, kernels: Sequence[Kernel], costs: Sequence[int], room: int) -> Way | None:
        """See `tinyflow.plan.schedule.MemoryPlanner`."""
        found = [
            (cutting, order)
            for order, cuttings in self._cuttings(kernels)
            if (cutting := cuttings.within(room, [costs[index] for index in order])) is not None
        ]
        if not found:
            return None
        cutting, order = min(found, key=lambda pair: (pair[0].cost, pair[0].peak))
        runs = tuple((segment.first, segment.end) for segment in cutting.segments)
        return Way(cutting.peak, order, runs)

    def lowest(self, kernels: Sequence[Kernel], costs: Sequence[int]) -> Way:
        """The cheapest way with the lowest peak."""
        while (way := self.way(kernels, costs, self.least(kernels))) is None:
            pass  # the bound has become higher
        return way

    def arena(self, kernels: Sequence[Kernel], way: Way) -> int:
        """Arena bytes: of few layers by a brief search, of more by greedy placement."""
        key = self._seen(kernels), way
        if key not in self._arenas:
            effort = BRIEF if len(kernels) <= FEW_LAYERS else GREEDY
            plan = self.plan(kernels, way, effort=effort)
            self._arenas[key] = plan.arena_size
        return self._arenas[key]

    def plan(self, kernels: Sequence[Kernel], way: Way, *, effort: Effort = THOROUGH) -> MemoryPlan:
        """The plan of a way."""
        ordered = tuple(running(kernels, way)[index] for index in way.order)
        layers = self._layers_of(kernels, way.order)
        members = [layers.row_layer(index, kernel) for index, kernel in enumerate(ordered)]
        segments = tuple(layers.segment(run, members)[1] for run in way.segments)
        layout = Layout(self._graph, ordered, segments)
        allocation = allocate(layout.blocks, layout.sharings, effort=effort)
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
            segments=segments,
            rings={
                tensor: Ring(offsets[layout.rings[tensor]], rows)
                for segment in segments
                for tensor, rows in segment.rings.items()
            },
        )

    def _seen(self, kernels: Sequence[Kernel]) -> tuple[int, ...]:
        """All that the planner sees of kernels: a number for each, the same for those alike."""
        for kernel in kernels:
            if kernel not in self._kind_of:
                able = kernel.by_rows
                form = None if able is None else able.row_form
                rows = able and form and (form.window, form.overlaps, able.scratch)
                kind = kernel.scratch, kernel.overlaps, rows
                self._kind_of[kernel] = self._kinds.setdefault(kind, len(self._kinds))
        return tuple(map(self._kind_of.__getitem__, kernels))

    def _cuttings(self, kernels: Sequence[Kernel]) -> list[tuple[tuple[int, ...], Cuttings]]:
        """By order of the layers."""
        key = self._seen(kernels)
        if key not in self._prepared:
            if len(self._prepared) >= _PREPARED:
                self._prepared.clear()
            self._prepared[key] = [
                (
                    order,
                    Cuttings(self._layers_of(kernels, order), [kernels[index] for index in order]),
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
    """The states one after another: all of them live for ever."""
    offsets: dict[TensorId, int] = {}
    end = 0
    for index in graph.states():
        offsets[index] = end
        end += aligned(graph.tensors[index].size)
    return offsets, end
