"""The memory plan of a graph: where each tensor and each kernel's scratch lies in the arena."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel
from tinyflow.plan.allocator import Block, Sharing, aligned, allocate
from tinyflow.plan.lifetimes import Storage, inputs_of, outputs_of, overlap, storage_of
from tinyflow.plan.order import shortest_order


@dataclass(frozen=True)
class MemoryPlan:
    """Offsets in bytes from the start of the arena, and of the memory of the state.

    Attributes:
        kernels: in execution order.
        tensors: offset of each tensor that is neither constant nor a state.
        scratch: offset of each kernel's scratch, None where it needs none.
        arena_size: bytes.
        lower_bound: bytes that no arena for this order of layers can go below.
        states: offset of each state in the memory that is kept between inferences.
        state_size: bytes of that memory.
    """

    kernels: tuple[Kernel, ...]
    tensors: Mapping[TensorId, int]
    scratch: tuple[int | None, ...]
    arena_size: int
    lower_bound: int
    states: Mapping[TensorId, int]
    state_size: int

    @property
    def is_optimal(self) -> bool:
        """Whether the arena is proved to be as small as this order of layers allows."""
        return self.arena_size == self.lower_bound


def plan_memory(graph: Graph, kernels: Sequence[Kernel]) -> MemoryPlan:
    """Place every activation and scratch buffer of the graph in one arena, and its states.

    An output lies in the memory of an input where the kernel allows it (`Kernel.overlaps`) and
    nobody reads that input afterwards; so an inference may write over the model's inputs. Where
    branches leave a choice, the layers run in the order that gives the smaller arena.
    """
    given = _plan(graph, tuple(kernels))
    order = shortest_order(graph, kernels)
    if order == given.kernels:
        return given
    return min(given, _plan(graph, order), key=lambda plan: plan.arena_size)


def _plan(graph: Graph, kernels: tuple[Kernel, ...]) -> MemoryPlan:
    """The plan for one order of the layers."""
    storage = storage_of(graph, kernels)
    blocks, owners = _activation_blocks(graph, kernels, storage)
    scratch_index: list[int | None] = []
    for step, kernel in enumerate(kernels):
        scratch_index.append(len(blocks) if kernel.scratch else None)
        if kernel.scratch:
            blocks.append(Block(f"scratch of {kernel.operator.name}", kernel.scratch, step, step))
    sharings = list(_sharings(kernels, storage, owners, blocks))
    allocation = allocate(blocks, sharings)
    states, state_size = _states(graph)
    return MemoryPlan(
        kernels=kernels,
        tensors={tensor: allocation.offsets[owners[root]] for tensor, root in storage.items()},
        scratch=tuple(
            None if index is None else allocation.offsets[index] for index in scratch_index
        ),
        arena_size=max(allocation.size, 1),
        lower_bound=max(allocation.lower_bound, 1),
        states=states,
        state_size=state_size,
    )


def _states(graph: Graph) -> tuple[dict[TensorId, int], int]:
    """The states one after another: all of them live for ever."""
    offsets: dict[TensorId, int] = {}
    end = 0
    for index in graph.states():
        offsets[index] = end
        end += aligned(graph.tensors[index].size)
    return offsets, end


def _activation_blocks(
    graph: Graph, kernels: Sequence[Kernel], storage: Storage
) -> tuple[list[Block], dict[TensorId, int]]:
    first: dict[TensorId, int] = {storage[index]: 0 for index in graph.inputs}
    last: dict[TensorId, int] = dict(first)
    for step, kernel in enumerate(kernels):
        for index in [*kernel.operator.inputs(), *kernel.operator.outputs()]:
            if index in storage:
                root = storage[index]
                first.setdefault(root, step)
                last[root] = step
    for index in graph.outputs:
        last[storage[index]] = len(kernels)
    blocks = [
        Block(graph.tensors[root].name, graph.tensors[root].size, first[root], last[root])
        for root in first
    ]
    return blocks, {root: position for position, root in enumerate(first)}


def _sharings(
    kernels: Sequence[Kernel],
    storage: Storage,
    owners: Mapping[TensorId, int],
    blocks: Sequence[Block],
) -> Iterator[Sharing]:
    """Where an output may overlap an input, for every pair of blocks that meet so."""
    for step, kernel in enumerate(kernels):
        outputs = outputs_of(kernel, storage)
        if kernel.aliases_input or len(outputs) != 1:
            continue
        after = owners[outputs[0]]
        for memory in inputs_of(kernel, storage):
            rule = overlap(kernel, kernel.overlaps, storage, memory)
            if rule is not None and blocks[owners[memory]].last == step:
                yield Sharing(owners[memory], after, rule.lead, rule.exact)
