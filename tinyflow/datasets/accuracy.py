# SPDX-License-Identifier: Apache-2.0
"""Outputs of the quantised model on the host, without TensorFlow.

It runs in LiteRT with its reference kernels. They round FULLY_CONNECTED once where
TFLM rounds twice, which can move an output by one step: good for accuracy, not as the oracle
of exactness.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflow.arrays import Array
from tinyflow.datasets.litert_versions import with_lowered_versions
from tinyflow.errors import InputError, UnsupportedError


def quantize_array(
    values: npt.ArrayLike, scale: float, zero_point: int, dtype: npt.DTypeLike = np.int8
) -> Array:
    """Real values to integers: round(value / scale) + zero_point, saturating.

    Rounds half away from zero as C's `roundf` and TFLite's AffineQuantize do; the division is
    in float32.
    """
    limits = np.iinfo(np.dtype(dtype))
    quotient = (np.asarray(values, dtype=np.float32) / np.float32(scale)).astype(np.float64)
    # Exact in float64, where adding one half loses nothing.
    rounded = np.copysign(np.floor(np.abs(quotient) + 0.5), quotient) + zero_point
    integers: Array = np.clip(rounded, limits.min, limits.max).astype(dtype)
    return integers


def dequantize_array(values: Array, scale: float, zero_point: int) -> npt.NDArray[np.float32]:
    """Integers to real values: (value - zero_point) * scale, in float32."""
    centred = values.astype(np.int32) - np.int32(zero_point)
    return centred.astype(np.float32) * np.float32(scale)


def int8_predictions(tflite: bytes, samples: Sequence[Array]) -> tuple[Array, ...]:
    """Run samples through a quantised .tflite; its state is reset before each.

    Args:
        tflite: the file's content; inputs of batch one.
        samples: one array (samples, *shape) per input, in the model's order: real values, or
            integers of the input's own dtype, which go in as they are.

    Returns:
        One float32 array (samples, *shape) per output, dequantised.

    Raises:
        InputError: the number or shapes of the samples are not the model's inputs'.
        UnsupportedError: LiteRT cannot run the model.
    """
    interpreter = _interpreter(tflite)
    has_resources = _has_resources(tflite)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    wanted = [tuple(int(size) for size in detail["shape"][1:]) for detail in inputs]
    found = [array.shape[1:] for array in samples]
    if found != wanted:
        raise InputError(f"samples of the shapes {found}; the model's inputs are {wanted}")
    fed = [_to_input(array, detail) for array, detail in zip(samples, inputs, strict=True)]
    results: list[list[Array]] = [[] for _ in outputs]
    for index in range(len(samples[0])):
        if has_resources:  # a reset leaves resource variables as they are
            interpreter = _interpreter(tflite)
        interpreter.reset_all_variables()
        for array, detail in zip(fed, inputs, strict=True):
            interpreter.set_tensor(detail["index"], array[index : index + 1])
        with _refusals():
            interpreter.invoke()
        for collected, detail in zip(results, outputs, strict=True):
            collected.append(_from_output(interpreter.get_tensor(detail["index"]), detail))
    return tuple(np.concatenate(collected) for collected in results)


def _interpreter(tflite: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=with_lowered_versions(tflite),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    with _refusals():
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise UnsupportedError(f"LiteRT cannot run this model: {error}") from error


def _has_resources(tflite: bytes) -> bool:
    """Whether the model has resource variables."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, Model

    model = Model.GetRootAs(tflite)
    codes = (model.OperatorCodes(index) for index in range(model.OperatorCodesLength()))
    return any(code.BuiltinCode() == BuiltinOperator.VAR_HANDLE for code in codes)


def _to_input(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if dtype.kind == "f" or not scale or array.dtype == dtype:
        return array.astype(dtype)
    return quantize_array(array, scale, zero_point, dtype)


def _from_output(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero_point = detail["quantization"]
    if array.dtype.kind == "f" or not scale:
        return array.astype(np.float32)
    return dequantize_array(array, scale, zero_point)
