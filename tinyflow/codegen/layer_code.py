"""The C of the layers: a function's body for each, what several have in common written once.

Layers that repeat (the steps of an unrolled recurrent layer do) share their constant arrays, and
their bodies where these differ in the addresses of tensors only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.codegen.render import float_literal, render
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel
from tinyflow.plan.memory import MemoryPlan

_VALUES_PER_LINE = 16


@dataclass(frozen=True)
class SharedFunction:
    """A function that the bodies of several layers call.

    Attributes:
        name: in C.
        kind: the operator's.
        parameters: their declarations, one for each tensor.
        body: its statements.
    """

    name: str
    kind: str
    parameters: tuple[str, ...]
    body: str


@dataclass(frozen=True)
class LayerCode:
    """The bodies of all layers, in order, and the functions they call."""

    bodies: tuple[str, ...]
    shared: tuple[SharedFunction, ...]


class ConstantArrays:
    """The constant arrays of all layers; those of one type and content are one array.

    Attributes:
        arrays: what the templates need, in the order of the layers that read them first.
        size: bytes of all arrays.
    """

    def __init__(self, layers: Iterable[tuple[str, Kernel]]) -> None:
        """Name the arrays after the first layer that reads them: its function and kernel."""
        self.arrays: list[dict[str, Any]] = []
        self.size = 0
        self._names: dict[tuple[str, bytes], str] = {}
        for index, (function, kernel) in enumerate(layers):
            for constant in kernel.constants:
                self._add(index, function, constant)

    def name(self, constant: Constant) -> str:
        """The array's name in C."""
        return self._names[constant.c_type, constant.values.tobytes()]

    def _add(self, index: int, function: str, constant: Constant) -> None:
        key = constant.c_type, constant.values.tobytes()
        if key in self._names:
            return
        self._names[key] = f"{function}_{constant.suffix}"
        self.size += constant.size
        self.arrays.append(
            {
                "name": self._names[key],
                "c_type": constant.c_type,
                "length": constant.values.size,
                "comment": f"Layer {index}, {constant.comment}",
                "body": literals(constant.values),
            }
        )


def layer_code(
    graph: Graph, plan: MemoryPlan, kernels: Sequence[Kernel], arrays: ConstantArrays
) -> LayerCode:
    """Write the bodies of the layers that run code.

    Args:
        graph: named by a C identifier.
        plan: where the tensors lie.
        kernels: the layers' kernels, in order.
        arrays: the names of their constants.
    """
    bodies = [_Body(graph, plan, kernel, arrays) for kernel in kernels]
    uses = Counter(body.key for body in bodies)
    shared: dict[tuple[str, ...], SharedFunction] = {}
    for body in bodies:
        if uses[body.key] > 1 and body.key not in shared:
            name = f"{graph.name}_shared_{len(shared):02d}_{body.kind.lower()}"
            shared[body.key] = SharedFunction(name, body.kind, body.parameters, body.general)
    return LayerCode(
        tuple(
            f"    return {shared[body.key].name}({', '.join(body.addresses)});"
            if body.key in shared
            else body.own()
            for body in bodies
        ),
        tuple(shared.values()),
    )


class _Body:
    """A layer's body with its tensors' addresses as parameters, and with its own."""

    def __init__(
        self, graph: Graph, plan: MemoryPlan, kernel: Kernel, arrays: ConstantArrays
    ) -> None:
        self.kind = kernel.operator.kind
        self._graph, self._plan, self._kernel, self._arrays = graph, plan, kernel, arrays
        tensors = self._tensors()
        self.parameters = tuple(
            f"{graph.tensors[index].dtype.c_type} *tensor_{position}"
            for position, index in enumerate(tensors)
        )
        self.addresses = [self._address(index) for index in tensors]
        self.general = self._render([f"tensor_{position}" for position in range(len(tensors))])

    @property
    def key(self) -> tuple[str, ...]:
        """The same for bodies that differ in addresses only."""
        return (self.general, *self.parameters)

    def own(self) -> str:
        """The body with the addresses of the layer's own tensors."""
        return self._render(self.addresses)

    def _tensors(self) -> list[TensorId]:
        """The tensors in RAM, in the order of the operator's fields."""
        operator = self._kernel.operator
        fields = (*operator.input_fields, operator.output_field)
        used = [index for field in fields for index in operator.tensors(field)]
        return [index for index in used if not self._graph.tensors[index].is_constant]

    def _render(self, addresses: list[str]) -> str:
        kernel, operator = self._kernel, self._kernel.operator
        offset = self._plan.scratch[self._plan.kernels.index(kernel)]
        constants = {item.suffix: self._arrays.name(item) for item in kernel.constants}
        remaining = iter(addresses)
        pointers: dict[str, Any] = {}
        for field in (*operator.input_fields, operator.output_field):
            found = [
                constants.get(field, "NULL")
                if self._graph.tensors[index].is_constant
                else next(remaining)
                for index in operator.tensors(field)
            ]
            several = isinstance(getattr(operator, field), tuple)
            pointers[field] = found if several else next(iter(found), "NULL")
        body = render(
            f"model/layers/{kernel.template}",
            **kernel.context,
            tensor=pointers,
            constant=constants,
            scratch={
                "pointer": "NULL" if offset is None else f"&{self._graph.name}_arena[{offset}]",
                "size": kernel.scratch,
            },
        )
        return body.rstrip("\n")

    def _address(self, index: TensorId) -> str:
        tensor = self._graph.tensors[index]
        if tensor.is_state:
            element = f"&{self._graph.name}_state[{self._plan.states[index]}]"
        else:
            element = f"&{self._graph.name}_arena[{self._plan.tensors[index]}]"
        if tensor.dtype is DType.INT8:
            return element
        return f"({tensor.dtype.c_type} *)(void *){element}"


def literals(values: NDArray[np.generic]) -> str:
    """The elements of an array as a C initialiser has them."""
    shown = [_literal(value) for value in values.ravel().tolist()]
    return "\n".join(
        "    " + ", ".join(shown[start : start + _VALUES_PER_LINE]) + ","
        for start in range(0, len(shown), _VALUES_PER_LINE)
    )


def _literal(value: float) -> str:
    if isinstance(value, float):
        return float_literal(value)
    # INT32_MIN has no literal of its own type in C.
    return "INT32_MIN" if value == -(2**31) else str(int(value))
