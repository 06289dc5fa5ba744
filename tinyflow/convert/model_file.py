# SPDX-License-Identifier: Apache-2.0
"""Detection of a model file's kind, and of files that run their author's code when loaded.

A Keras file can carry code: Lambda layers, references to functions by module and name, links
to other files. Everything here is decided from the file's structure and its configuration as
JSON, with neither TensorFlow nor Keras imported; Keras sees the file only afterwards.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from tinyflow.convert.keras2 import modernise
from tinyflow.datasets.dataset import InputSpec
from tinyflow.distribution import install_hint
from tinyflow.errors import InputError, ToolMissingError

_CONFIG_LIMIT = 64 << 20
_ARCHIVE_LIMIT = 2 << 30
_WEIGHTS = "model.weights.h5"
_MOST_OBJECTS = 30_000
_DEEPEST = 200
#: Processor seconds in which any file is read, TensorFlow's start included, and per megabyte.
_READING_SECONDS, _READING_SECONDS_PER_MB = 40.0, 1.0

_FORMS = "A model is a .keras or .h5 file, a SavedModel folder, or a quantised .tflite."

#: Layers that run code, or read files, that the model file names.
_REFUSED_LAYERS = {
    "Lambda": "it runs Python code stored in the file",
    "TFSMLayer": "it loads another SavedModel",
    "TorchModuleWrapper": "it unpickles a Torch module",
    "JaxLayer": "it runs code outside of Keras",
    "FlaxLayer": "it runs code outside of Keras",
    "StringLookup": "it can read files, and no microcontroller takes strings",
    "IntegerLookup": "it can read files",
    "TextVectorization": "it can read files, and no microcontroller takes strings",
}
_VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__ellipsis__", "__slice__", "__bytes__"}
_TOP_LEVEL = {"Sequential", "Model", "Functional", "DTypePolicy", "FloatDTypePolicy"}
_MODULES = re.compile(
    r"keras\.(layers|models|initializers|regularizers|constraints|dtype_policies"
    r"|optimizers|losses|metrics|quantizers)"
    r"|keras\.src\.(layers|models|ops|initializers|regularizers|constraints|dtype_policies)(\.\w+)*"
)
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*")


class ModelKind(StrEnum):
    """The forms of model this room reads."""

    KERAS = "keras"
    H5 = "h5"
    SAVED_MODEL = "saved_model"


def model_kind(path: Path) -> ModelKind:
    """Tell the form of a model from its content, not its name.

    Raises:
        InputError: there is nothing at `path`, or it is none of the forms.
    """
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return ModelKind.SAVED_MODEL
        raise InputError(f"{path}: a folder without saved_model.pb is no SavedModel", hint=_FORMS)
    if not path.is_file():
        what = "not a file" if path.exists() else "no such model file"
        raise InputError(f"{path}: {what}", hint=_FORMS)
    try:
        if path.stat().st_size > _ARCHIVE_LIMIT:
            raise InputError(f"{path}: larger than the {_ARCHIVE_LIMIT:,} bytes allowed")
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if head[:4] == b"PK\x03\x04":
        return ModelKind.KERAS
    if head == b"\x89HDF\r\n\x1a\n":
        return ModelKind.H5
    if head[4:8] == b"TFL3":
        raise InputError(
            f"{path}: a .tflite is already converted; this step takes the Keras model", hint=_FORMS
        )
    what = "empty" if not head else "damaged, or not a Keras model"
    raise InputError(f"{path}: {what}", hint=_FORMS)


def reading_seconds(path: Path) -> float:
    """Processor time within which a model of that size is read, or is made to hang."""
    size = sum(file.stat().st_size for file in path.rglob("*")) if path.is_dir() else 0
    return _READING_SECONDS + _READING_SECONDS_PER_MB * (size + path.stat().st_size) / 1e6


def read_config(path: Path) -> dict[str, Any]:
    """Read and vet the configuration of a `.keras` or `.h5` file; nothing is executed.

    Returns:
        The model's configuration as Keras 3 writes it (see `keras2`): `class_name`, `config`
        and so on.

    Raises:
        InputError: the file is damaged or truncated, holds no model (weights alone), is too
            large when unpacked, links to other files, or contains a Lambda layer, a custom
            class or function; the message names the file and the layer.
        ToolMissingError: h5py is not installed.
    """
    kind = model_kind(path)
    text = _keras_config(path) if kind is ModelKind.KERAS else _h5_config(path)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: the model's configuration is not JSON: damaged file") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise InputError(f"{path}: the model's configuration is not one of a Keras model")
    try:
        config = modernise(path, config)
    except RecursionError as error:
        raise InputError(f"{path}: the model's configuration is nested too deep") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: the model's configuration is not one of a Keras model "
            f"({type(error).__name__}: {error})"
        ) from error
    _refuse_code(path, config)
    return config


def write_copy(path: Path, config: dict[str, Any], folder: Path) -> Path:
    """Write the model into a folder with the configuration that was vetted, and nothing to compile.

    Raises:
        InputError: the file cannot be read.
    """
    kind = model_kind(path)
    text = json.dumps({key: value for key, value in config.items() if key != "compile_config"})
    copy = folder / f"model.{kind.value}"  # Keras goes by the suffix, and the user's may be another
    try:
        if kind is ModelKind.KERAS:
            with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
                new.writestr("config.json", text)
                new.writestr("metadata.json", json.dumps({"keras_version": "3"}))
                if _WEIGHTS in old.namelist():
                    new.writestr(_WEIGHTS, old.read(_WEIGHTS))
            return copy
        import h5py

        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = text
            file.attrs.pop("training_config", None)
    except (OSError, RuntimeError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged or truncated: {error}") from error
    return copy


def input_specs(path: Path, config: dict[str, Any]) -> tuple[InputSpec, ...] | None:
    """The model's inputs as its configuration states them; None if only Keras knows.

    Raises:
        InputError: a dimension other than the batch is not fixed.
    """
    inner = config["config"]
    if not isinstance(inner, dict) or not isinstance(inner.get("layers"), list):
        return None
    layers = [layer for layer in inner["layers"] if isinstance(layer, dict)]
    if any(layer.get("class_name") == "Embedding" for layer in layers):
        # An input that only such layers read is int32, whatever its own type.
        return None
    if config.get("class_name") == "Sequential":
        chosen = layers[:1]
    else:
        by_name = {layer.get("name"): layer for layer in layers}
        names = _names(inner.get("input_layers"))
        if not names or any(name not in by_name for name in names):
            return None
        chosen = [by_name[name] for name in names]
    specs = []
    for layer in chosen:
        settings = layer.get("config")
        if not isinstance(settings, dict):
            return None
        shape = settings.get("batch_shape") or settings.get("batch_input_shape")
        if not isinstance(shape, list) or layer.get("class_name") != "InputLayer":
            return None
        dtype = settings.get("dtype")
        name = str(settings.get("name"))
        static = static_shape(path, name, shape)
        specs.append(InputSpec(name, static, dtype if isinstance(dtype, str) else "float32"))
    return tuple(specs) or None


def static_shape(path: Path, name: str, batch_shape: Any) -> tuple[int, ...]:
    """The shape of one sample from a shape with the batch dimension first.

    Raises:
        InputError: a dimension other than the batch is not fixed, or the batch is fixed to
            something other than one.
    """
    shape = tuple(batch_shape)
    shown = tuple("?" if size is None else size for size in shape)
    if any(size is None for size in shape[1:]):
        raise InputError(
            f"{path}: the input {name!r} has the dynamic shape ({', '.join(map(str, shown))}); "
            "firmware needs fixed sizes",
            hint="Rebuild the model with them, keras.Input(shape=(96, 96, 3)) for example, "
            "load its weights into that, and save it again. Only the batch may stay open.",
        )
    if shape and shape[0] not in (None, 1):
        raise InputError(
            f"{path}: the input {name!r} has a fixed batch of {shape[0]}; firmware runs one sample",
            hint="Save the model with an open batch: keras.Input(shape=...) and no batch_size.",
        )
    return tuple(int(size) for size in shape[1:])


def _names(nodes: Any) -> list[str]:
    """Layer names of ["in", 0, 0] or [["a", 0, 0], ["b", 0, 0]]; empty for other nestings."""
    if not isinstance(nodes, list) or not nodes:
        return []
    if isinstance(nodes[0], str):
        return [nodes[0]]
    return [node[0] for node in nodes if isinstance(node, list) and isinstance(node[0], str)]


def _keras_config(path: Path) -> bytes:
    damaged = f"{path}: damaged or truncated: not a complete .keras archive"
    try:
        with zipfile.ZipFile(path) as archive:
            total = 0
            for member in archive.infolist():
                pure = PurePosixPath(member.filename.replace("\\", "/"))
                if pure.is_absolute() or ".." in pure.parts or ":" in pure.parts[0]:
                    raise InputError(
                        f"{path}: the archive holds {member.filename!r}, a path outside of itself"
                    )
                total += member.file_size
            if total > _ARCHIVE_LIMIT:
                raise InputError(
                    f"{path}: unpacks to {total:,} bytes, more than the {_ARCHIVE_LIMIT:,} allowed"
                )
            names = set(archive.namelist())
            if "config.json" not in names:
                raise InputError(f"{path}: no config.json: not a Keras model", hint=_FORMS)
            if archive.getinfo("config.json").file_size > _CONFIG_LIMIT:
                raise InputError(
                    f"{path}: config.json unpacks to more than {_CONFIG_LIMIT:,} bytes"
                )
            text = archive.read("config.json")
            if _WEIGHTS in names:
                _check_hdf5(path, io.BytesIO(archive.read(_WEIGHTS)))
    except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError) as error:
        raise InputError(damaged, hint="Save or copy the file again.") from error
    except (OSError, RuntimeError, ValueError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise InputError(f"{damaged} ({error})", hint="Save or copy the file again.") from error
    return text


def _h5_config(path: Path) -> bytes:
    with path.open("rb") as file:
        found = _check_hdf5(path, file)
    if found is None:
        raise InputError(
            f"{path}: holds weights but no model",
            hint="Save the whole model: model.save('model.keras').",
        )
    return found


def _check_hdf5(path: Path, file: BinaryIO) -> bytes | None:
    """Refuse links out of the file and oversized arrays; returns the attribute model_config."""
    try:
        import h5py
    except ImportError as error:
        raise ToolMissingError(
            "h5py is not installed; it is needed to read Keras models",
            hint=install_hint("keras"),
        ) from error
    try:
        with h5py.File(file, "r") as root:
            total = 0
            for name, item in _hdf5_items(h5py, path, root):
                if not isinstance(item, h5py.Dataset):
                    continue
                if item.is_virtual or item.external:
                    raise InputError(f"{path}: the array {name!r} lies in another file: refused")
                total += int(item.nbytes)
                if total > _ARCHIVE_LIMIT:
                    raise InputError(
                        f"{path}: holds arrays of more than the {_ARCHIVE_LIMIT:,} bytes allowed"
                    )
            config = root.attrs.get("model_config")
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: damaged or truncated: not a complete HDF5 file ({error})",
            hint="Save or copy the file again.",
        ) from error
    if config is None:
        return None
    return config.encode("utf-8") if isinstance(config, str) else bytes(config)


def _hdf5_items(h5py: Any, path: Path, root: Any) -> Iterator[tuple[str, Any]]:
    """Every object once, however many paths of hard links lead to it."""
    pending, seen = [("", root)], {_address(h5py, root)}
    while pending:
        prefix, group = pending.pop()
        for key in group:
            name = f"{prefix}/{key}"
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise InputError(f"{path}: {name!r} is a link to another place: refused")
            item = group[key]
            address = _address(h5py, item)
            if address in seen:
                # Keras writes none, and whoever follows such links by name walks each path.
                raise InputError(f"{path}: {name!r} is a second link to one object: refused")
            seen.add(address)
            if len(seen) > _MOST_OBJECTS:
                raise InputError(f"{path}: holds more than the {_MOST_OBJECTS:,} objects allowed")
            yield name, item
            if isinstance(item, h5py.Group):
                if name.count("/") > _DEEPEST:
                    raise InputError(f"{path}: groups are nested too deep")
                pending.append((name, item))


def _address(h5py: Any, item: Any) -> int:
    return int(h5py.h5o.get_info(item.id).addr)


def _refuse_code(path: Path, config: dict[str, Any]) -> None:
    # The compilation settings of the model itself are never read: it is loaded uncompiled.
    top = {key: value for key, value in config.items() if key != "compile_config"}
    pending: list[tuple[Any, str]] = [(top, "model")]
    while pending:
        value, owner = pending.pop()
        if isinstance(value, list):
            pending.extend((item, owner) for item in value)
        elif isinstance(value, dict):
            if "class_name" in value:
                settings = value.get("config")
                name = settings.get("name") if isinstance(settings, dict) else None
                owner = name if isinstance(name, str) else owner
                reason = _reason_to_refuse(value)
                if reason is not None:
                    raise InputError(
                        f"{path}: the layer {owner!r}: {reason}; refused, and nothing was executed",
                        hint="Use Keras's own layers, or hand over a SavedModel folder "
                        "(model.export) or a quantised .tflite that you made yourself.",
                    )
            elif "function_type" in value:
                raise InputError(
                    f"{path}: the layer {owner!r} holds a stored function; refused, "
                    "and nothing was executed"
                )
            pending.extend((item, owner) for item in value.values())


def _reason_to_refuse(item: dict[str, Any]) -> str | None:
    """Why this serialised object may not be loaded; None when it may."""
    name, settings = item["class_name"], item.get("config")
    reason = None
    if isinstance(name, str) and name in _VALUES:
        pass
    elif name == "__lambda__" or (isinstance(settings, dict) and "function_type" in settings):
        reason = "it holds a stored Python function"
    elif name == "function":
        reason = f"it uses the custom function {settings!r}"
    elif isinstance(name, str) and name in _REFUSED_LAYERS:
        reason = f"it is a {name} layer: {_REFUSED_LAYERS[name]}"
    elif not _is_keras_class(name, item.get("module"), item.get("registered_name")):
        shown = item.get("registered_name") or ".".join(
            str(part) for part in (item.get("module"), name) if part
        )
        reason = f"it uses {shown!r}, which is none of Keras's own layers"
    return reason


def _is_keras_class(name: Any, module: Any, registered: Any) -> bool:
    if not isinstance(name, str) or not _CLASS_NAME.fullmatch(name):
        return False
    if registered is not None and registered != name:
        return False
    if module is None:
        return True  # the older .h5 form: Keras finds its own classes by name, and no others
    if module == "keras":
        return name in _TOP_LEVEL
    return isinstance(module, str) and _MODULES.fullmatch(module) is not None
