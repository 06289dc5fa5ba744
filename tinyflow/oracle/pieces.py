# SPDX-License-Identifier: Apache-2.0
"""Cuts a model into pieces that one interpreter runs each: the rule of who computes what.

TensorFlow Lite Micro (TFLM) computes every operator it has. What it lacks, LiteRT's reference
kernels compute, and nothing else. Weights of int4 are widened to int8 first:
that is what TFLM's kernels do with them, where they take them at all.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.arrays import Array
from tinyflow.datasets.litert_versions import lower_versions
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.oracle.left import Left, left_by
from tinyflow.tflite.file import CUSTOM_OPERATORS, text, unpack_int4

Library = Literal["tflm", "litert"]

#: Operators that TFLM has no kernel for.
LACKING = frozenset({"GELU", "RELU_N1_TO_1", "SELECT", "TILE"})
#: Operators that TFLM has, but not of that type of the second operand (of one, of the only one).
LACKING_OF = frozenset(
    {
        ("EXP", schema.TensorType.INT8),
        ("LOG", schema.TensorType.INT8),
        ("NEG", schema.TensorType.INT8),
        ("SELECT_V2", schema.TensorType.INT32),
    }
)
#: Dimensions that TFLM's STRIDED_SLICE takes; LiteRT's takes one more.
_SLICED_RANK = 4
#: Elements of a row up to which TFLM's SOFTMAX of int8 takes every input.
LONGEST_SOFTMAX = 511
#: The same of SOFTMAX from int8 to int16.
LONGEST_WIDE_SOFTMAX = 4095
#: Operators of state that is shared between operators, which no cut may part.
_STATEFUL = frozenset({"ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"})

_NAMES: dict[int, str] = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}


@dataclass(frozen=True)
class Piece:
    """Neighbouring operators as their own model, with the tensor indices of the whole.

    Attributes:
        library: whose kernels compute it.
        kinds: TFLite's names of its operators.
        content: the `.tflite` file's bytes.
        inputs, outputs: the tensors of the whole model that its inputs and outputs are.
        written: every tensor that it computes, the states that it keeps among them.
        exponent_scale: of a SOFTMAX of more elements than TFLM's kernel takes for every
            input, what one step of the input adds to the exponents; None for all else.
        left: of an operator that at times leaves outputs as they are in memory, what counts then.
    """

    library: Library
    kinds: tuple[str, ...]
    content: bytes
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    written: frozenset[int]
    exponent_scale: float | None = None
    left: Left | None = None

    def refuses(self, values: Array) -> bool:
        """Whether TFLM's kernel would end the process on that input.

        Its sum of exponentials, each at most 1, must stay below 512 (`RescaledOutput` shifts by 32
        bits there, `SoftmaxInt8` in reference/softmax.h).
        """
        if self.exponent_scale is None:
            return False
        below = values.astype(np.float64) - values.max(axis=-1, keepdims=True)
        sums = np.exp(self.exponent_scale * below).sum(axis=-1)
        return bool(np.any(sums >= LONGEST_SOFTMAX))


@dataclass(frozen=True)
class Pieces:
    """A whole model cut up, in the order its pieces run; `inputs` and `outputs` are its own."""

    pieces: tuple[Piece, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    widened: bool


def cut_model(content: bytes) -> Pieces:
    """Cut a model where operators of TFLM and of LiteRT meet; most models are one piece.

    Raises:
        InputError: the bytes are not a model.
        UnsupportedError: the model has subgraphs or variables and operators that TFLM lacks.
    """
    model = _parse(content)
    widened = _widen(model)
    changed = _leave_out_absent_biases(model) or widened
    graph = model.subgraphs[0]
    operators = list(graph.operators or [])
    inputs, outputs = _indices(graph.inputs), _indices(graph.outputs)
    owners = [library_of(model, operator) for operator in operators]
    scales = [_exponent_scale(model, operator) for operator in operators]
    left = [_left(model, operator) for operator in operators]
    if "litert" not in owners and not any(scales) and not any(left):
        written = frozenset(index for op in operators for index in _indices(op.outputs))
        kinds = tuple(_kind(model, operator) for operator in operators)
        whole = _pack(model) if changed else content
        piece = Piece("tflm", kinds, whole, inputs, outputs, written)
        return Pieces((piece,), inputs, outputs, widened)
    if len(model.subgraphs) > 1 or any(_kind(model, op) in _STATEFUL for op in operators):
        apart = sorted(
            {
                _kind(model, operator)
                for operator, owner, *special in zip(operators, owners, scales, left, strict=True)
                if owner == "litert" or any(special)
            }
        )
        raise UnsupportedError(
            f"the oracle cannot run this model: {', '.join(apart)} next to subgraphs or variables"
        )
    pieces, start = [], 0
    # A long SOFTMAX is alone, so that its input can be looked at; so is an operator that leaves
    # outputs as they are.
    alone = [
        index if scale or leaves else None
        for index, (scale, leaves) in enumerate(zip(scales, left, strict=True))
    ]
    for (library, _), group in groupby(zip(owners, alone, strict=True)):
        stop = start + len(list(group))
        piece = _piece(model, library, start, stop, whole=left[start] is not None)
        pieces.append(replace(piece, exponent_scale=scales[start], left=left[start]))
        start = stop
    return Pieces(tuple(pieces), inputs, outputs, widened)


def _parse(content: bytes) -> Any:
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        model.subgraphs[0].tensors[0]
    except (
        AttributeError,
        IndexError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        raise InputError(f"not a .tflite model: {error}") from error
    return model


def _pack(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _widen(model: Any) -> bool:
    """Replace constants of int4 by int8; whether there were any."""
    found = False
    for tensor in model.subgraphs[0].tensors:
        if tensor.type != schema.TensorType.INT4:
            continue
        data = model.buffers[tensor.buffer].data
        elements = int(np.prod(_indices(tensor.shape), dtype=np.int64))
        if data is None or len(data) != (elements + 1) // 2:
            raise InputError("the oracle cannot run this model: int4 that is not a whole constant")
        buffer = schema.BufferT()
        buffer.data = unpack_int4(np.asarray(data, np.uint8), elements).view(np.uint8)
        tensor.type, tensor.buffer = schema.TensorType.INT8, len(model.buffers)
        model.buffers.append(buffer)
        found = True
    return found


def _leave_out_absent_biases(model: Any) -> bool:
    """Take the -1 of an absent bias off DEPTHWISE_CONV_2D; whether there were any.

    The wheel's kernel looks for a bias by the number of inputs, and ends the process.
    """
    found = False
    for operator in model.subgraphs[0].operators or []:
        inputs = _indices(operator.inputs)
        if _kind(model, operator) == "DEPTHWISE_CONV_2D" and inputs[2:] == (-1,):
            operator.inputs = np.array(inputs[:2], np.int32)
            found = True
    return found


def library_of(model: Any, operator: Any) -> Library:
    """Whose kernel computes an operator."""
    kind = _kind(model, operator)
    tensors = model.subgraphs[0].tensors
    values = {tensors[index].type for index in _indices(operator.inputs)[:2][-1:]}
    if kind in LACKING or any((kind, dtype) in LACKING_OF for dtype in values):
        return "litert"
    if kind == "STRIDED_SLICE":
        rank = len(_indices(tensors[operator.inputs[0]].shape))
        return "litert" if rank > _SLICED_RANK else "tflm"
    if kind in ("ARG_MAX", "ARG_MIN"):  # TFLM gives int32 only
        is_wide = tensors[operator.outputs[0]].type == schema.TensorType.INT64
        return "litert" if is_wide else "tflm"
    return "tflm"


def _exponent_scale(model: Any, operator: Any) -> float | None:
    """Return a step of a long int8 SOFTMAX's input in units of the exponent, else None."""
    if _kind(model, operator) != "SOFTMAX":
        return None
    tensor = model.subgraphs[0].tensors[operator.inputs[0]]
    shape = _indices(tensor.shape)
    is_wide = model.subgraphs[0].tensors[operator.outputs[0]].type == schema.TensorType.INT16
    longest = LONGEST_WIDE_SOFTMAX if is_wide else LONGEST_SOFTMAX
    if tensor.type != schema.TensorType.INT8 or shape[-1:] <= (longest,):
        return None
    return float(operator.builtinOptions.beta * tensor.quantization.scale[0])


