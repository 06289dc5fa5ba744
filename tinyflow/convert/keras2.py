# SPDX-License-Identifier: Apache-2.0
"""Configurations that Keras 3 does not read as they are: those of Keras 2, and reduced precision.

A configuration is rewritten as JSON, before it is vetted: what was vetted is what Keras loads.
Keras 2.15's `tf.*` calls in a functional model (TFOpLambda) become the operations of `keras.ops`
that Keras 3 writes itself. Weights keep their order, by which both forms of file find them.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyflow.errors import InputError

_MODELS = {"Functional", "Model", "Sequential"}
#: Arguments that Keras 3's layers dropped, with values that have no effect; None: any value.
_DROPPED: dict[str, tuple[Any, ...] | None] = {
    "adjustment": (None,),
    "dynamic": (False,),
    "fused": None,
    "implementation": None,
    "key_shape": None,
    "query_shape": None,
    "ragged": (False, None),
    "renorm": (False,),
    "renorm_clipping": None,
    "renorm_momentum": None,
    "time_major": (False,),
    "value_shape": None,
    "virtual_batch_size": (None,),
}
#: The same where only some layers do not take it.
_DROPPED_OF: dict[str, dict[str, tuple[Any, ...] | None]] = {
    "Embedding": {"input_length": None},
    "DepthwiseConv1D": {"groups": None, "filters": None, "kernel_initializer": None},
    "DepthwiseConv2D": {"groups": None},
    "SeparableConv1D": {"groups": (1,)},
    "SeparableConv2D": {"groups": (1,)},
    "Conv1DTranspose": {"groups": (1,)},
    "Conv2DTranspose": {"groups": (1,)},
    "Conv3DTranspose": {"groups": (1,)},
}
_KERNEL_KEYS = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
_WITHOUT_KERNEL_KEYS = {"SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D"}
#: Modules of layers that Keras 2 names by their place in its sources.
_OLD_MODULE = re.compile(r"keras\.(src\.)?(layers|engine)(\.\w+)*")
_RENAMED = {"BatchNormalizationV1": "BatchNormalization", "LSTMV1": "LSTM", "GRUV1": "GRU"}


@dataclass(frozen=True)
class _Operation:
    """Keras 3's replacement for a function of TensorFlow.

    Attributes:
        module: of `keras.src.ops`.
        name: of the class.
        settings: arguments of its constructor, by the name of TensorFlow's argument.
        second: TensorFlow's name of the second operand, a tensor or a number, if there is one.
        is_list: whether the first argument is a list of tensors.
    """

    module: str
    name: str
    settings: dict[str, str]
    second: str | None = None
    is_list: bool = False


def _unary(module: str, name: str, **settings: str) -> _Operation:
    return _Operation(module, name, settings)


def _binary(name: str) -> _Operation:
    return _Operation("numpy", name, {}, second="y")


def _reduction(name: str) -> _Operation:
    return _Operation("numpy", name, {"axis": "axis", "keepdims": "keepdims"})


_OPERATIONS: dict[str, _Operation] = {
    **{f"math.{name.lower()}": _binary(name) for name in ("Add", "Multiply", "Subtract", "Maximum",
                                                          "Minimum")},
    **{f"__operators__.{name}": _binary(kind) for name, kind in (
        ("add", "Add"), ("mul", "Multiply"), ("sub", "Subtract"), ("truediv", "TrueDivide"))},
    "math.divide": _binary("TrueDivide"),
    "math.truediv": _binary("TrueDivide"),
    "compat.v1.div": _binary("TrueDivide"),
    "math.pow": _binary("Power"),
    **{f"math.{name}": _unary("numpy", kind) for name, kind in (
        ("abs", "Absolute"), ("exp", "Exp"), ("log", "Log"), ("sqrt", "Sqrt"),
        ("square", "Square"), ("tanh", "Tanh"), ("negative", "Negative"), ("sin", "Sin"),
        ("cos", "Cos"), ("sign", "Sign"), ("floor", "Floor"), ("ceil", "Ceil"))},
    "abs": _unary("numpy", "Absolute"),
    "math.rsqrt": _unary("math", "Rsqrt"),
    "math.sigmoid": _unary("nn", "Sigmoid"),
    "nn.tanh": _unary("numpy", "Tanh"),
    **{f"nn.{name}": _unary("nn", kind) for name, kind in (
        ("relu", "Relu"), ("relu6", "Relu6"), ("sigmoid", "Sigmoid"), ("elu", "Elu"),
        ("selu", "Selu"), ("silu", "Silu"), ("swish", "Silu"), ("softplus", "Softplus"),
        ("softsign", "Softsign"))},
    "nn.gelu": _unary("nn", "Gelu", approximate="approximate"),
    "nn.leaky_relu": _unary("nn", "LeakyRelu", alpha="negative_slope"),
    "nn.softmax": _unary("nn", "Softmax", axis="axis"),
    **{f"math.reduce_{name}": _reduction(name.capitalize())
       for name in ("mean", "sum", "max", "min", "prod")},
    "concat": _Operation("numpy", "Concatenate", {"axis": "axis"}, is_list=True),
    "stack": _Operation("numpy", "Stack", {"axis": "axis"}, is_list=True),
    "reshape": _unary("numpy", "Reshape", shape="newshape"),
    "transpose": _unary("numpy", "Transpose", perm="axes"),
    "compat.v1.transpose": _unary("numpy", "Transpose", perm="axes"),
    "expand_dims": _unary("numpy", "ExpandDims", axis="axis"),
    "squeeze": _unary("numpy", "Squeeze", axis="axis"),
    "compat.v1.squeeze": _unary("numpy", "Squeeze", axis="axis"),
    "clip_by_value": _unary("numpy", "Clip", clip_value_min="x_min", clip_value_max="x_max"),
    "identity": _unary("core", "StopGradient"),
    "stop_gradient": _unary("core", "StopGradient"),
}  # fmt: skip


def modernise(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """A copy of a model's configuration in the form that Keras 3 loads, in float32.

    Raises:
        InputError: the configuration has a setting or a function that Keras 3 lacks.
    """
    found = copy.deepcopy(config)
    items = list(_objects(found))
    if any(_has_old_shape(item) for item in items):  # by Keras 2
        for item in items:
            item.pop("build_config", None)  # Keras 3 builds a layer when it is called
            _unwrap_ends(item)
    for item in items:
        _modernise_object(path, item)
    for item in _objects(found):
        settings = item.get("config")
        if isinstance(settings, dict) and isinstance(settings.get("layers"), list):
            _modernise_model(path, item["class_name"], settings)
    for item in _objects(found):
        if _has_old_shape(item):
            del item["config"]["batch_input_shape"]
    return found


def _unwrap_ends(item: dict[str, Any]) -> None:
    """Let a model of one input take a tensor and not a list of one, and so its output."""
    settings = item.get("config")
    if isinstance(settings, dict):
        for key in ("input_layers", "output_layers"):
            ends = settings.get(key)
            if isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list):
                settings[key] = ends[0]


def is_quantised(config: dict[str, Any]) -> bool:
    """Whether Keras quantised a layer of the model."""
    settings = [item.get("config") for item in _objects(config)]
    return any(isinstance(each, dict) and each.get("quantization_config") for each in settings)


def without_quantisation(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of a modernised configuration in which no layer is quantised by Keras."""
    found = copy.deepcopy(config)
    for item in _objects(found):
        settings = item.get("config")
        if isinstance(settings, dict):
            settings.pop("quantization_config", None)
            policy = settings.get("dtype")
            if isinstance(policy, dict) or (isinstance(policy, str) and "_from_" in policy):
                settings["dtype"] = "float32"
    return found


