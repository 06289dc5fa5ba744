# SPDX-License-Identifier: Apache-2.0
"""The reference: TensorFlow Lite Micro's own kernels, through the `tflite-micro` wheel.

LiteRT's reference kernels replace those of the operators that the wheel lacks, see `oracle_pieces`.
"""

from __future__ import annotations

import os
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from ai_edge_litert.schema_py_generated import Model, ModelT, TensorType

from tinyflow.arrays import Array
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.oracle.pieces import Library, Piece, cut_model
from tinyflow.oracle.process import Oracle
from tinyflow.tflite.state_mark import is_reset

__all__ = ["DirectOracle", "Oracle"]

_TFLM_NAME = "TensorFlow Lite Micro reference kernels (tflite-micro)"
_LITERT_NAME = "LiteRT reference kernels (ai-edge-litert)"


#: The wheel does not survive an arena that is much too small (it ends the process), so the first
#: try is far above what any microcontroller's model needs; untouched memory costs nothing.
_FIRST_ARENA = 64 << 20
_LARGEST_ARENA = 1 << 30
_ALLOCATION_FAILURE = "failed to allocate"
_UNKNOWN_OPERATOR = "Didn't find op"

_DTYPES = {
    TensorType.BOOL: np.dtype(np.bool_),
    TensorType.FLOAT32: np.dtype(np.float32),
    TensorType.INT16: np.dtype(np.int16),
    TensorType.INT32: np.dtype(np.int32),
    TensorType.INT64: np.dtype(np.int64),
    TensorType.INT8: np.dtype(np.int8),
    TensorType.UINT8: np.dtype(np.uint8),
    TensorType.UINT32: np.dtype(np.uint32),
    TensorType.UINT64: np.dtype(np.uint64),
}


class _Reference(Protocol):
    """An interpreter of one piece, which it keeps: state lives on between runs."""

    def run(self, inputs: Sequence[Array]) -> list[Array]: ...

    def reset(self) -> None: ...

    def tensor(self, index: int) -> Array: ...


class DirectOracle:
    """Runs an int8 `.tflite` in the reference arithmetic, in this process.

    On some damaged models the wheel ends the process instead of raising an error: `Oracle` runs
    this in a process apart.

    Args:
        model_bytes: the file's bytes.
        keep_tensors: give every tensor its own memory, so that `tensor` can read it.

    Attributes:
        name: whose kernels compute the model, for a reader of the report.

    Raises:
        InputError: the bytes are not a model that TFLM can load.
        UnsupportedError: there is no reference kernel for one of the model's operators.
    """

    def __init__(self, model_bytes: bytes, *, keep_tensors: bool = False) -> None:
        pieces = cut_model(model_bytes)
        self._pieces = [
            (piece, _interpreter(piece, keep_tensors=keep_tensors)) for piece in pieces.pieces
        ]
        #: The outputs of operators that may leave them as they were; the number of runs.
        self._left: dict[int, Array] = {}
        self._runs = 0
        self._inputs, self._outputs = pieces.inputs, pieces.outputs
        graph = Model.GetRootAs(model_bytes).Subgraphs(0)
        self._expected = [_type_and_shape(graph.Tensors(index)) for index in pieces.inputs]
        self._resets = is_reset(ModelT.InitFromObj(Model.GetRootAs(model_bytes)))
        self.name = _name(pieces.pieces, widened=pieces.widened)

    def run(self, *inputs: Array) -> list[Array]:
        """The outputs for one set of inputs, each of the model's exact shape and type.

        Raises:
            InputError: the number, shape or type of the inputs is not the model's, or an operator
                refuses one.
        """
        if len(inputs) != len(self._expected):
            raise InputError(f"the model takes {len(self._expected)} input(s), not {len(inputs)}")
        for index, (array, (dtype, shape)) in enumerate(zip(inputs, self._expected, strict=True)):
            if array.dtype != dtype or array.shape != shape:
                raise InputError(
                    f"input {index} must be {dtype.name} of shape {shape}, "
                    f"not {array.dtype.name} of shape {array.shape}"
                )
        values = dict(zip(self._inputs, inputs, strict=True))
        for piece, reference in self._pieces:
            if self._resets:
                reference.reset()
            given = [values[index] for index in piece.inputs]
            if given and piece.refuses(given[0]):
                raise InputError(
                    f"the oracle refuses an input: a SOFTMAX of {given[0].shape[-1]} elements "
                    "has too many near the largest, for which TFLM's kernel is not defined",
                    hint="Give samples like the model's real inputs, by --calibration or --test.",
                )
            results = dict(zip(piece.outputs, reference.run(given), strict=True))
            values |= results | self._settled(piece, results)
        self._runs = 0 if self._resets else self._runs + 1
        return [values[index] for index in self._outputs]

    def _settled(self, piece: Piece, results: Mapping[int, Array]) -> dict[int, Array]:
        """The outputs of an operator that may have left some as they were; empty for all others."""
        if piece.left is None:
            return {}
        before = [self._left[index] for index in piece.outputs if index in self._left]
        found = [results[index] for index in piece.outputs]
        settled = piece.left.settled(found, before or None, self._runs)
        self._left |= zip(piece.outputs, settled, strict=True)
        return dict(zip(piece.outputs, settled, strict=True))

    def tensor(self, index: int) -> Array:
        """A tensor of the last run, by its index in the file; needs `keep_tensors`."""
        if index in self._left:
            return self._left[index]
        for piece, reference in self._pieces:
            if index in piece.written:
                return reference.tensor(index)
        return self._pieces[0][1].tensor(index)


