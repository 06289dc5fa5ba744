# SPDX-License-Identifier: Apache-2.0
"""Order of the layers that needs less memory, where branches leave a choice.

Dynamic programming over the sets of layers that have run: of all orders that lead to a set, only
the one with the lowest peak is kept. The sets of one size are the antichains of the graph, which
are few where branches are. Beyond a fixed number only the best are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel
from tinyflow.plan.allocator import aligned, most_in_common
from tinyflow.plan.lifetimes import Lifetimes, overlap

#: Limit on the sets kept of one size, and on that number times the layers' squared.
_WIDTH, _WORK = 256, 2_000_000


def order_for_memory(graph: Graph, kernels: Sequence[Kernel]) -> tuple[int, ...]:
    """Return an order with a lower peak, as positions of the kernels; unchanged if none is found.

    Kernels that read or write a state keep their order among themselves. Deterministic.
    """
    return _OrderSearch(graph, kernels).order()


def has_one_order(graph: Graph, kernels: Sequence[Kernel]) -> bool:
    """Whether each kernel needs what the one before it has done."""
    return _OrderSearch(graph, kernels).has_one_order()


@dataclass(frozen=True)
class _Partial:
    """Some layers have run: a set of them as bits.

    Attributes:
        peak: the most bytes in use at any of them.
        live: bytes in use after them.
        done: their bits.
        order: their indices as they ran.
    """

    peak: int
    live: int
    done: int
    order: tuple[int, ...]


class _OrderSearch:
    def __init__(self, graph: Graph, kernels: Sequence[Kernel]) -> None:
        self._graph, self._kernels = graph, kernels
        lives = Lifetimes(graph, kernels)
        self._storage, self._reads, self._writes = lives.storage, lives.reads, lives.writes
        self._kept = {self._storage[index] for index in graph.outputs}
        self._readers = dict.fromkeys(self._storage.values(), 0)
        for index, memories in enumerate(self._reads):
            for memory in memories:
                self._readers[memory] |= 1 << index
        self._before = list(self._predecessors())
        self._sizes = {
            memory: aligned(graph.tensors[memory].size) for memory in self._storage.values()
        }
        self._new = [
            sum(self._sizes[memory] for memory in writes if memory not in reads)
            for reads, writes in zip(self._reads, self._writes, strict=True)
        ]
        self._common = [
            {memory: self._in_common(index, memory) for memory in reads}
            for index, reads in enumerate(self._reads)
        ]

    def order(self) -> tuple[int, ...]:
        """Indices of the kernels."""
        given = _Partial(0, self._live_at_start(), 0, ())
        for index in range(len(self._kernels)):
            given = self._after(given, index)
        width = max(1, min(_WIDTH, _WORK // max(1, len(self._kernels) ** 2)))
        level = {0: _Partial(0, self._live_at_start(), 0, ())}
        for _ in self._kernels:
            following: dict[int, _Partial] = {}
            for partial in level.values():
                for index in self._ready(partial.done):
                    found = self._after(partial, index)
                    known = following.get(found.done)
                    if found.peak < given.peak and (known is None or found.peak < known.peak):
                        following[found.done] = found
            best = sorted(following.values(), key=lambda p: (p.peak, p.live, p.order))[:width]
            level = {partial.done: partial for partial in best}
        return next((partial.order for partial in level.values()), given.order)

    def has_one_order(self) -> bool:
        """See the function."""
        return all(
            before >> (index - 1) & 1 for index, before in enumerate(self._before) if index > 0
        )

    def _predecessors(self) -> Iterator[int]:
        """Yield, for each kernel, the bits of those that must run before it."""
        writer: dict[TensorId, int] = {}
        last_of_state = 0
        for index, kernel in enumerate(self._kernels):
            before = 0
            for tensor in kernel.operator.inputs():
                before |= writer.get(tensor, 0)
            used = [*kernel.operator.inputs(), *kernel.operator.outputs()]
            if any(self._graph.tensors[tensor].is_state for tensor in used):
                before |= last_of_state
                last_of_state = 1 << index
            for tensor in kernel.operator.outputs():
                writer[tensor] = 1 << index
            yield before

    def _ready(self, done: int) -> Iterator[int]:
        for index, before in enumerate(self._before):
            if not done >> index & 1 and before & ~done == 0:
                yield index

    def _live_at_start(self) -> int:
        return sum(
            self._sizes[index]
            for index in dict.fromkeys(self._graph.inputs)
            if self._readers[index] or index in self._kept
        )

    def _after(self, partial: _Partial, index: int) -> _Partial:
        """Return the state after one more layer has run."""
        done = partial.done | 1 << index
        reads, writes = self._reads[index], self._writes[index]
        dying = [memory for memory in reads if self._dies(memory, done)]
        live = partial.live + self._new[index]
        peak = live + aligned(self._kernels[index].scratch) - self._shared(index, dying)
        gone = {*dying, *(memory for memory in writes if self._dies(memory, done))}
        live -= sum(map(self._sizes.__getitem__, gone))
        return _Partial(max(partial.peak, peak), live, done, (*partial.order, index))

    def _dies(self, memory: TensorId, done: int) -> bool:
        """Whether it is not read after these layers."""
        return memory not in self._kept and self._readers[memory] & ~done == 0

    def _shared(self, index: int, dying: Sequence[TensorId]) -> int:
        """The most bytes that the output may have in common with inputs that die."""
        total = sum(map(self._common[index].__getitem__, dying))
        return min(self._sizes[self._writes[index][0]], total) if total else 0

    def _in_common(self, index: int, memory: TensorId) -> int:
        """The most bytes that a layer's output may have in common with one of its inputs."""
        kernel, writes = self._kernels[index], self._writes[index]
        if len(writes) != 1 or kernel.aliases_input:
            return 0
        rule = overlap(kernel, kernel.overlaps, self._storage, memory)
        if rule is None:
            return 0
        tensors = self._graph.tensors
        return most_in_common(tensors[memory].size, tensors[writes[0]].size, rule.lead)