def _has_old_shape(item: dict[str, Any]) -> bool:
    settings = item.get("config")
    return isinstance(settings, dict) and "batch_input_shape" in settings


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every serialised object of a configuration, those inside others included."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                yield value
            pending.extend(value.values())


# -------------------------------------------------------------------------------- objects


def _modernise_object(path: Path, item: dict[str, Any]) -> None:
    name = item["class_name"] = _RENAMED.get(item["class_name"], item["class_name"])
    _modernise_module(item)
    settings = item.get("config")
    if not isinstance(settings, dict):
        return
    if isinstance(settings.get("name"), str):
        settings["name"] = _safe(settings["name"])
    if _is_reduced(settings.get("dtype")):
        settings["dtype"] = "float32"
    if name.endswith("DTypePolicy") and "source_name" in settings:
        settings["source_name"] = "float32"  # what a quantised layer computes in
    if name == "InputLayer" and "batch_input_shape" in settings:
        settings["batch_shape"] = settings.pop("batch_input_shape")
    if name not in _MODELS and _is_layer(item):
        _drop_settings(path, name, settings)


def _modernise_module(item: dict[str, Any]) -> None:
    """Name a class by where Keras 3 has it."""
    module = item.get("module")
    if not isinstance(module, str):
        return
    if module == "tf_keras" or module.startswith("tf_keras."):
        module = item["module"] = module.removeprefix("tf_")
    if item["class_name"] in ("Functional", "Model"):
        item["class_name"], item["module"] = "Functional", "keras.src.models.functional"
        item["registered_name"] = "Functional"
    elif item["class_name"] == "Sequential":
        item["module"], item["registered_name"] = "keras", None
    elif _OLD_MODULE.fullmatch(module):
        item["module"] = "keras.layers"


