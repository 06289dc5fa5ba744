# SPDX-License-Identifier: Apache-2.0
"""Loading a Keras model, after `model_file` found nothing in it that would run.

Imports Keras, hence TensorFlow: called in worker processes only.
"""

from __future__ import annotations

import math
import re
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyflow.convert.dequantize import dequantized
from tinyflow.convert.keras2 import is_quantised
from tinyflow.convert.model_file import (
    ModelKind,
    model_kind,
    read_config,
    static_shape,
    write_copy,
)
from tinyflow.datasets.dataset import InputSpec
from tinyflow.errors import InputError
from tinyflow.worker import require_keras

if TYPE_CHECKING:
    import keras

#: Values of one activation: 64 MiB as int8.
_MOST_ELEMENTS = 1 << 26


def load_keras(path: Path | str) -> keras.Model:
    """Load a `.keras` or `.h5` model, uncompiled, in Keras 3.

    Layers keep their names, but for characters that TensorFlow's graphs cannot hold.

    Raises:
        InputError: see `model_file.read_config`; also for a SavedModel (which has no layers
            to prune), an unknown layer class, weights that do not fit the layers or are not
            finite, and a dynamic input shape.
        ToolMissingError: Keras is not installed.
    """
    path = Path(path)
    kind = model_kind(path)
    if kind is ModelKind.SAVED_MODEL:
        raise InputError(
            f"{path}: a SavedModel has no layers to work on; it can be quantised, not pruned",
            hint="Save the model with model.save('model.keras'), or set prune to \"none\".",
        )
    require_keras()
    config = read_config(path)
    import keras

    keras.config.disable_traceback_filtering()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copy = write_copy(path, config, Path(folder))
        try:
            model = keras.saving.load_model(copy, compile=False, safe_mode=True)
        except Exception as error:
            raise InputError(
                f"{path}: Keras {keras.__version__} cannot load it: {_cause(error)}",
                hint="Save the model before model.quantize(): tinyflow quantises it itself."
                if is_quantised(config)
                else "Models of Keras 3 and of TensorFlow 2's Keras with Keras's own layers load. "
                "Others can be handed over as a SavedModel folder: model.export('folder').",
            ) from error
    if not model.built or not getattr(model, "inputs", None):
        raise InputError(
            f"{path}: the model has no input shape",
            hint="Build it with keras.Input(shape=...) as its first layer and save it again.",
        )
    model = dequantized(path, model, config)
    _type_indices(model)
    keras_inputs(path, model)
    _check_sizes(path, model)
    _check_finite(path, model)
    _rename(model)
    return model


def keras_inputs(path: Path, model: keras.Model) -> tuple[InputSpec, ...]:
    """The inputs of a loaded model, in its order.

    Raises:
        InputError: a dimension other than the batch is not fixed.
    """
    return tuple(
        InputSpec(str(tensor.name), static_shape(path, tensor.name, tensor.shape), tensor.dtype)
        for tensor in model.inputs
    )


def graph_name(name: str) -> str:
    """The name with all but letters, digits, `_`, `.` and `-` replaced by `_`."""
    safe = re.sub(r"[^A-Za-z0-9_.\-]", "_", name)
    return safe if re.match(r"[A-Za-z0-9.]", safe) else f"layer{safe}"


def _cause(error: BaseException) -> str:
    """Return the first cause: Keras wraps it in messages that quote whole configurations."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    text = str(error).strip()
    for mark in ("Exception encountered: ", "Error encountered during deserialization:"):
        text = text.rsplit(mark, 1)[-1].strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines)[:500] or type(error).__name__


def _rename(model: Any) -> None:
    layers = list(model._flatten_layers(include_self=True, recursive=True))
    used = {layer.name for layer in layers}
    for layer in layers:
        safe = graph_name(layer.name)
        if safe != layer.name:
            while safe in used:
                safe += "_"
            used.add(safe)
            layer.name = safe


def _type_indices(model: Any) -> None:
    """Make int32 of float inputs that only Embedding layers read: int8 would not hold them."""
    import keras

    graph = getattr(model, "_functional", None) or model
    for tensor in model.inputs:
        readers = [
            layer
            for layer in graph.layers
            for node in layer._inbound_nodes
            if any(source is tensor for source in node.input_tensors)
        ]
        if readers and all(isinstance(layer, keras.layers.Embedding) for layer in readers):
            tensor._dtype = "int32"


def _check_sizes(path: Path, model: keras.Model) -> None:
    """Refuse activations that no microcontroller holds, before a converter spends hours on them."""
    for operation in getattr(getattr(model, "_functional", None) or model, "operations", []):
        for node in operation._inbound_nodes:
            for tensor in node.output_tensors:
                elements = math.prod(size or 1 for size in tensor.shape)
                if elements > _MOST_ELEMENTS:
                    raise InputError(
                        f"{path}: the layer {operation.name!r} gives {elements:,} values, more "
                        f"than the {_MOST_ELEMENTS:,} that any microcontroller could hold"
                    )


def _check_finite(path: Path, model: keras.Model) -> None:
    for weight in model.weights:
        if not np.isfinite(weight.numpy()).all():
            raise InputError(f"{path}: the weight {weight.path!r} holds NaN or infinite values")
