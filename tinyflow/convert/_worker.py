# SPDX-License-Identifier: Apache-2.0
"""The process that holds TensorFlow while a model is read, run in float and quantised.

Started by `convert.py` through `tinyflow.worker`. Job: `model`, and in `convert` the type of
activations to convert it to, if at all; next to it `calibration.npz` and `samples.npz`. Reply:
`inputs`, the `loss` and what is odd about the samples' `scale`; next to it `model.tflite`,
`float.tflite` and `float_outputs.npz`.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.arrays import Array
from tinyflow.convert.converter import Converted, convert
from tinyflow.convert.declared_loss import declared_loss
from tinyflow.convert.keras_model import keras_inputs, load_keras
from tinyflow.convert.keras_rewrites import rewrite_layers
from tinyflow.convert.model_file import (
    ModelKind,
    input_specs,
    model_kind,
    read_config,
    reading_seconds,
)
from tinyflow.convert.recurrent import Recurrence, prepare_recurrent
from tinyflow.convert.saved_model import SavedSignature
from tinyflow.convert.training_scale import foreign_scale
from tinyflow.datasets.dataset import InputSpec
from tinyflow.errors import ConversionError, InputError, TinyflowError
from tinyflow.sandbox.confine import cpu_limit

_BATCH = 64


@dataclass(frozen=True)
class _FloatModel:
    """A float model as a function of its inputs, in order; outputs in order.

    `variables` are what it reads; `prepare` makes it ready for the converter, in place;
    `foreign_scale` says what is odd about the scale of samples.
    """

    path: Path
    inputs: tuple[InputSpec, ...]
    call: Callable[..., list[Any]]
    any_batch: bool
    variables: list[Any] = field(default_factory=list)
    prepare: Callable[[], Recurrence] = Recurrence
    foreign_scale: Callable[[list[Array]], str | None] = lambda _: None


def main(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Do one job; see the module's docstring."""
    path = Path(job["model"])
    samples_given = (folder / "samples.npz").exists()
    print(f"loading {path.name}")
    scale = None
    with cpu_limit(reading_seconds(path)), _damage(path):
        if not job.get("convert") and not samples_given:
            return {"inputs": [asdict(spec) for spec in inputs_of(path)]}
        model = _load(path)
    if samples_given:
        samples = _arrays(folder / "samples.npz", model)
        print(f"running the float model on {len(samples[0])} samples")
        outputs = _predict(model, samples)
        arrays: dict[str, Any] = {str(index): output for index, output in enumerate(outputs)}
        np.savez(folder / "float_outputs.npz", **arrays)
    if job.get("convert"):
        calibration = _arrays(folder / "calibration.npz", model)
        scale = model.foreign_scale(calibration)
        converted = _convert(model, calibration, job["convert"])
        (folder / "model.tflite").write_bytes(converted.quantised)
        (folder / "float.tflite").write_bytes(converted.in_float)
    loss = declared_loss(path)
    return {
        "inputs": [asdict(spec) for spec in model.inputs],
        "loss": None if loss is None else asdict(loss),
        "scale": scale,
    }


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Blame the file for whatever its reading raises.

    Raises:
        InputError: with the error's own words.
    """
    try:
        yield
    except (TinyflowError, MemoryError):
        raise
    except Exception as error:
        traceback.print_exc()
        words = f"{type(error).__name__}: {error}".strip()
        raise InputError(
            f"{path}: damaged, or not as Keras or TensorFlow writes it: {words[:500]}",
            hint="Save or export the model again.",
        ) from error


def inputs_of(path: Path) -> tuple[InputSpec, ...]:
    """The inputs, without TensorFlow where the file's configuration states them."""
    specs = None
    if model_kind(path) is not ModelKind.SAVED_MODEL:
        specs = input_specs(path, read_config(path))
    return _load(path).inputs if specs is None else specs


