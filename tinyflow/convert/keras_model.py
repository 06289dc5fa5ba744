"""Loading a Keras model, after `model_file` found nothing in it that would run.

Imports Keras, hence TensorFlow: called in worker processes only.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyflow.convert.model_file import ModelKind, model_kind, read_config, static_shape
from tinyflow.datasets.dataset import InputSpec
from tinyflow.errors import InputError
from tinyflow.worker import require_keras

if TYPE_CHECKING:
    import keras


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
    read_config(path)
    import keras

    keras.config.disable_traceback_filtering()
    custom = {"DepthwiseConv2D": _legacy_depthwise(keras)} if kind is ModelKind.H5 else None
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Keras goes by the suffix, and the user's may be another.
        copy = Path(folder) / f"model.{kind.value}"
        shutil.copyfile(path, copy)
        try:
            model = keras.saving.load_model(
                copy, custom_objects=custom, compile=False, safe_mode=True
            )
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"{path}: Keras cannot load it: {reason[0][:500]}",
                hint="Models of Keras 3 and of TensorFlow 2's Keras with Keras's own layers load.",
            ) from error
    if not model.built or not getattr(model, "inputs", None):
        raise InputError(
            f"{path}: the model has no input shape",
            hint="Build it with keras.Input(shape=...) as its first layer and save it again.",
        )
    _type_indices(model)
    keras_inputs(path, model)
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


def _check_finite(path: Path, model: keras.Model) -> None:
    for weight in model.weights:
        if not np.isfinite(weight.numpy()).all():
            raise InputError(f"{path}: the weight {weight.path!r} holds NaN or infinite values")


def _legacy_depthwise(keras: Any) -> type:
    """DepthwiseConv2D as TensorFlow 2's Keras wrote it: with a `groups` that says nothing."""

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            kept = {key: value for key, value in config.items() if key != "groups"}
            # The plain class, so that the model saves as one of Keras's own layers.
            return keras.layers.DepthwiseConv2D.from_config(kept)

    return DepthwiseConv2D
