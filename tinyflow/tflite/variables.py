# SPDX-License-Identifier: Apache-2.0
"""Resource variables of a .tflite: which there are, and the values they begin with.

A variable is named by its container and shared name (VAR_HANDLE). CALL_ONCE runs a subgraph before
the first inference goes on, which may assign constants; subgraphs are accepted for that only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.graph import Tensor
from tinyflow.ir.quantization import Quantization
from tinyflow.ir.types import DType
from tinyflow.ir.verifier import MAX_ELEMENTS
from tinyflow.tflite.file import operator_name, text
from tinyflow.tflite.operator_reader import indices

#: Operators that are gone after the import: they name and initialise variables.
RESOURCE_OPERATORS = frozenset({"CALL_ONCE", "VAR_HANDLE"})

#: Reads a raw tensor of a .tflite.
ReadTensor = Callable[[Any], Tensor]

#: Container and shared name.
_Key = tuple[str | None, str]


@dataclass(frozen=True)
class Resources:
    """The variables of the main subgraph.

    Attributes:
        handles: for each tensor that is a handle, the tensor that replaces its variable: the
            first handle of it.
        variables: those tensors, as states.
    """

    handles: Mapping[int, int]
    variables: Mapping[int, Tensor]


@dataclass(frozen=True)
class _Value:
    """A value that is assigned to a variable or read from one."""

    key: _Key
    tensor: Tensor
    assigned: bool


def read_resources(model: Any, path: Path, read_tensor: ReadTensor) -> Resources:
    """Find the variables that the main subgraph of a model uses.

    Args:
        model: the file's object tree; the operands of operators have not been checked.
        path: where it came from, for messages.
        read_tensor: reads a raw tensor.

    Raises:
        InputError: an operator names a tensor or subgraph that does not exist.
        UnsupportedError: a subgraph does something else than to assign constants to variables,
            or a variable has no one type and shape.
    """
    return _ResourceReader(model, path, read_tensor).read()


class _ResourceReader:
    def __init__(self, model: Any, path: Path, read_tensor: ReadTensor) -> None:
        self.model = model
        self.path = path
        self.read_tensor = read_tensor

    def read(self) -> Resources:
        called = self._called()
        for index in range(1, len(self.model.subgraphs)):
            if index not in called:
                raise UnsupportedError(
                    f"{self.path}: subgraph {index} of {len(self.model.subgraphs)} is not run by "
                    "CALL_ONCE (control flow is not supported)"
                )
        keys = [self._keys(index) for index in range(len(self.model.subgraphs))]
        self._check_names({key for found in keys for key in found.values()})
        values = [list(self._values(index, found)) for index, found in enumerate(keys)]
        self._check_order(keys[0], values)
        constants = {value.key: value.tensor.values for index in called for value in values[index]}
        # As the reference prepares them: subgraph by subgraph.
        ordered = [value for found in values for value in found]
        first: dict[_Key, int] = {}
        handles = {handle: first.setdefault(key, handle) for handle, key in keys[0].items()}
        return Resources(
            handles,
            {
                handle: self._variable(
                    key, [value for value in ordered if value.key == key], constants.get(key)
                )
                for key, handle in first.items()
            },
        )

    def _called(self) -> list[int]:
        """The subgraphs that CALL_ONCE runs, in order."""
        called = []
        for kind, raw in self._operators(0):
            if kind != "CALL_ONCE":
                continue
            options = raw.builtinOptions
            index = getattr(options, "initSubgraphIndex", 0)
            if not isinstance(options, schema.CallOnceOptionsT) or not (
                0 < index < len(self.model.subgraphs)
            ):
                which = "the main subgraph" if index == 0 else f"subgraph {index}"
                raise InputError(
                    f"{self.path}: CALL_ONCE runs {which} of {len(self.model.subgraphs)}; expected "
                    "another one that the file has",
                    hint="The file is damaged; convert the model again.",
                )
            called.append(index)
        return called

    def _operators(self, subgraph: int) -> Iterator[tuple[str, Any]]:
        for raw in self.model.subgraphs[subgraph].operators or []:
            kind = operator_name(self.model, raw, self.path)
            if subgraph and indices(raw.intermediates):
                raise UnsupportedError(f"{self.path}: {kind} with intermediate tensors")
            yield kind, raw

    def _keys(self, subgraph: int) -> dict[int, _Key]:
        """The variable that each handle of a subgraph names."""
        found: dict[int, _Key] = {}
        for kind, raw in self._operators(subgraph):
            if kind != "VAR_HANDLE":
                continue
            (handle,) = self._operands(subgraph, kind, raw.outputs, 1)
            raw_tensor = self.model.subgraphs[subgraph].tensors[handle]
            if raw_tensor.type != schema.TensorType.RESOURCE or handle in found:
                raise InputError(f"{self.path}: VAR_HANDLE writes {text(raw_tensor.name)!r}")
            options = raw.builtinOptions
            if not isinstance(options, schema.VarHandleOptionsT) or options.sharedName is None:
                raise UnsupportedError(f"{self.path}: VAR_HANDLE without the name of a variable")
            container = None if options.container is None else text(options.container)
            found[handle] = (container, text(options.sharedName))
        return found

    def _values(self, subgraph: int, keys: Mapping[int, _Key]) -> Iterator[_Value]:
        """Yield the values that are assigned and read in a subgraph, in order."""
        for kind, raw in self._operators(subgraph):
            if kind == "ASSIGN_VARIABLE":
                handle, operand = self._operands(subgraph, kind, raw.inputs, 2)
                self._operands(subgraph, kind, raw.outputs, 0)
            elif kind == "READ_VARIABLE" and subgraph == 0:
                (handle,) = self._operands(subgraph, kind, raw.inputs, 1)
                (operand,) = self._operands(subgraph, kind, raw.outputs, 1)
            elif subgraph and kind not in RESOURCE_OPERATORS - {"CALL_ONCE"}:
                raise UnsupportedError(
                    f"{self.path}: the operator {kind} in a subgraph that CALL_ONCE runs",
                    hint="Such a subgraph may only assign constants to variables.",
                )
            else:
                continue
            if handle not in keys:
                raise UnsupportedError(f"{self.path}: {kind} without a VAR_HANDLE before it")
            tensor = self.read_tensor(self.model.subgraphs[subgraph].tensors[operand])
            if subgraph and not tensor.is_constant:
                raise UnsupportedError(
                    f"{self.path}: CALL_ONCE assigns the computed {tensor.name!r} to a variable"
                )
            yield _Value(keys[handle], tensor, kind == "ASSIGN_VARIABLE")

    def _check_names(self, keys: set[_Key]) -> None:
        """The oracle counts variables by shared names, and cannot compare a container to none."""
        if len({container is None for container, _ in keys}) > 1:
            raise UnsupportedError(
                f"{self.path}: some variables have a container and some have none"
            )
        names = [name for _, name in keys]
        for name in names:
            if names.count(name) > 1:
                raise UnsupportedError(
                    f"{self.path}: the variable {name!r} is in several containers"
                )

    def _check_order(self, keys: Mapping[int, _Key], values: list[list[_Value]]) -> None:
        """A variable must not be read or assigned before CALL_ONCE gives it its first value."""
        accessed: set[_Key] = set()
        for kind, raw in self._operators(0):
            if kind in {"READ_VARIABLE", "ASSIGN_VARIABLE"}:
                accessed.add(keys[indices(raw.inputs)[0]])
            elif kind == "CALL_ONCE":
                for value in values[raw.builtinOptions.initSubgraphIndex]:
                    if value.key in accessed:
                        raise UnsupportedError(
                            f"{self.path}: CALL_ONCE assigns the variable {value.key[1]!r} after "
                            "it has been read or assigned"
                        )

    def _operands(self, subgraph: int, kind: str, raw: Any, count: int) -> list[int]:
        found = indices(raw)
        tensors = len(self.model.subgraphs[subgraph].tensors or [])
        if len(found) != count or any(not 0 <= index < tensors for index in found):
            raise InputError(f"{self.path}: {kind} with the operands {found}")
        return found

    def _variable(
        self, key: _Key, values: list[_Value], constant: NDArray[np.generic] | None
    ) -> Tensor:
        _, name = key
        assigned = [value.tensor for value in values if value.assigned]
        if not assigned:
            raise UnsupportedError(f"{self.path}: the variable {name!r} is never assigned")
        like = assigned[0]
        for value in values:
            if (value.tensor.dtype, value.tensor.shape) != (like.dtype, like.shape):
                raise UnsupportedError(
                    f"{self.path}: the variable {name!r} is {like.dtype.value} {list(like.shape)} "
                    f"and {value.tensor.dtype.value} {list(value.tensor.shape)}"
                )
        if like.dtype is DType.INT4:
            raise UnsupportedError(f"{self.path}: the variable {name!r} is int4")
        if like.elements > MAX_ELEMENTS:
            raise InputError(f"{self.path}: the variable {name!r} of {like.shape} is too large")
        initial = _filled(like) if constant is None else constant
        return Tensor(name, like.shape, like.dtype, like.quantization, initial=initial)


def _filled(like: Tensor) -> NDArray[np.generic]:
    """Every byte the zero point's lowest (`MicroResourceVariables::Allocate`)."""
    quantization: Quantization | None = like.quantization
    zero_point = 0 if quantization is None else quantization.zero_points[0]
    content = bytes([zero_point & 0xFF]) * like.size
    return np.frombuffer(content, like.dtype.numpy).reshape(like.shape)