def _drop_settings(path: Path, name: str, settings: dict[str, Any]) -> None:
    """Leave out what Keras 3's layer no longer takes, where it says nothing."""
    for key, neutral in {**_DROPPED, **_DROPPED_OF.get(name, {})}.items():
        if key not in settings:
            continue
        if neutral is not None and settings[key] not in neutral:
            raise InputError(
                f"{path}: the layer {settings.get('name')!r} sets {key} to {settings[key]!r}, "
                "which Keras 3 does not have",
                hint="Rebuild the model without it, load its weights into that, and save it again; "
                "or hand over a SavedModel folder: model.export('folder').",
            )
        del settings[key]
    if name in _WITHOUT_KERNEL_KEYS:
        for key in _KERNEL_KEYS:
            settings.pop(key, None)
    axis = settings.get("axis")
    if name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        (settings["axis"],) = axis


def _is_layer(item: dict[str, Any]) -> bool:
    module = item.get("module")
    return module is None or (isinstance(module, str) and "layers" in module)


def _is_reduced(dtype: Any) -> bool:
    """Whether a policy computes in another float type than float32, or says so at length."""
    if isinstance(dtype, dict):
        return dtype.get("class_name") in ("Policy", "DTypePolicy", "FloatDTypePolicy")
    return dtype in ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")


def _safe(name: str) -> str:
    return name.replace("/", "_")


# --------------------------------------------------------------------------------- graphs


def _modernise_model(path: Path, kind: str, settings: dict[str, Any]) -> None:
    layers = [layer for layer in settings["layers"] if isinstance(layer, dict)]
    if kind == "Sequential":
        _give_input(settings)
        _rename_apart(layers)
        return
    names = {layer["name"]: layer for layer in layers if isinstance(layer.get("name"), str)}
    lowest = {
        name: _first_node(name, layer, settings)
        for name, layer in names.items()
        if layer.get("class_name") in _MODELS
    }

    renamed = _unique(names)
    safe = set(renamed.values())
    for reference in list(_references(settings, names)):
        reference[1] -= lowest.get(reference[0], 0)
        reference[0] = renamed[reference[0]]
    for layer in layers:
        if isinstance(layer.get("name"), str):
            layer["name"] = renamed[layer["name"]]
            if isinstance(layer.get("config"), dict):
                layer["config"]["name"] = layer["name"]
        if layer.get("class_name") in ("TFOpLambda", "SlicingOpLambda"):
            _replace_function(path, layer, safe)
        elif isinstance(layer.get("inbound_nodes"), list):
            layer["inbound_nodes"] = [_with_tensors(node, safe) for node in layer["inbound_nodes"]]


