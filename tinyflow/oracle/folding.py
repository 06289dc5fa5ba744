# SPDX-License-Identifier: Apache-2.0
"""Folding of a model's constants by the reference kernels, in the oracle's process."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tinyflow.arrays import Array
from tinyflow.datasets.litert_versions import lower_versions
from tinyflow.errors import TinyflowError
from tinyflow.ir.verifier import MIN_SCALE
from tinyflow.oracle.foldable import FOLDED_TYPES, OF_SHAPE, Foldable
from tinyflow.oracle.oracle import run_once
from tinyflow.oracle.pieces import Library, library_of, mend_quantization
from tinyflow.tflite.file import parse_tflite
from tinyflow.tflite.operator_reader import indices

#: Folded operators; more than any network has.
_MAX_OPERATORS = 4096


def fold(content: bytes) -> tuple[bytes | None, bool]:
    """Fold a .tflite file's constants, as `constants.fold_constants` says.

    Gives the new file's bytes, None if there is nothing to fold or to mend; and whether it was
    mended: whether open sizes were other than the file has them, or zeros had no scale.
    """
    path = Path("model.tflite")
    model = parse_tflite(content, path)
    mended = Foldable(model, path).may_have_wrong_sizes() and _resize(model)
    folded = _Folding(model, path).run()
    mended = _scale_zeros(Foldable(model, path)) or mended
    return (_pack(model) if folded or mended else None), mended


# ------------------------------------------------------------------------------- open sizes


def _resize(model: Any) -> bool:
    """Give open sizes the values that they have when the model runs; whether any was another.

    For a size that the converter does not know, it writes 1. LiteRT finds the real ones as it
    runs the model, on zeros. A model that it cannot run is left as it is.
    """
    graph = model.subgraphs[0]
    try:
        shapes = _shapes_of_a_run(model)
    except (RuntimeError, ValueError):
        return False
    found = False
    for tensor, shape in zip(graph.tensors, shapes, strict=True):
        declared, signature = indices(tensor.shape), indices(tensor.shapeSignature)
        fits = len(shape) == len(signature) and all(
            extent >= 1 and known in (-1, extent)
            for extent, known in zip(shape, signature, strict=True)
        )
        if -1 in signature and fits and shape != declared:
            tensor.shape = np.array(shape, np.int32)
            found = True
    return found


def _shapes_of_a_run(model: Any) -> list[list[int]]:
    """The shapes of all tensors after a run of the model on zeros."""
    part = copy.copy(model)
    part.metadata = part.metadataBuffer = part.signatureDefs = None
    part.operatorCodes = [copy.copy(code) for code in model.operatorCodes]
    lower_versions(part)
    part.subgraphs = [copy.copy(model.subgraphs[0]), *model.subgraphs[1:]]
    part.subgraphs[0].tensors = [copy.copy(tensor) for tensor in part.subgraphs[0].tensors]
    for index, tensor in enumerate(part.subgraphs[0].tensors):
        tensor.name = str(index)  # LiteRT fails where one is not UTF-8
        mend_quantization(tensor)
    interpreter = Interpreter(
        model_content=_pack(part),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    for each in interpreter.get_input_details():
        interpreter.set_tensor(each["index"], np.zeros(each["shape"], each["dtype"]))
    interpreter.invoke()
    shapes = {each["index"]: each["shape"].tolist() for each in interpreter.get_tensor_details()}
    count = len(model.subgraphs[0].tensors)
    return [shapes.get(index, []) for index in range(count)]


# -------------------------------------------------------------------------------- constants


def _scale_zeros(known: Foldable) -> bool:
    """Give zeros without a scale one; whether there were any."""
    zeros = known.zeros_without_scale()
    for index in zeros:
        known.tensors[index].quantization.scale = np.array([MIN_SCALE], np.float32)
    return bool(zeros)


class _Folding:
    """Folds the main subgraph of a model (`schema.ModelT`) in place."""

    def __init__(self, model: Any, path: Path) -> None:
        self.model = model
        self.known = Foldable(model, path)
        self.tensors = self.known.tensors
        self.folded: set[int] = set()
        self.failed: set[int] = set()

    def run(self) -> bool:
        """Fold until nothing is left to fold; whether anything was."""
        while found := self._foldable():
            for each in found:
                if self.known.kind(each) in OF_SHAPE:
                    self._keep(each, [self._shape_of(each)])
            found = [each for each in found if self.known.kind(each) not in OF_SHAPE]
            libraries: tuple[Library, ...] = ("tflm", "litert")
            for library in libraries:
                self._compute(
                    [each for each in found if library_of(self.model, each) == library], library
                )
        if not self.folded:
            return False
        graph = self.model.subgraphs[0]
        graph.operators = [each for each in self.known.operators if id(each) not in self.folded]
        self._drop_unread()
        return True

    def _foldable(self) -> list[Any]:
        """The operators that read only constants now, and have not been tried."""
        tried = self.folded | self.failed
        room = max(0, _MAX_OPERATORS - len(tried))
        waiting = [each for each in self.known.operators if id(each) not in tried]
        return [each for each in waiting if self.known.is_foldable(each)][:room]

    def _shape_of(self, operator: Any) -> Array:
        """Compute SHAPE or RANK: shapes are static."""
        shape = indices(self.tensors[indices(operator.inputs)[0]].shape)
        dtype = FOLDED_TYPES[self.tensors[indices(operator.outputs)[0]].type]
        return np.array(len(shape) if self.known.kind(operator) == "RANK" else shape, dtype)

    def _compute(self, group: Sequence[Any], library: Library) -> None:
        """Fold independent operators: in one run of the library, or one by one where that fails.

        What TFLM has no kernel for, or none of these types, is LiteRT's.
        """
        if not group:
            return
        try:
            values = iter(run_once(self._model_of(group), library))
        except TinyflowError:
            if len(group) > 1:
                for each in group:
                    self._compute([each], library)
            elif library == "tflm":
                self._compute(group, "litert")
            else:
                self.failed.add(id(group[0]))
            return
        for each in group:
            self._keep(each, [next(values) for _ in indices(each.outputs)])

    def _model_of(self, group: Sequence[Any]) -> bytes:
        """The operators as their own model, without inputs; their outputs are its outputs."""
        model = copy.copy(self.model)
        model.metadata = model.metadataBuffer = model.signatureDefs = None
        operators = [copy.copy(each) for each in group]
        codes = list(dict.fromkeys(each.opcodeIndex for each in operators))
        model.operatorCodes = [copy.copy(self.model.operatorCodes[code]) for code in codes]
        lower_versions(model)
        used = [i for each in group for i in (*indices(each.inputs), *indices(each.outputs))]
        places = {
            index: place for place, index in enumerate(dict.fromkeys(i for i in used if i != -1))
        }
        model.buffers = [schema.BufferT()]
        graph = schema.SubGraphT()
        graph.name, graph.tensors = b"constants", []
        for index in places:
            tensor = copy.copy(self.tensors[index])
            tensor.name, tensor.shapeSignature, tensor.buffer = str(index), None, 0
            mend_quantization(tensor)
            if index in self.known.constants:
                tensor.buffer = len(model.buffers)
                model.buffers.append(self.model.buffers[self.tensors[index].buffer])
            graph.tensors.append(tensor)
        places[-1] = -1
        for each in operators:
            each.opcodeIndex = codes.index(each.opcodeIndex)
            each.inputs = np.array([places[index] for index in indices(each.inputs)], np.int32)
            each.outputs = np.array([places[index] for index in indices(each.outputs)], np.int32)
        graph.operators, graph.inputs = operators, np.array([], np.int32)
        graph.outputs = np.concatenate([each.outputs for each in operators])
        model.subgraphs = [graph]
        return _pack(model)

    def _keep(self, operator: Any, values: Sequence[Array]) -> None:
        """Make the outputs of an operator constants, if they are what the file says of them."""
        outputs = indices(operator.outputs)
        for index, value in zip(outputs, values, strict=True):
            tensor = self.tensors[index]
            due = FOLDED_TYPES[tensor.type]
            if list(value.shape) != indices(tensor.shape) or value.dtype != due:
                self.failed.add(id(operator))
                return
        self.folded.add(id(operator))
        self.known.add(operator)
        for index, value in zip(outputs, values, strict=True):
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
            self.tensors[index].buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)

    def _drop_unread(self) -> None:
        """Empty the buffers that only folded operators read."""
        graph = self.model.subgraphs[0]
        read = {index for each in graph.operators for index in indices(each.inputs)}
        read.update(indices(graph.outputs))
        for index in self.known.constants - read:
            self.tensors[index].buffer = 0
        used = {tensor.buffer for each in self.model.subgraphs for tensor in each.tensors or []}
        used.update(entry.buffer for entry in self.model.metadata or [])
        for index, buffer in enumerate(self.model.buffers):
            if index not in used:
                buffer.data = None


def _pack(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
