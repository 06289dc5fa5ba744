# SPDX-License-Identifier: Apache-2.0
"""Files as Keras 2.15 writes them, made from models of Keras 3: the same weights, older words."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

#: TFOpLambda's names of Keras 3 operations, and of their arguments.
_FUNCTIONS = {
    "Multiply": ("math.multiply", {}),
    "Subtract": ("math.subtract", {}),
    "Add": ("__operators__.add", {}),
    "Relu": ("nn.relu", {}),
    "Reshape": ("reshape", {"newshape": "shape"}),
    "Mean": ("math.reduce_mean", {"axis": "axis", "keepdims": "keepdims"}),
    "Softmax": ("nn.softmax", {"axis": "axis"}),
    "Concatenate": ("concat", {"axis": "axis"}),
}
_KERNEL = {"kernel_initializer": None, "kernel_regularizer": None, "kernel_constraint": None}
_OLD_SETTINGS: dict[str, dict[str, Any]] = {
    "LSTM": {"time_major": False, "implementation": 2},
    "GRU": {"time_major": False, "implementation": 2},
    "SimpleRNN": {"time_major": False},
    "DepthwiseConv2D": {"groups": 1, "kernel_initializer": None},
    "SeparableConv2D": {"groups": 1, **_KERNEL},
    "Conv2DTranspose": {"groups": 1},
    "BatchNormalization": {"axis": [3]},
    "MultiHeadAttention": {"query_shape": [None, 8, 3], "key_shape": None, "value_shape": None},
    "Embedding": {"input_length": None},
}


def write_keras2(model: Any, path: Path, *, policy: Any = None, package: str = "keras") -> Path:
    """Save a model of Keras 3 as `.keras` or `.h5` of Keras 2.15.

    Args:
        model: functional or Sequential, of layers and a few operations.
        path: what to write; its suffix chooses the form.
        policy: the dtype policy of every layer but the inputs, as a file has it.
        package: `keras` or `tf_keras`.
    """
    model.save(path)
    text = model.to_json()
    old = _object(json.loads(text), policy, package, legacy=path.suffix == ".h5")
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path, "r+") as file:
            file.attrs["keras_version"] = "2.15.0"
            file.attrs["model_config"] = json.dumps(old)
        return path
    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        archive.writestr("config.json", json.dumps(old))
        archive.writestr("model.weights.h5", weights)
    return path


def _object(item: dict[str, Any], policy: Any, package: str, *, legacy: bool) -> dict[str, Any]:
    name, settings = item["class_name"], dict(item["config"])
    made: dict[str, Any] = {"class_name": name, "config": settings}
    if "layers" in settings:
        inner = [_object(each, policy, package, legacy=legacy) for each in settings["layers"]]
        settings["layers"] = inner
        if name == "Functional":
            module = f"{package}.src.engine.functional"
            models = {each["name"] for each in inner if "layers" in each["config"]}
            for key in ("input_layers", "output_layers"):
                ends = settings[key]
                ends = [ends] if isinstance(ends[0], str) else ends
                settings[key] = [_counted(end, models) for end in ends]
            for layer, source in zip(inner, item["config"]["layers"], strict=True):
                nodes = [_node(node, models, layer) for node in source["inbound_nodes"]]
                layer["inbound_nodes"], layer["name"] = nodes, source["name"]
        else:
            module = package
    else:
        module = f"{package}.layers"
        _settings(name, settings, policy)
    if name in _FUNCTIONS:
        function, renamed = _FUNCTIONS[name]
        made["kwargs"] = {new: settings[key] for key, new in renamed.items() if key in settings}
        made["config"] = {"name": settings["name"], "dtype": "float32", "function": function}
        made["class_name"], module = "TFOpLambda", f"{package}.src.layers.core.tf_op_layer"
    elif name == "GetItem":
        made["config"] = {"name": settings["name"], "function": "__operators__.getitem"}
        made["class_name"], module = "SlicingOpLambda", f"{package}.src.layers.core.tf_op_layer"
    if not legacy:
        made |= {"module": module, "registered_name": None, "build_config": {"input_shape": None}}
    made["name"] = item.get("name", settings.get("name"))
    return made


def _settings(name: str, settings: dict[str, Any], policy: Any) -> None:
    for key in ("quantization_config", "optional", "use_cudnn", "seed"):
        settings.pop(key, None)
    if name == "InputLayer":
        settings["batch_input_shape"] = settings.pop("batch_shape")
        settings["ragged"] = False
        return
    settings["dtype"] = "float32" if policy is None else policy
    settings.update(_OLD_SETTINGS.get(name, {}))


def _counted(end: list[Any], models: set[str]) -> list[Any]:
    """Keras 2 counts the making of a model as its first call."""
    return [end[0], end[1] + (end[0] in models), end[2]]


def _node(node: dict[str, Any], models: set[str], layer: dict[str, Any]) -> Any:
    def reference(value: Any) -> Any:
        return _counted(value["config"]["keras_history"], models)

    def is_tensor(value: Any) -> bool:
        return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"

    first, *others = node["args"]
    kwargs = {key: reference(v) if is_tensor(v) else v for key, v in node["kwargs"].items()}
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    if layer["class_name"] == "SlicingOpLambda":
        spec = [each["config"] if isinstance(each, dict) else each for each in others[0]]
        return [*reference(first), {"slice_spec": spec}]
    if layer["class_name"] == "TFOpLambda":
        kwargs |= layer.pop("kwargs")
        if others:
            kwargs["y"] = reference(others[0]) if is_tensor(others[0]) else others[0]
        if isinstance(first, list):
            return [[*reference(each), kwargs] for each in first]
        return [*reference(first), kwargs]
    if layer["class_name"] == "MultiHeadAttention":
        kwargs["value"], others = reference(others[0]), []
    tensors = first if isinstance(first, list) else [first, *others]
    return [[*reference(each), kwargs] for each in tensors]