def _unique(names: Iterable[str]) -> dict[str, str]:
    """New names by old ones: without slashes, and no two the same."""
    found: dict[str, str] = {}
    used = {name for name in names if _safe(name) == name}
    for name in names:
        new = _safe(name)
        while new != name and new in used:
            new += "_"
        used.add(new)
        found[name] = new
    return found


def _rename_apart(layers: list[dict[str, Any]]) -> None:
    """Keep layers of a Sequential model apart that a slash kept apart."""
    used: set[str] = set()
    for layer in layers:
        settings = layer.get("config")
        if isinstance(settings, dict) and isinstance(settings.get("name"), str):
            while settings["name"] in used:
                settings["name"] += "_"
            used.add(settings["name"])


def _give_input(settings: dict[str, Any]) -> None:
    """Put an InputLayer in front, where Keras 2 wrote its shape into the first layer."""
    layers = settings["layers"]
    first = layers[0] if layers and isinstance(layers[0], dict) else {}
    inner = first.get("config")
    if isinstance(inner, dict) and first.get("class_name") != "InputLayer":
        shape = inner.get("batch_input_shape")
        if isinstance(shape, list):
            dtype = "float32" if first.get("class_name") != "Embedding" else "int32"
            given = {"batch_shape": shape, "dtype": dtype, "name": f"{inner.get('name')}_input"}
            entry: dict[str, Any] = {"class_name": "InputLayer", "config": given}
            if "module" in first:
                entry |= {"module": "keras.layers", "registered_name": None}
            layers.insert(0, entry)


def _references(settings: dict[str, Any], names: dict[str, Any]) -> Iterator[list[Any]]:
    """Every [layer, node, tensor] of a graph, in both forms, each list once."""
    pending: list[Any] = [settings.get("input_layers"), settings.get("output_layers")]
    pending += [layer.get("inbound_nodes") for layer in names.values()]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            if (
                len(value) >= 3
                and isinstance(value[0], str)
                and value[0] in names
                and all(type(index) is int for index in value[1:3])
            ):
                yield value
                pending.extend(value[3:])
            else:
                pending.extend(value)


def _first_node(name: str, layer: dict[str, Any], settings: dict[str, Any]) -> int:
    """The number of a model's first call: Keras 2 counts its own making, Keras 3 does not."""
    calls = layer.get("inbound_nodes")
    used = [each[1] for each in _references(settings, {name: layer})]
    for other in settings["layers"]:
        if isinstance(other, dict) and other is not layer:
            one: dict[str, Any] = {}
            used += [
                each[1]
                for each in _references(one, {name: {"inbound_nodes": other.get("inbound_nodes")}})
            ]
    count = len(calls) if isinstance(calls, list) else 0
    return max(0, max(used, default=0) - count + 1)


def _with_tensors(node: Any, names: set[str]) -> Any:
    """A call in Keras 3's form where an argument by name is a tensor, which it needs there."""
    if not isinstance(node, list) or not node or not isinstance(node[0], list):
        return node
    kwargs = node[0][3] if len(node[0]) > 3 and isinstance(node[0][3], dict) else {}
    if not any(_is_reference(value, names) for value in kwargs.values()):
        return node
    tensors = [_tensor(entry) for entry in node]
    return {
        "args": [tensors[0] if len(tensors) == 1 else tensors],
        "kwargs": {
            key: _tensor(value) if _is_reference(value, names) else value
            for key, value in kwargs.items()
        },
    }


def _is_reference(value: Any, names: set[str]) -> bool:
    return isinstance(value, list) and len(value) >= 3 and value[0] in names


