# SPDX-License-Identifier: Apache-2.0
"""Values of small integers in a subgraph, as far as they follow from those that are known.

Loops count and compare integers, whose arithmetic has no roundings: no reference kernel is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tinyflow.tflite.file import operator_name
from tinyflow.tflite.operator_reader import indices

#: None if a value is not known.
KnownValue = NDArray[Any] | None

#: Elements of a value that is looked at.
_MAX_ELEMENTS = 64
_TYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.BOOL: np.dtype(np.bool_),
    schema.TensorType.INT32: np.dtype(np.int32),
    schema.TensorType.INT64: np.dtype(np.int64),
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ADD": np.add,
    "EQUAL": np.equal,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "LOGICAL_AND": np.logical_and,
    "LOGICAL_NOT": np.logical_not,
    "LOGICAL_OR": np.logical_or,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MUL": np.multiply,
    "NOT_EQUAL": np.not_equal,
    "SUB": np.subtract,
}
#: Operators that give their first input another shape or integer type.
_KEEPING = frozenset({"CAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE"})


def constant_value(model: Any, tensor: Any) -> KnownValue:
    """The value of a constant of few integers or bools."""
    dtype = _TYPES.get(tensor.type)
    shape = indices(tensor.shape)
    if dtype is None or not 0 <= tensor.buffer < len(model.buffers):
        return None
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) > _MAX_ELEMENTS * dtype.itemsize:
        return None
    content = np.asarray(data, np.uint8).tobytes()
    if not content or len(content) != int(np.prod(shape, dtype=object)) * dtype.itemsize:
        return None
    return np.frombuffer(content, dtype).reshape(shape)


def values_of(
    model: Any, subgraph: Any, inputs: Sequence[KnownValue], path: Path
) -> list[KnownValue]:
    """The outputs of a subgraph as far as they are known.

    Args:
        model: the file's object tree.
        subgraph: one of its subgraphs.
        inputs: values of the subgraph's inputs.
        path: where the file came from, for messages.
    """
    tensors = subgraph.tensors or []
    known = {index: constant_value(model, tensor) for index, tensor in enumerate(tensors)}
    known |= dict(zip(indices(subgraph.inputs), inputs, strict=False))
    for operator in subgraph.operators or []:
        outputs = indices(operator.outputs)
        value = None
        if len(outputs) == 1 and 0 <= outputs[0] < len(tensors):
            kind = operator_name(model, operator, path)
            given = [known.get(index) for index in indices(operator.inputs)]
            value = _value(kind, operator, given, tensors[outputs[0]])
        known |= dict.fromkeys(outputs, value)
    return [known.get(index) for index in indices(subgraph.outputs)]


def _value(kind: str, operator: Any, given: Sequence[KnownValue], output: Any) -> KnownValue:
    dtype, shape = _TYPES.get(output.type), indices(output.shape)
    first = given[0] if given else None
    if dtype is None or first is None or int(np.prod(shape, dtype=object)) > _MAX_ELEMENTS:
        return None
    if kind in _KEEPING:
        found = first
    elif kind in _FUNCTIONS and not getattr(operator.builtinOptions, "fusedActivationFunction", 0):
        values = [value for value in given if value is not None]
        if len(values) < len(given) or len(values) != (1 if kind == "LOGICAL_NOT" else 2):
            return None
        try:
            with np.errstate(over="ignore"):
                found = _FUNCTIONS[kind](*values)
        except (TypeError, ValueError):
            return None
    else:
        return None
    if found.size != int(np.prod(shape, dtype=object)):
        return None
    return np.asarray(found).astype(dtype).reshape(shape)
