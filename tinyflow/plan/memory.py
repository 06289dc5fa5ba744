"""The memory plan of a graph: where each tensor and each kernel's scratch lies in the arena."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel
from tinyflow.plan.allocator import Block, aligned, allocate


@dataclass(frozen=True)
class MemoryPlan:
    """Offsets in bytes from the start of the arena, and of the memory of the state.

    Attributes:
        kernels: in execution order.
        tensors: offset of each tensor that is neither constant nor a state.
        scratch: offset of each kernel's scratch, None where it needs none.
        arena_size: bytes.
        lower_bound: bytes that no plan of this order without in-place kernels can go below.
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


def plan_memory(graph: Graph, kernels: Sequence[Kernel]) -> MemoryPlan:
    """Place every activation and scratch buffer of the graph in one arena, and its states."""
    storage = _storage(graph, kernels)
    blocks, owners = _activation_blocks(graph, kernels, storage)
    scratch_index: list[int | None] = []
    for step, kernel in enumerate(kernels):
        scratch_index.append(len(blocks) if kernel.scratch else None)
        if kernel.scratch:
            blocks.append(Block(f"scratch of {kernel.operator.name}", kernel.scratch, step, step))
    allocation = allocate(blocks)
    states, state_size = _states(graph)
    return MemoryPlan(
        kernels=tuple(kernels),
        tensors={tensor: allocation.offsets[owners[root]] for tensor, root in storage.items()},
        scratch=tuple(
            None if index is None else allocation.offsets[index] for index in scratch_index
        ),
        arena_size=max(allocation.size, 1),
        lower_bound=allocation.lower_bound,
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


def _storage(graph: Graph, kernels: Sequence[Kernel]) -> dict[TensorId, TensorId]:
    """For each tensor in the arena, the tensor whose memory it shares (often itself)."""
    storage = {index: index for index in graph.inputs}
    for kernel in kernels:
        source = next(iter(kernel.operator.inputs()))
        for output in kernel.operator.outputs():
            if graph.tensors[output].is_state:
                continue
            storage[output] = storage[source] if kernel.aliases_input else output
    return storage


def _activation_blocks(
    graph: Graph, kernels: Sequence[Kernel], storage: Mapping[TensorId, TensorId]
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