def _left(model: Any, operator: Any) -> Left | None:
    """Return the elements that count if an operator may leave outputs unwritten, else None."""
    return left_by(_kind(model, operator), operator.customOptions)


def _kind(model: Any, operator: Any) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    name = _NAMES.get(max(code.builtinCode, code.deprecatedBuiltinCode), "?")
    custom = text(code.customCode) if name == "CUSTOM" else ""
    return custom if custom in CUSTOM_OPERATORS else name


def _is_constant(model: Any, tensor: int) -> bool:
    data = model.buffers[model.subgraphs[0].tensors[tensor].buffer].data
    return data is not None and len(data) > 0


def _piece(model: Any, library: Library, start: int, stop: int, *, whole: bool) -> Piece:
    """The operators from `start` to `stop` as their own model.

    Its outputs are the tensors that are read later, or as a `whole` all that it writes.
    """
    graph = model.subgraphs[0]
    operators = graph.operators[start:stop]
    written = _unique(index for op in operators for index in _indices(op.outputs))
    read = _unique(index for op in operators for index in _indices(op.inputs) if index >= 0)
    inputs = tuple(
        index
        for index in read
        if index not in written
        and not _is_constant(model, index)
        and not graph.tensors[index].isVariable
    )
    later = {index for op in graph.operators[stop:] for index in _indices(op.inputs)}
    later |= set(_indices(graph.outputs))
    outputs = tuple(index for index in written if whole or index in later) or written[-1:]

    part = copy.copy(model)
    part.metadata = part.metadataBuffer = part.signatureDefs = None
    used = {graph.tensors[index].buffer for index in (*read, *written)}
    part.buffers = [
        buffer if index in used else schema.BufferT() for index, buffer in enumerate(model.buffers)
    ]
    # An interpreter looks up the kernels of all codes that a file lists, used or not.
    codes = _unique(operator.opcodeIndex for operator in operators)
    part.operatorCodes = [copy.copy(model.operatorCodes[code]) for code in codes]
    if library == "litert":
        lower_versions(part)
    part.subgraphs = [copy.copy(graph)]
    # Names come from an untrusted file, and LiteRT fails where one is not UTF-8.
    part.subgraphs[0].tensors = [copy.copy(tensor) for tensor in graph.tensors]
    for index, tensor in enumerate(part.subgraphs[0].tensors):
        tensor.name = str(index)
        if library == "litert":
            mend_quantization(tensor)
    part.subgraphs[0].operators = [copy.copy(operator) for operator in operators]
    for operator in part.subgraphs[0].operators:
        operator.opcodeIndex = codes.index(operator.opcodeIndex)
    part.subgraphs[0].inputs = np.array(inputs, np.int32)
    part.subgraphs[0].outputs = np.array(outputs, np.int32)
    kinds = tuple(_kind(model, operator) for operator in operators)
    states = (index for index in read if graph.tensors[index].isVariable)
    return Piece(library, kinds, _pack(part), inputs, outputs, frozenset({*written, *states}))


def mend_quantization(tensor: Any) -> None:
    """Write a tensor's quantisation as TFLM reads it, so that LiteRT takes it, too.

    TFLM ignores much that LiteRT refuses a model for: a dimension that does not exist, scales of
    another number than channels, zero points of another number than scales.
    """
    found = tensor.quantization
    if found is None:
        return
    scales, points = _values(found.scale), _values(found.zeroPoint)
    if not scales or not points:
        tensor.quantization = None
        return
    shape, axis = _indices(tensor.shape), found.quantizedDimension
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        scales = scales[:1]
    if len(points) != len(scales):
        points = points[:1] * len(scales)
    tensor.quantization = copy.copy(found)
    tensor.quantization.scale = np.array(scales, np.float32)
    tensor.quantization.zeroPoint = np.array(points, np.int64)
    if len(scales) == 1:
        tensor.quantization.quantizedDimension = 0


def _values(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def _unique(values: Iterator[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(values))


def _indices(values: Sequence[int] | None) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values)