def _replace_function(path: Path, layer: dict[str, Any], names: set[str]) -> None:
    """Put an operation of Keras 3 in place of a call of TensorFlow's function."""
    settings = layer["config"] if isinstance(layer.get("config"), dict) else {}
    function = settings.get("function")
    nodes = layer.get("inbound_nodes")
    try:
        if not isinstance(nodes, list) or not nodes:
            raise ValueError("it is never called")
        if function == "__operators__.getitem":
            made = [_slice(node) for node in nodes]
            _become(layer, "numpy", "GetItem", {}, made)
            return
        operation = _OPERATIONS.get(str(function))
        if operation is None:
            raise ValueError("tinyflow knows no layer of Keras 3 that does the same")
        calls = [_call(operation, node, names) for node in nodes]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError(
            f"{path}: the layer {layer.get('name')!r} calls tf.{function} as Keras 2 stores it: "
            f"{error}",
            hint="Use a layer of Keras's own in its place and save the model again, or hand over a "
            "SavedModel folder: model.export('folder') or model.save('folder', save_format='tf').",
        ) from error
    first = calls[0][1]
    if any(each != first for _, each in calls):
        raise InputError(f"{path}: the layer {layer.get('name')!r} is called in different ways")
    _become(layer, operation.module, operation.name, first, [args for args, _ in calls])


def _become(
    layer: dict[str, Any],
    module: str,
    name: str,
    settings: dict[str, Any],
    calls: list[dict[str, Any]],
) -> None:
    own = layer["name"]
    layer.clear()
    layer |= {
        "module": f"keras.src.ops.{module}",
        "class_name": name,
        "config": {"name": own, **settings},
        "registered_name": name,
        "name": own,
        "inbound_nodes": calls,
    }


def _call(
    operation: _Operation, node: Any, names: set[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a call, and what Keras 3 gives to the constructor instead."""
    is_list = isinstance(node[0], list)
    entries = node if is_list else [node]
    kwargs = dict(entries[0][3]) if len(entries[0]) > 3 else {}
    kwargs.pop("name", None)
    tensors = [_tensor(entry) for entry in entries]
    args: list[Any] = [tensors] if operation.is_list else tensors
    if operation.second is not None:
        if operation.second in kwargs:
            args = [tensors[0], _operand(kwargs.pop(operation.second), names)]
        if len(args) != 2:
            raise ValueError("it has no second operand")
    elif len(tensors) != 1 and not operation.is_list:
        raise ValueError(f"it is called with {len(tensors)} tensors")
    settings: dict[str, Any] = {"approximate": False} if operation.name == "Gelu" else {}
    for key, value in kwargs.items():
        if key in operation.settings:
            settings[operation.settings[key]] = value
        elif value is not None:
            raise ValueError(f"its argument {key} is {value!r}")
    return {"args": args, "kwargs": {}}, settings


def _slice(node: Any) -> dict[str, Any]:
    key: list[Any] = []
    for part in node[3]["slice_spec"]:
        if isinstance(part, dict):
            bounds = [part.get(bound) for bound in ("start", "stop", "step")]
            if not all(bound is None or type(bound) is int for bound in bounds):
                raise ValueError("its bounds are computed")
            named = dict(zip(("start", "stop", "step"), bounds, strict=True))
            key.append({"class_name": "__slice__", "config": named})
        elif type(part) is int:
            key.append(part)
        else:
            raise ValueError(f"it takes {part!r}")
    return {"args": [_tensor(node), key], "kwargs": {}}


def _operand(value: Any, names: set[str]) -> Any:
    if _is_reference(value, names):
        return _tensor(value)
    if isinstance(value, int | float | list):
        return value
    raise ValueError(f"its operand is {value!r}")


def _tensor(reference: list[Any]) -> Any:
    name, node, tensor = reference[:3]
    if name == "_CONSTANT_VALUE":
        return tensor
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [], "dtype": "float32", "keras_history": [name, node, tensor]},
    }
