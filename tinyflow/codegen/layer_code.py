# SPDX-License-Identifier: Apache-2.0
"""The C of the layers: a function's body for each, what several have in common written once.

A layer that runs row by row has a body that computes one row.

Layers that repeat (the steps of an unrolled recurrent layer do) share their constant arrays, and
their bodies where these differ in the addresses of tensors only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel, nhwc
from tinyflow.plan.fused_blocks import row_bytes
from tinyflow.plan.memory import MemoryPlan
from tinyflow.render import float_literal, render

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
    streamed = {
        kernel
        for fused_block in plan.fused_blocks
        for kernel in plan.kernels[fused_block.first : fused_block.end]
    }
    bodies = [
        (_RowBody if kernel in streamed else _Body)(graph, plan, kernel, arrays)
        for kernel in kernels
    ]
    uses = Counter(body.key for body in bodies if not isinstance(body, _RowBody))
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
        self._graph, self._plan, self._kernel = graph, plan, kernel
        self._constants = {item.suffix: arrays.name(item) for item in kernel.constants}
        tensors = self._tensors()
        names = [f"tensor_{position}" for position in range(len(tensors))]
        self._own_addresses = [self._address(index) for index in tensors]
        self.general = self._render(names)
        # ZEROS_LIKE, for one, reads nothing of its input.
        used = [index for index, name in enumerate(names) if _is_word_of(name, self.general)]
        self.parameters = tuple(
            f"{graph.tensors[tensors[index]].dtype.c_type} *{names[index]}" for index in used
        )
        self.addresses = [self._own_addresses[index] for index in used]

    @property
    def key(self) -> tuple[str, ...]:
        """The same for bodies that differ in addresses only."""
        return (self.general, *self.parameters)

    def own(self) -> str:
        """The body with the addresses of the layer's own tensors."""
        return self._render(self._own_addresses)

    def _tensors(self) -> list[TensorId]:
        """The tensors in RAM, in the order of the operator's fields."""
        operator = self._kernel.operator
        fields = (*operator.input_fields, operator.output_field)
        used = [index for field in fields for index in operator.tensors(field)]
        return [index for index in used if not self._graph.tensors[index].is_constant]

    def _render(self, addresses: list[str]) -> str:
        operator = self._kernel.operator
        remaining = iter(addresses)
        pointers: dict[str, Any] = {}
        for field in (*operator.input_fields, operator.output_field):
            found = [
                self._constants.get(field, "NULL")
                if self._graph.tensors[index].is_constant
                else next(remaining)
                for index in operator.tensors(field)
            ]
            several = isinstance(getattr(operator, field), tuple)
            pointers[field] = found if several else next(iter(found), "NULL")
        return self._render_template(self._kernel.template, tensor=pointers)

    def _render_template(self, template: str, **names: Any) -> str:
        """A kernel's template, which finds its tensors under those names."""
        kernel = self._kernel
        offset = self._plan.scratch[self._plan.kernels.index(kernel)]
        body = render(
            f"model/layers/{template}",
            **kernel.context,
            **names,
            constant=self._constants,
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


def _is_word_of(name: str, text: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


class _RowBody(_Body):
    """The body of a layer that computes one row; it is shared with no other."""

    @property
    def key(self) -> tuple[str, ...]:
        return ()

    def own(self) -> str:
        return self.general

    def _tensors(self) -> list[TensorId]:
        return []

    def _render(self, addresses: list[str]) -> str:
        operator, form = self._kernel.operator, self._kernel.row_form
        assert form is not None
        fields = {
            field: next(iter(operator.tensors(field)), None) for field in operator.input_fields
        }
        read = {
            field: tensor
            for field, tensor in fields.items()
            if tensor is not None and not self._graph.tensors[tensor].is_constant
        }
        body = self._render_template(
            form.template,
            rows={field: f"rows_{field}" for field in read},
            output="output",
        )
        text = render(
            "model/row.c.j2",
            form=form,
            first=_times("row", form.stride) + (f" - {form.pad}" if form.pad else ""),
            inputs=[{"field": field} | self._rows(tensor) for field, tensor in read.items()],
            target=self._rows(next(iter(operator.outputs()))),
            body=body,
        )
        return text.rstrip("\n")

    def _rows(self, tensor: TensorId) -> dict[str, Any]:
        """Return the location of a tensor's rows, as the fields of a `tinyflow_rows`."""
        height = nhwc(self._graph.tensors[tensor])[1]
        ring = self._plan.rings.get(tensor)
        offset = self._plan.tensors[tensor] if ring is None else ring.offset
        return {
            "start": f"&{self._graph.name}_arena[{offset}]",
            "held": height if ring is None else ring.rows,
            "height": height,
            "bytes": row_bytes(self._graph, tensor),
        }


def _times(name: str, factor: int) -> str:
    """A product in C."""
    return name if factor == 1 else f"{name} * {factor}"


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
    # INT32_MIN has no literal of its type in C.
    return "INT32_MIN" if value == -(2**31) else str(int(value))
