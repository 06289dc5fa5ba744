# SPDX-License-Identifier: Apache-2.0
"""Keras model to quantised .tflite: the real TFLite converter, in its own process."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.arrays import Array
from tinyflow.convert.model_file import model_kind
from tinyflow.datasets.dataset import CalibrationData, InputSpec
from tinyflow.datasets.task import Loss
from tinyflow.errors import InputError
from tinyflow.settings.project_file import Activations
from tinyflow.worker import OnLine, read_result, require_keras, run_worker

_WORKER = "tinyflow.convert._worker"
#: Seconds; large models with much calibration data take minutes.
DEFAULT_TIMEOUT = 1800.0


@dataclass(frozen=True)
class Conversion:
    """Result of a conversion.

    Attributes:
        path: the quantised .tflite.
        inputs: the model's inputs, in the .tflite's order.
        float_outputs: the float model's outputs for the evaluation samples, one array
            (samples, *shape) of float32 per output; None when no samples were given.
        in_float: the float model that was quantised, as a `.tflite`; tensors have the same names.
        loss: what the model was compiled with, None if it does not say.
        foreign_scale: what is odd about the scale of the calibration samples, None if nothing
            is.
    """

    path: Path
    inputs: tuple[InputSpec, ...]
    float_outputs: tuple[Array, ...] | None
    in_float: bytes
    loss: Loss | None = None
    foreign_scale: str | None = None


def model_inputs(
    model_path: Path, *, timeout: float | None = DEFAULT_TIMEOUT
) -> tuple[InputSpec, ...]:
    """The inputs of a Keras model or SavedModel, in the order data must have.

    Read from the file's configuration where that says it; TensorFlow is started otherwise, as it
    always is for a SavedModel. Either is done in a confined process.

    Raises:
        InputError: the file is missing, damaged, refused, or has a dynamic shape.
    """
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        reply = _run({"model": str(model_path.resolve())}, Path(name), model_path, timeout, None)
    return _specs(reply)


def quantize(
    model_path: Path,
    calibration: CalibrationData,
    *,
    output_path: Path,
    activations: Activations = "int8",
    samples: Sequence[Array] | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    on_line: OnLine | None = None,
) -> Conversion:
    """Full post-training quantisation: int8 weights; activations, inputs and outputs of one type.

    The batch is one. Ranges come from running the float model over all calibration samples.
    The result is the same to the byte for the same model and data.

    Args:
        model_path: `.keras`, `.h5` or SavedModel folder.
        calibration: at least one sample; see `load_calibration`.
        output_path: the .tflite to write; it appears whole or not at all.
        activations: the type of activations, inputs and outputs.
        samples: arrays, one per input, to run the float model on as well.
        timeout: seconds before the converter is stopped; None waits for ever.
        on_line: receives lines of progress.

    Raises:
        InputError: the model or the data is refused (see `load_keras`).
        ConversionError: the converter failed, crashed, or took too long.
        ToolMissingError: TensorFlow is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        folder = Path(name)
        job = {"model": str(model_path.resolve()), "convert": activations}
        _save(folder / "calibration.npz", calibration.inputs)
        if samples is not None:
            _save(folder / "samples.npz", samples)
        reply = _run(job, folder, model_path, timeout, on_line)
        content, in_float = (
            read_result(folder / name) for name in ("model.tflite", "float.tflite")
        )
        outputs = _load(folder / "float_outputs.npz") if samples is not None else None
    output_path.parent.mkdir(parents=True, exist_ok=True)
    aside = output_path.with_name(f"{output_path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(content)
        aside.replace(output_path)
    finally:
        aside.unlink(missing_ok=True)
    loss = None if reply["loss"] is None else Loss(**reply["loss"])
    return Conversion(output_path, _specs(reply), outputs, in_float, loss, reply["scale"])


def float_predictions(
    model_path: Path,
    samples: Sequence[Array],
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    on_line: OnLine | None = None,
) -> tuple[Array, ...]:
    """The float model's outputs: one float32 array (samples, *shape) per output.

    Raises:
        InputError, ConversionError, ToolMissingError: as `quantize`.
    """
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        folder = Path(name)
        _save(folder / "samples.npz", samples)
        _run({"model": str(model_path.resolve())}, folder, model_path, timeout, on_line)
        return _load(folder / "float_outputs.npz")


def _run(
    job: dict[str, Any],
    folder: Path,
    model_path: Path,
    timeout: float | None,
    on_line: OnLine | None,
) -> dict[str, Any]:
    require_keras()
    model_kind(model_path)  # what is no model at all starts no process
    verb = "quantising" if job.get("convert") else "reading"
    return run_worker(
        _WORKER,
        job,
        folder,
        task=f"{verb} {model_path}",
        reads=[model_path.resolve()],
        timeout=timeout,
        on_line=on_line,
    )


def _specs(reply: dict[str, Any]) -> tuple[InputSpec, ...]:
    return tuple(
        InputSpec(item["name"], tuple(item["shape"]), item["dtype"]) for item in reply["inputs"]
    )


def _save(path: Path, arrays: Sequence[Array]) -> None:
    if not arrays or any(len(array) != len(arrays[0]) or not len(array) for array in arrays):
        raise InputError("samples: at least one is needed, and as many for each input")
    content: dict[str, Any] = {str(index): array for index, array in enumerate(arrays)}
    np.savez(path, **content)


def _load(path: Path) -> tuple[Array, ...]:
    with np.load(io.BytesIO(read_result(path)), allow_pickle=False) as arrays:
        return tuple(arrays[str(index)] for index in range(len(arrays.files)))
