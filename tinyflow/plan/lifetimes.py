"""Which memory tensors lie in, and when an output may lie in that of an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel, Overlap

#: For each tensor in the arena, the tensor whose memory it shares (often itself).
Storage = Mapping[TensorId, TensorId]


def storage_of(graph: Graph, kernels: Sequence[Kernel]) -> Storage:
    """The memory of all tensors that are neither constant nor a state."""
    storage = {index: index for index in graph.inputs}
    for kernel in kernels:
        source = next(iter(kernel.operator.inputs()))
        for output in kernel.operator.outputs():
            if graph.tensors[output].is_state:
                continue
            storage[output] = storage[source] if kernel.aliases_input else output
    return storage


def inputs_of(kernel: Kernel, storage: Storage) -> list[TensorId]:
    """The memories that a kernel reads, each once."""
    return list(dict.fromkeys(storage[i] for i in kernel.operator.inputs() if i in storage))


def outputs_of(kernel: Kernel, storage: Storage) -> list[TensorId]:
    """The memories that a kernel writes, each once."""
    return list(dict.fromkeys(storage[i] for i in kernel.operator.outputs() if i in storage))


def overlap(
    kernel: Kernel, rules: Sequence[Overlap], storage: Storage, memory: TensorId
) -> Overlap | None:
    """How a kernel's output may lie in a memory that it reads and nobody reads after it.

    Args:
        kernel: reads the memory, through one field or several.
        rules: the kernel's, by field.
        storage: of all tensors.
        memory: which one.

    Returns:
        What all rules for these fields allow; None where a field has none.
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
