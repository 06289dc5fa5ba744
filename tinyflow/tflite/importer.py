# SPDX-License-Identifier: Apache-2.0
"""Import of a quantised .tflite into the IR: its tensors, and its operators through `IMPORTERS`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Operator, Weighted
from tinyflow.ir.quantization import PerAxisError, Quantization
from tinyflow.ir.signal import SIGNAL_OPERATORS, SignalEnergy, unwritten
from tinyflow.ir.state import AssignVariable, ReadVariable, SequenceLstm, Svdf
from tinyflow.ir.types import DType
from tinyflow.ir.unquantised import is_float
from tinyflow.ir.verifier import MAX_ELEMENTS, are_scales, verify
from tinyflow.tflite.file import operator_name, parse_tflite, text, unpack_int4
from tinyflow.tflite.operator_reader import QUANTISE_HINT, OperatorReader, indices
from tinyflow.tflite.read_core import IMPORTERS
from tinyflow.tflite.read_detection import SEVERAL_OUTPUTS as SEVERAL_DETECTIONS
from tinyflow.tflite.read_float import UNQUANTISED_KINDS, unquantised_reader
from tinyflow.tflite.read_movement import SEVERAL_OUTPUTS
from tinyflow.tflite.read_signal import SEVERAL_OUTPUTS as SEVERAL_SIGNALS
from tinyflow.tflite.state_mark import is_reset
from tinyflow.tflite.variables import RESOURCE_OPERATORS, Resources, read_resources

_DTYPES: dict[int, DType] = {
    schema.TensorType.INT4: DType.INT4,
    schema.TensorType.INT8: DType.INT8,
    schema.TensorType.UINT8: DType.UINT8,
    schema.TensorType.INT16: DType.INT16,
    schema.TensorType.INT32: DType.INT32,
    schema.TensorType.UINT32: DType.UINT32,
    schema.TensorType.INT64: DType.INT64,
    schema.TensorType.UINT64: DType.UINT64,
    schema.TensorType.FLOAT32: DType.FLOAT32,
    schema.TensorType.BOOL: DType.BOOL,
}
_DTYPE_NAMES = {
    value: name.lower() for name, value in vars(schema.TensorType).items() if isinstance(value, int)
}


#: Inputs, and outputs, that the harness protocol can count in a byte.
MAX_EDGES = 255
#: More dimensions than any layer makes; a host's arrays have no more than 64.
MAX_RANK = 32

_DYNAMIC_HINT = (
    "Convert the model with fixed sizes: export it with a static batch of 1, such as "
    "`model.export(folder, input_signature=[keras.InputSpec(shape=(1, ...))])` and "
    "`TFLiteConverter.from_saved_model(folder)`, or give tinyflow the Keras model."
)
_DAMAGED_HINT = (
    "The file is damaged or was edited by another tool; convert the model again from its source."
)

#: Operators that may write several tensors.
_SEVERAL = SEVERAL_OUTPUTS | SEVERAL_SIGNALS | SEVERAL_DETECTIONS

#: Every operator that is compiled, on quantised or unquantised numbers.
SUPPORTED = frozenset({*IMPORTERS, *UNQUANTISED_KINDS, *RESOURCE_OPERATORS})


def import_model(content: bytes, path: Path, *, name: str) -> Graph:
    """Read a quantised .tflite into a verified graph called `name`.

    Args:
        content: the file's bytes, as `read_tflite` gives them.
        path: where they came from, for messages only.
        name: of the graph, a C identifier.

    Raises:
        InputError: the file is damaged, a float model, or has a dynamic shape.
        UnsupportedError: an operator, type or attribute is not compiled; the message names the
            operator and the layer.
    """
    return _Importer(parse_tflite(content, path), path).graph(name)


class _Importer:
    """Holds the file's object tree while its tensors and operators are read."""

    def __init__(self, model: Any, path: Path) -> None:
        self.model = model
        self.path = path
        self.subgraph = model.subgraphs[0]
        self.tensors: list[Tensor] = []
        self.resources = Resources({}, {})

    def graph(self, name: str) -> Graph:
        inputs = indices(self.subgraph.inputs)
        outputs = indices(self.subgraph.outputs)
        if not inputs or not outputs or not self.subgraph.tensors:
            raise InputError(f"{self.path}: the model has no input or no output")
        self._check_range(inputs + outputs, "the model's inputs and outputs")
        self._check_count(inputs, "input")
        self._check_count(outputs, "output")
        self._name_tensors()
        self._refuse_unknown_operators()
        intermediates = self._intermediates()
        read = self._read(inputs + outputs)
        for index in sorted(read):
            self._check_static(self.subgraph.tensors[index], is_input=index in inputs)
        self.resources = read_resources(self.model, self.path, self._static_tensor)
        self.tensors = [
            self._variable_of(index)
            or (self._tensor(raw) if index in read | intermediates else _unread(raw))
            for index, raw in enumerate(self.subgraph.tensors)
        ]
        self._check_edges(inputs, outputs)
        operators = [
            self._operator(raw)
            for raw in self.subgraph.operators or []
            if operator_name(self.model, raw, self.path) not in RESOURCE_OPERATORS
        ]
        self._check_edge_states(inputs, outputs)
        self._check_states(operators)
        graph = Graph(
            name,
            tuple(self.tensors),
            tuple(operators),
            tuple(inputs),
            tuple(outputs),
            is_reset(self.model),
        )
        self._refuse_float(graph)
        try:
            verify(graph)
        except UnsupportedError as error:
            raise UnsupportedError(f"{self.path}: {error.message}", hint=error.hint) from error
        except InputError as error:
            hint = error.hint or (_DYNAMIC_HINT if self._has_open_sizes() else _DAMAGED_HINT)
            raise InputError(f"{self.path}: {error.message}", hint=hint) from error
        self._refuse_unwritten(graph)
        return graph

    # ------------------------------------------------------------------ tensors

    def _intermediates(self) -> set[int]:
        """Tensors that only carry the quantisation of values inside of an operator.

        They have no elements, so that none of them can be an operand, too.
        """
        found = {
            index for raw in self.subgraph.operators or [] for index in indices(raw.intermediates)
        }
        self._check_range(list(found), "intermediate values of an operator")
        for raw in (self.subgraph.tensors[index] for index in found):
            if 0 not in indices(raw.shape):
                raise UnsupportedError(
                    f"{self.path}: the intermediate tensor {text(raw.name)!r} has elements"
                )
        return found

    def _name_tensors(self) -> None:
        """Give tensors without a name one by their index, for messages and reports."""
        for index, raw in enumerate(self.subgraph.tensors):
            raw.name = text(raw.name) or f"tensor_{index}"

    def _check_count(self, edges: list[int], what: str) -> None:
        if len(edges) > MAX_EDGES:
            raise UnsupportedError(
                f"{self.path}: the model has {len(edges)} {what}s; the firmware's protocol holds "
                f"{MAX_EDGES}",
                hint=f"Concatenate {what}s, so that fewer are left.",
            )

    def _read(self, edges: list[int]) -> set[int]:
        """The tensors that are an input or output of the model or of an operator."""
        found = set(edges)
        for raw in self.subgraph.operators or []:
            operands = [index for index in indices(raw.inputs) if index != -1]
            operands += indices(raw.outputs)
            kind = operator_name(self.model, raw, self.path)
            self._check_range(operands, f"{kind} operands")
            found.update(operands)
        return found

    def _has_open_sizes(self) -> bool:
        """Whether the file says of a size that it is known only when the model runs."""
        return any(-1 in indices(raw.shapeSignature) for raw in self.subgraph.tensors)

    def _variable_of(self, handle: int) -> Tensor | None:
        """The variable that a tensor is a handle of."""
        first = self.resources.handles.get(handle)
        return None if first is None else self.resources.variables[first]

    def _check_static(self, raw: Any, *, is_input: bool = False) -> None:
        """Check that the file gives every size; what a signature leaves open it fixes, too.

        An open size of an input is taken where it is the batch, or where the file has another
        value than the 1 that the converter writes for what it does not know.
        """
        shape, signature = indices(raw.shape), indices(raw.shapeSignature)
        unknown = is_input and any(
            declared == -1 and extent == 1 and axis > 0
            for axis, (declared, extent) in enumerate(zip(signature, shape, strict=False))
        )
        if unknown or any(extent < 1 for extent in shape):
            raise InputError(
                f"{self.path}: tensor {text(raw.name)!r} has the dynamic shape "
                f"{signature or shape}",
                hint=_DYNAMIC_HINT,
            )
        if len(shape) > MAX_RANK:
            raise UnsupportedError(
                f"{self.path}: tensor {text(raw.name)!r} has {len(shape)} dimensions, at most "
                f"{MAX_RANK} are compiled",
                hint="Reshape it to fewer dimensions in the model.",
            )

    def _static_tensor(self, raw: Any) -> Tensor:
        self._check_static(raw)
        return self._tensor(raw)

    def _tensor(self, raw: Any) -> Tensor:
        name = text(raw.name)
        dtype = _DTYPES.get(raw.type)
        if dtype is None:
            raise UnsupportedError(
                f"{self.path}: tensor {name!r} has the type {_DTYPE_NAMES.get(raw.type, raw.type)}",
                hint="tinyflow compiles models of int8 or int16 activations and int8 weights, with "
                "int8, uint8, int16 or float32 at the edges.",
            )
        if raw.sparsity is not None:
            raise UnsupportedError(f"{self.path}: tensor {name!r} is stored sparse")
        shape = tuple(indices(raw.shape))
        data = self._data(raw, shape, dtype)
        quantization = self._quantization(raw, dtype, is_constant=data is not None)
        if not raw.isVariable:
            return Tensor(name, shape, dtype, quantization, data)
        if data is not None:
            raise UnsupportedError(f"{self.path}: the variable tensor {name!r} has data")
        # As `ResetTensorData` of TFLM: int8 to its zero point, the other types to zero.
        value = 0
        if dtype is DType.INT8 and quantization is not None:
            value = quantization.zero_points[0]
        self._check_size(name, shape)
        return Tensor(
            name,
            shape,
            dtype,
            quantization,
            initial=np.full(shape, value, np.int64).astype(dtype.numpy),
        )

    def _check_size(self, name: str, shape: tuple[int, ...]) -> None:
        """Check a size before memory is taken for it."""
        if math.prod(shape) > MAX_ELEMENTS:
            raise InputError(f"{self.path}: tensor {name!r} of shape {list(shape)} is too large")

    def _data(self, raw: Any, shape: tuple[int, ...], dtype: DType) -> NDArray[np.generic] | None:
        try:
            buffer = self.model.buffers[raw.buffer]
        except IndexError as error:
            raise InputError(f"{self.path}: tensor {text(raw.name)!r} has no buffer") from error
        if buffer.data is None or len(buffer.data) == 0:
            return None
        content = np.asarray(buffer.data, dtype=np.uint8).tobytes()
        elements = int(np.prod(shape, dtype=object))
        expected = (elements + 1) // 2 if dtype is DType.INT4 else elements * dtype.itemsize
        if len(content) != expected:
            raise InputError(
                f"{self.path}: tensor {text(raw.name)!r} has {len(content)} bytes of data for "
                f"{expected}; the file is damaged"
            )
        if dtype is DType.INT4:
            return unpack_int4(np.frombuffer(content, np.uint8), elements).reshape(shape)
        data = np.frombuffer(content, dtype=dtype.numpy).reshape(shape)
        if dtype is DType.FLOAT32 and not np.isfinite(data).all():
            raise InputError(f"{self.path}: the constant {text(raw.name)!r} holds NaN or infinity")
        return data

    def _quantization(self, raw: Any, dtype: DType, *, is_constant: bool) -> Quantization | None:
        """Read scale and zero point from the file, as TFLM does.

        It takes a tensor without scales or without zero points for one that is not quantised, the
        first zero point for all where there are not as many as scales, and reads little of it of
        a bias: what a constant of int32 or int64 has is left out where it makes no sense. A
        computed tensor has its first scale for all of it, whatever the file says of
        channels; one that has different ones is left for the operators to refuse.
        """
        parameters = raw.quantization
        if parameters is None:
            return None
        scales = tuple(float(np.float32(scale)) for scale in _listed(parameters.scale))
        points = tuple(int(point) for point in _listed(parameters.zeroPoint))
        if not scales or not points:
            return None
        if is_constant and dtype in (DType.INT32, DType.INT64) and len(scales) > 1:
            axis, shape = int(parameters.quantizedDimension), indices(raw.shape)
            if not 0 <= axis < len(shape) or shape[axis] != len(scales):
                return None
        if is_constant and dtype in (DType.INT32, DType.INT64) and not are_scales(scales):
            return None
        # `verify` has this rule, too; the operators' readers divide by scales before it runs.
        if not are_scales(scales):
            wrong = next(scale for scale in scales if not are_scales([scale]))
            raise InputError(
                f"{self.path}: tensor {text(raw.name)!r} has the scale {wrong:g}, which is not a "
                "positive number of ordinary size",
                hint=_DAMAGED_HINT,
            )
        if len(points) != len(scales):
            points = points[:1] * len(scales)
        if not is_constant and len({*zip(scales, points, strict=True)}) == 1:
            scales, points = scales[:1], points[:1]
        shape = indices(raw.shape)
        axis = int(parameters.quantizedDimension)
        one_channel = is_constant and 0 < axis < len(shape) and shape[axis] == 1
        return Quantization(scales, points, axis if len(scales) > 1 or one_channel else None)

    def _check_range(self, tensors: list[int], what: str) -> None:
        if any(not 0 <= index < len(self.subgraph.tensors) for index in tensors):
            raise InputError(f"{self.path}: {what} name a tensor that does not exist")

    def _check_edges(self, inputs: list[int], outputs: list[int]) -> None:
        for what, edges in (("input", inputs), ("output", outputs)):
            if len(set(edges)) < len(edges):
                raise UnsupportedError(f"{self.path}: a tensor is the model's {what} twice")
            for tensor in (self.tensors[index] for index in edges):
                if tensor.is_constant:
                    raise UnsupportedError(
                        f"{self.path}: the model's {what} {tensor.name!r} is a constant: no input "
                        "changes it",
                        hint=f"Convert the model without that {what}.",
                    )
                if tensor.dtype is DType.INT4:
                    raise UnsupportedError(
                        f"{self.path}: the model's {what} {tensor.name!r} is int4"
                    )
                quantization = tensor.quantization
                if quantization is not None and len(quantization.scales) != 1:
                    raise UnsupportedError(
                        f"{self.path}: the model's {what} {tensor.name!r} is quantised per channel"
                    )

    def _check_edge_states(self, inputs: list[int], outputs: list[int]) -> None:
        """A variable is no input or output; that of CIRCULAR_BUFFER is none any more."""
        for what, edges in (("input", inputs), ("output", outputs)):
            for tensor in (self.tensors[index] for index in edges):
                if tensor.is_state:
                    raise UnsupportedError(
                        f"{self.path}: the model's {what} {tensor.name!r} is a variable"
                    )

    # ---------------------------------------------------------------- operators

    def _refuse_unknown_operators(self) -> None:
        for raw in self.subgraph.operators or []:
            kind = operator_name(self.model, raw, self.path)
            if kind not in SUPPORTED:
                outputs = indices(raw.outputs)
                self._check_range(outputs, f"{kind} outputs")
                layer = text(self.subgraph.tensors[outputs[0]].name) if outputs else "?"
                raise UnsupportedError(
                    f"{self.path}: the operator {kind} of layer {layer!r} is not supported",
                    hint="Supported: " + ", ".join(sorted(SUPPORTED)) + ".",
                )

    def _refuse_float(self, graph: Graph) -> None:
        """Refuse a model that is not quantised; layers left in float32 in a quantised one are fine.

        A model counts as quantised where an input or output is, or where one of its operators
        with weights is; a front end of signal operators where it takes integers.
        """
        edges = (*graph.input_tensors(), *graph.output_tensors())
        if any(tensor.quantization is not None for tensor in edges):
            return
        is_front_end = any(type(operator) in SIGNAL_OPERATORS for operator in graph.operators)
        if is_front_end and all(edge.dtype is not DType.FLOAT32 for edge in graph.input_tensors()):
            return
        for operator in graph.operators:
            weighted = isinstance(operator, Weighted | Svdf | SequenceLstm)
            if weighted and not is_float(graph, operator):
                return
        for operator in graph.operators:
            if is_float(graph, operator):
                raise InputError(
                    f"{self.path}: {operator.kind} layer {operator.name!r} computes in float32: "
                    "the model is not fully quantised",
                    hint=QUANTISE_HINT,
                )

    def _refuse_unwritten(self, graph: Graph) -> None:
        """Refuse a model that depends on memory which an operator of TFLM leaves as it is."""
        for operator in graph.operators:
            reader = unwritten(graph, operator) if isinstance(operator, SignalEnergy) else None
            if reader is not None:
                where = "the model" if reader is operator else f"{reader.kind} {reader.name!r}"
                raise UnsupportedError(
                    f"{self.path}: {operator.kind} layer {operator.name!r}: {where} depends on "
                    "energies before start_index or from end_index on, which TFLM does not write",
                    hint="Cut them off by a slice, or let the indices span all energies.",
                )

    def _check_states(self, operators: list[Operator]) -> None:
        """A variable tensor belongs to one operator, which reads it as its state."""
        owned: set[int] = set()
        for operator in operators:
            if isinstance(operator, ReadVariable | AssignVariable):
                continue
            states = list(operator.states())
            for index in [*operator.inputs(), *operator.outputs()]:
                tensor = self.tensors[index]
                if tensor.is_state and (index in owned or index not in states):
                    raise UnsupportedError(
                        f"{self.path}: {operator.kind} layer {operator.name!r}: the variable "
                        f"{tensor.name!r} is not the state of this layer alone"
                    )
            owned.update(states)

    def _operator(self, raw: Any) -> Operator:
        kind = operator_name(self.model, raw, self.path)
        self._check_range(
            [index for index in indices(raw.inputs) if index != -1] + indices(raw.outputs),
            f"{kind} operands",
        )
        count = len(indices(raw.outputs))
        if (count < 1 and kind != "ASSIGN_VARIABLE") or (count > 1 and kind not in _SEVERAL):
            raise InputError(f"{self.path}: {kind} with {count} outputs")
        at = OperatorReader(
            raw, kind, self.subgraph, self.tensors, self.path, self.resources.handles
        )
        try:
            return (unquantised_reader(at) or IMPORTERS.get(kind, _not_quantised))(at)
        except PerAxisError as error:
            raise at.refuse(
                f"a tensor has {error}, where this operator takes one scale",
                "Only the weights of convolutions and products are quantised per axis.",
            ) from error


def _unread(raw: Any) -> Tensor:
    """Stands in for a tensor that nothing reads or writes, whatever its type and shape."""
    return Tensor(text(raw.name), (), DType.INT8)


def _listed(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def _not_quantised(at: OperatorReader) -> Operator:
    """Refuses an operator that is compiled on unquantised numbers alone."""
    shown = ", ".join(dict.fromkeys(at.tensors[i].dtype.value for i in indices(at.operator.inputs)))
    raise at.refuse(f"of {shown}: only float32 is compiled")
