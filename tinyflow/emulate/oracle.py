"""The reference: TensorFlow Lite Micro's own kernels, through the `tflite-micro` wheel."""

from __future__ import annotations

import os
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.schema_py_generated import Model

from tinyflow.errors import InputError, UnsupportedError

ORACLE_NAME = "TensorFlow Lite Micro reference kernels (tflite-micro)"

#: The wheel does not survive an arena that is much too small (it ends the process), so the first
#: try is far above what any microcontroller's model needs; untouched memory costs nothing.
_FIRST_ARENA = 64 << 20
_LARGEST_ARENA = 1 << 30
_ALLOCATION_FAILURE = "failed to allocate"
_UNKNOWN_OPERATOR = "Didn't find op"


class Oracle:
    """Runs an int8 `.tflite` in TFLM's reference arithmetic.

    The model should have been imported before: on some damaged models the wheel ends the
    process instead of raising an error.

    Args:
        model_bytes: the file's bytes.
        keep_tensors: give every tensor memory of its own, so that `tensor` can read it.

    Raises:
        InputError: the bytes are not a model that TFLM can load.
        UnsupportedError: TFLM has no kernel for one of the model's operators.
    """

    def __init__(self, model_bytes: bytes, *, keep_tensors: bool = False) -> None:
        self._interpreter = _load(model_bytes, keep_tensors)
        graph = Model.GetRootAs(model_bytes).Subgraphs(0)
        self._inputs = [
            _type_and_shape(self._interpreter.get_input_details(index))
            for index in range(graph.InputsLength())
        ]
        self._outputs = graph.OutputsLength()

    def run(self, *inputs: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """The outputs for one set of inputs, each of the model's exact shape and type.

        Raises:
            InputError: the number, shape or type of the inputs is not the model's.
        """
        if len(inputs) != len(self._inputs):
            raise InputError(f"the model takes {len(self._inputs)} input(s), not {len(inputs)}")
        for index, (array, (dtype, shape)) in enumerate(zip(inputs, self._inputs, strict=True)):
            if array.dtype != dtype or array.shape != shape:
                raise InputError(
                    f"input {index} must be {dtype.name} of shape {shape}, "
                    f"not {array.dtype.name} of shape {array.shape}"
                )
            self._interpreter.set_input(np.asarray(array, order="C"), index)
        self._interpreter.invoke()
        return [np.array(self._interpreter.get_output(index)) for index in range(self._outputs)]

    def tensor(self, index: int) -> npt.NDArray[Any]:
        """A tensor of the last run, by its index in the file; needs `keep_tensors`."""
        return np.array(self._interpreter.GetTensor(index, 0)["tensor_data"])


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


def _type_and_shape(details: dict[str, Any]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    return np.dtype(details["dtype"]), tuple(int(size) for size in details["shape"])


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
