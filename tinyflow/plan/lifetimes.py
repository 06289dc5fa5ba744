# SPDX-License-Identifier: Apache-2.0
"""Memories that tensors lie in, their lifetimes, and when an output may lie in an input's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel, Overlap


class Lifetimes:
    """The memories of the activations, for kernels in an order of execution.

    Tensors that always share memory, as the two sides of a RESHAPE do, are one memory, named after
    the first of them.

    Attributes:
        storage: for each tensor that is neither constant nor a state its memory, often itself.
        reads: for each kernel the memories that it reads, each once.
        writes: for each kernel the memories that it writes, each once.
        first: for each memory the index of the kernel that is the first to write it; -1 for inputs
            of the model.
        last: the index of the last kernel that reads or writes it; the number of kernels for
            outputs of the model.
    """

    def __init__(self, graph: Graph, kernels: Sequence[Kernel]) -> None:
        """Follow the kernels."""
        self.storage: dict[TensorId, TensorId] = {index: index for index in graph.inputs}
        self.reads: list[tuple[TensorId, ...]] = []
        self.writes: list[tuple[TensorId, ...]] = []
        self.first = dict.fromkeys(graph.inputs, -1)
        self.last = dict.fromkeys(graph.inputs, -1)
        for index, kernel in enumerate(kernels):
            self._add(graph, index, kernel)
        for tensor in graph.outputs:
            self.last[self.storage[tensor]] = len(kernels)

    def _add(self, graph: Graph, index: int, kernel: Kernel) -> None:
        operator = kernel.operator
        source = next(iter(operator.inputs()))
        reads = tuple(
            dict.fromkeys(self.storage[i] for i in operator.inputs() if i in self.storage)
        )
        for output in operator.outputs():
            if not graph.tensors[output].is_state:
                self.storage[output] = self.storage[source] if kernel.aliases_input else output
        writes = tuple(
            dict.fromkeys(self.storage[i] for i in operator.outputs() if i in self.storage)
        )
        for memory in (*reads, *writes):
            self.first.setdefault(memory, index)
            self.last[memory] = index
        self.reads.append(reads)
        self.writes.append(writes)


def overlap(
    kernel: Kernel,
    rules: Sequence[Overlap],
    storage: Mapping[TensorId, TensorId],
    memory: TensorId,
) -> Overlap | None:
    """Return how a kernel's output may lie in a memory that it reads last.

    Args:
        kernel: reads the memory, through one field or several.
        rules: the kernel's, by field.
        storage: of all tensors.
        memory: which one.

    Returns:
        What all rules for these fields allow; None if a field has none.
    """
    by_field = {rule.field: rule for rule in rules}
    fields = [
        field
        for field in kernel.operator.input_fields
        if any(storage.get(index) == memory for index in kernel.operator.tensors(field))
    ]
    if not all(field in by_field for field in fields):
        return None
    found = [by_field[field] for field in fields]
    return Overlap(
        fields[0], lead=max(rule.lead for rule in found), exact=any(rule.exact for rule in found)
    )