def run_once(content: bytes, library: Library) -> list[Array]:
    """The outputs of a model without inputs, whole in one library's reference arithmetic.

    Args:
        content: the `.tflite` file's bytes.
        library: whose kernels compute it.

    Raises:
        InputError: the library cannot load or run the model.
        UnsupportedError: it has no kernel for one of the operators.
    """
    outputs = tuple(range(Model.GetRootAs(content).Subgraphs(0).OutputsLength()))
    piece = Piece(library, (), content, (), outputs, frozenset())
    return _interpreter(piece, keep_tensors=False).run([])


class _Tflm:
    """A model in TFLM's reference arithmetic."""

    def __init__(self, piece: Piece, *, keep_tensors: bool) -> None:
        self._interpreter = _load(piece.content, keep_tensors)
        self._outputs = len(piece.outputs)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        for index, array in enumerate(inputs):
            self._interpreter.set_input(np.asarray(array, order="C"), index)
        said: list[str] = []
        try:
            with _stderr_into(said):
                self._interpreter.invoke()
        except RuntimeError as error:
            reason = said[0] if said else str(error)
            raise InputError(f"the oracle refuses an input: {reason}") from error
        return [np.array(self._interpreter.get_output(index)) for index in range(self._outputs)]

    def reset(self) -> None:
        self._interpreter.reset()

    def tensor(self, index: int) -> Array:
        return np.array(self._interpreter.GetTensor(index, 0)["tensor_data"])


def _interpreter(piece: Piece, *, keep_tensors: bool) -> _Reference:
    if piece.library == "tflm":
        return _Tflm(piece, keep_tensors=keep_tensors)
    from tinyflow.oracle.litert import LitertReference  # few models need it

    return LitertReference(piece.content, keep_tensors=keep_tensors)


def _name(pieces: Sequence[Piece], *, widened: bool) -> str:
    """Whose kernels compute which operators."""
    by_litert = sorted(
        {kind for piece in pieces if piece.library == "litert" for kind in piece.kinds}
    )
    parts = []
    if any(piece.library == "tflm" for piece in pieces):
        parts.append(_TFLM_NAME)
    if by_litert:
        parts.append(f"{_LITERT_NAME} for {', '.join(by_litert)}")
    return " and ".join(parts) + (", int4 weights widened to int8" if widened else "")


def _load(model_bytes: bytes, keep_tensors: bool) -> Any:
    from tflite_micro import runtime

    kinds = runtime.InterpreterConfig
    config = kinds.kPreserveAllTensors if keep_tensors else kinds.kAllocationRecording

    arena = max(_FIRST_ARENA, 16 * len(model_bytes))
    while True:
        said: list[str] = []
        try:
            with _stderr_into(said):
                return runtime.Interpreter.from_bytes(
                    model_bytes, arena_size=arena, intrepreter_config=config
                )
        except RuntimeError as error:
            arena *= 2
            if _ALLOCATION_FAILURE in "\n".join(said).lower() and arena <= _LARGEST_ARENA:
                continue
            reason = said[0] if said else str(error)
            if _UNKNOWN_OPERATOR in reason:
                raise UnsupportedError(f"the oracle cannot run this model: {reason}") from error
            raise InputError(f"the oracle cannot load this model: {reason}") from error
        except (ValueError, TypeError, IndexError, AttributeError, struct.error) as error:
            raise InputError(f"not a .tflite model: {error}") from error


def _type_and_shape(tensor: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
    return _DTYPES[tensor.Type()], tuple(int(size) for size in shape)


@contextmanager
def _stderr_into(lines: list[str]) -> Iterator[None]:
    """Collect what C code writes to the process's standard error: the wheel's only reasons."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            text = file.read().decode("utf-8", "replace")
            lines += [line for line in text.splitlines() if line.strip()]
