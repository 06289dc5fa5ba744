# SPDX-License-Identifier: Apache-2.0
"""Damaged Keras files and SavedModels: bytes flipped, configurations changed, protos changed."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import raw

_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 3, 7, 255, 65536, 2**31 - 1, 2**63, 0.5, 1e38, "", "x", "relu",
    "float16", "__lambda__", [], [None], [1, 2], {}, {"class_name": "Dense", "config": {}},
)  # fmt: skip


def seeds(folder: Path) -> list[Path]:
    """Small models in every form; needs Keras."""
    import keras

    layers = keras.layers
    folder.mkdir(parents=True)
    image = keras.Input((6, 6, 2), name="image")
    x = layers.Conv2D(3, 3, activation="relu")(image)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.BatchNormalization()(x)
    x = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(4)])(x)
    network = keras.Model(image, layers.Softmax()(x * 2.0))
    series = keras.Sequential([keras.Input((5, 3)), layers.LSTM(3), layers.Dense(2)])
    found = []
    for name, model in (("network", network), ("series", series)):
        for suffix in (".keras", ".h5"):
            found.append(folder / f"{name}{suffix}")
            model.save(found[-1])
    network.export(folder / "network_saved", verbose=False)
    return [*found, folder / "network_saved"]


def damage(model: Path, target: Path, rng: random.Random) -> Path:
    """A damaged copy of a model, in a folder that is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    copy = target / model.name
    if model.is_dir():
        shutil.copytree(model, copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file() and path.stat().st_size)
        graph = copy / "saved_model.pb"
        file = graph if rng.random() < 0.7 else rng.choice(files)
        if file == graph and rng.random() < 0.7:
            file.write_bytes(_graph(file.read_bytes(), rng))
        else:
            file.write_bytes(raw(file.read_bytes(), rng))
    elif rng.random() < 0.3:
        copy.write_bytes(raw(model.read_bytes(), rng))
    elif model.suffix == ".keras":
        _archive(model, copy, rng)
    else:
        shutil.copy(model, copy)
        _hdf5(copy, rng)
    return copy


def _archive(model: Path, copy: Path, rng: random.Random) -> None:
    with zipfile.ZipFile(model) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json" and rng.random() < 0.8:
                content = _config(content, rng)
            elif name.endswith(".h5") and rng.random() < 0.3:
                content = raw(content, rng)
            if rng.random() > 0.02:
                new.writestr(name, content)


def _hdf5(path: Path, rng: random.Random) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        if rng.random() < 0.7:
            text = file.attrs["model_config"]
            file.attrs["model_config"] = _config(text.encode(), rng).decode()
            return
        names: list[str] = []
        file.visit(names.append)
        name = rng.choice(names)
        match rng.randrange(5):
            case 0:
                del file[name]
            case 1:
                file["again"] = file[name]
            case 2:
                file["soft"] = h5py.SoftLink(f"/{name}")
            case 3:
                item = file[rng.choice(names)]
                for key in list(item.attrs):
                    item.attrs[key] = rng.choice((1, "x", [1.5, 2.5]))
            case _:
                if isinstance(file[name], h5py.Dataset):
                    shape = file[name].shape
                    del file[name]
                    file.create_dataset(name, shape=(*shape, 2), dtype=rng.choice(("f4", "i8")))


def _config(content: bytes, rng: random.Random) -> bytes:
    config = json.loads(content)
    for _ in range(rng.randint(1, 2)):
        places: list[tuple[Any, Any]] = []
        pending = [config]
        while pending:
            value = pending.pop()
            keys = value.keys() if isinstance(value, dict) else range(len(value))
            for key in keys:
                places.append((value, key))
                if isinstance(value[key], dict | list):
                    pending.append(value[key])
        container, key = rng.choice(places)
        match rng.randrange(4):
            case 0 if isinstance(container, dict):
                del container[key]
            case 1:
                other, place = rng.choice(places)
                container[key] = json.loads(json.dumps(other[place]))
            case _:
                container[key] = rng.choice(_VALUES)
    return json.dumps(config).encode()


def _graph(content: bytes, rng: random.Random) -> bytes:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString(content)
    meta = saved.meta_graphs[0]
    functions = list(meta.graph_def.library.function)
    for _ in range(rng.randint(1, 3)):
        function = rng.choice(functions)
        node = rng.choice(function.node_def) if function.node_def else None
        objects = meta.object_graph_def.nodes
        match rng.randrange(7):
            case 0 if node is not None:
                node.op = rng.choice(("Relu", "MatMul", "ReadFile", "Const", "While", "x"))
            case 1 if node is not None and node.input:
                node.input[rng.randrange(len(node.input))] = rng.choice(("", "x:0", node.name))
            case 2 if node is not None and node.attr:
                del node.attr[rng.choice(sorted(node.attr))]
            case 3:
                child = rng.choice([c for each in objects for c in each.children])
                child.node_id = rng.choice((0, 1, len(objects), 2**31 - 1, child.node_id + 1))
            case 4:
                rng.choice(objects).Clear()
            case 5:
                function.signature.name = rng.choice(functions).signature.name
            case _:
                meta.graph_def.library.function.remove(function)
                functions.remove(function)
    return bytes(saved.SerializeToString())