def _load(path: Path) -> _FloatModel:
    if model_kind(path) is ModelKind.SAVED_MODEL:
        signature = SavedSignature(path)
        names = [spec.name for spec in signature.inputs]
        shapes = signature.function.structured_input_signature[1].values()

        def call(*arrays: Any) -> list[Any]:
            outputs = signature.function(**dict(zip(names, arrays, strict=True)))
            return [outputs[name] for name in signature.outputs]

        any_batch = all(spec.shape.as_list()[0] is None for spec in shapes)
        return _FloatModel(path, signature.inputs, call, any_batch)
    import keras

    model = load_keras(path)
    # What the model was called with when it was built: a tensor, a list or a dict.
    sequential = isinstance(model, keras.Sequential)
    structure = model.inputs[0] if sequential else model._inputs_struct

    def call_keras(*arrays: Any) -> list[Any]:
        if isinstance(structure, dict):
            given: Any = {
                key: arrays[[id(t) for t in model.inputs].index(id(tensor))]
                for key, tensor in structure.items()
            }
        else:
            given = list(arrays) if isinstance(structure, list | tuple) else arrays[0]
        return list(keras.tree.flatten(model(given, training=False)))

    any_batch = all(tensor.shape[0] is None for tensor in model.inputs)
    return _FloatModel(
        path,
        keras_inputs(path, model),
        call_keras,
        any_batch,
        [variable.value for variable in model.variables],
        partial(_prepare, path, model),
        partial(foreign_scale, model),
    )


def _prepare(path: Path, model: Any) -> Recurrence:
    rewrite_layers(model)
    return prepare_recurrent(path, model)


def _arrays(path: Path, model: _FloatModel) -> list[Array]:
    with np.load(path, allow_pickle=False) as loaded:
        arrays = [loaded[str(index)] for index in range(len(loaded.files))]
    found = [array.shape[1:] for array in arrays]
    wanted = [spec.shape for spec in model.inputs]
    if found != wanted:
        raise InputError(
            f"{model.path}: the samples have the shapes {found}, the model's inputs {wanted}"
        )
    return [
        np.asarray(array, dtype=spec.dtype)
        for array, spec in zip(arrays, model.inputs, strict=True)
    ]


def _predict(model: _FloatModel, samples: list[Array]) -> list[Array]:
    import tensorflow as tf

    function = tf.function(model.call, autograph=False, reduce_retracing=True)
    step = _BATCH if model.any_batch else 1
    batches = []
    for start in range(0, len(samples[0]), step):
        batch = [tf.constant(array[start : start + step]) for array in samples]
        batches.append([np.asarray(output) for output in function(*batch)])
    return [np.concatenate(parts).astype(np.float32) for parts in zip(*batches, strict=True)]


def _convert(model: _FloatModel, calibration: list[Array], activations: str) -> Converted:
    recurrence = model.prepare()
    count = len(calibration[0])

    def representative() -> Iterator[list[Array]]:
        for index in range(count):
            if index and index % 100 == 0:
                print(f"calibrated {index} of {count} samples")
            yield [array[index : index + 1] for array in calibration]

    print(f"quantising with {count} calibration samples")
    try:
        return convert(
            model.call,
            model.inputs,
            representative,
            recurrence,
            variables=model.variables,
            activations=activations,
        )
    except TinyflowError:
        raise
    except Exception as error:
        raise ConversionError(
            f"{model.path}: the TFLite converter failed: {_words(error)}",
            hint=f"A layer of this model has no {activations} TFLite operator, or its graph is not "
            "static.",
        ) from error


def _words(error: Exception) -> str:
    """The lines of a converter's message that say something: errors, not source locations."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reported = [line for line in lines if "error:" in line or "ops:" in line.lower()] or lines
    short = [re.sub(r"loc\(.*?\): |callsite\(.*?\)", "", line)[:300] for line in reported[:4]]
    return "; ".join(short) or type(error).__name__
