# SPDX-License-Identifier: Apache-2.0
"""Model files from strangers: what is refused, what is said, and that nothing runs."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from tinyflow.convert._worker import inputs_of as model_inputs
from tinyflow.convert.keras_model import load_keras
from tinyflow.convert.model_file import ModelKind, model_kind, read_config
from tinyflow.errors import InputError

keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")
layers = keras.layers


def small() -> Any:
    return keras.Sequential(
        [
            keras.Input((4, 4, 1), name="image"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.Flatten(),
            layers.Dense(2, kernel_regularizer="l2", name="classes"),
        ]
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    model = small()
    model.compile("adam", "mse")
    model.save(folder / "small.keras")
    model.save(folder / "small.h5")
    return folder


def edited(source: Path, target: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a .keras file with its configuration changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                edit(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


def refused(path: Path, *words: str) -> None:
    for reader in (model_inputs, load_keras):
        with pytest.raises(InputError) as caught:
            reader(path)
        assert str(path) in caught.value.message
        for word in words:
            assert word in caught.value.message


@pytest.mark.parametrize("name", ["small.keras", "small.h5"])
def test_loads_and_tells_inputs(saved: Path, name: str) -> None:
    model = load_keras(saved / name)
    assert model.count_params() == small().count_params()
    (spec,) = model_inputs(saved / name)
    assert (spec.name, spec.shape, spec.dtype) == ("image", (4, 4, 1), "float32")


def test_the_kind_is_told_by_content(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "model.h5"
    other.write_bytes((saved / "small.keras").read_bytes())
    assert model_kind(other) is ModelKind.KERAS
    assert load_keras(other).count_params() == small().count_params()


def test_groups_of_older_depthwise_layers(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.h5"
    path.write_bytes((saved / "small.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
    model = load_keras(path)
    assert type(model.get_layer("depthwise")) is layers.DepthwiseConv2D


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_layers_are_refused_and_never_run(tmp_path: Path, suffix: str) -> None:
    sprung = str(tmp_path / "sprung")
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Lambda(
                lambda x: (__import__("pathlib").Path(sprung).touch(), x)[1],
                output_shape=(4,),
                name="trap",
            ),
        ]
    )
    path = tmp_path / f"trap{suffix}"
    model.save(path)
    Path(sprung).unlink(missing_ok=True)
    refused(path, "'trap'", "Lambda", "nothing was executed")
    assert not Path(sprung).exists()


def test_lambda_layers_inside_nested_models(tmp_path: Path) -> None:
    def trap() -> Any:
        return layers.Lambda(lambda x: x, output_shape=(4,), name="hidden")

    inner = keras.Sequential([keras.Input((4,)), trap()])
    wrapped = keras.Sequential([keras.Input((3, 4)), layers.TimeDistributed(trap())])
    keras.Sequential([keras.Input((4,)), inner, layers.Dense(2)]).save(tmp_path / "nested.keras")
    wrapped.save(tmp_path / "wrapped.keras")
    refused(tmp_path / "wrapped.keras", "'hidden'", "Lambda")
    refused(tmp_path / "nested.keras", "'hidden'", "Lambda")


@keras.saving.register_keras_serializable(package="stranger")
class Strange(keras.layers.Layer):  # type: ignore[name-defined]
    def call(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_custom_classes_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"custom{suffix}"
    keras.Sequential([keras.Input((4,)), Strange(name="odd")]).save(path)
    refused(path, "'odd'", "none of Keras's own layers")


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(config: dict[str, Any]) -> None:
        config["config"]["layers"][1][key] = value

    return edit


def _set_inner(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"][key] = value

    return edit


_FUNCTION = {
    "module": "builtins",
    "class_name": "function",
    "config": "run",
    "registered_name": "function",
}
_LAMBDA = {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}}
_GET_FILE = {"module": "keras.utils", "class_name": "get_file", "config": {}}


@pytest.mark.parametrize(
    "edit",
    [
        _set("module", "os"),
        _set("module", "keras.src.utils.file_utils"),
        _set("module", "keras.utils"),
        _set("module", "kerasx.layers"),
        _set("class_name", "utils.get_file"),
        _set("class_name", "deserialize"),
        _set("class_name", "TFSMLayer"),
        _set("class_name", "TorchModuleWrapper"),
        _set("class_name", ["Dense"]),
        _set("registered_name", "package>Dense"),
        _set_inner("activation", _FUNCTION),
        _set_inner("activation", _LAMBDA),
        _set_inner("depthwise_initializer", _GET_FILE),
        _set_inner("function_type", "lambda"),
    ],
)
def test_references_to_code_are_refused(
    saved: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], None]
) -> None:
    refused(edited(saved / "small.keras", tmp_path / "bad.keras", edit), "refused")


def test_missing_empty_and_foreign_files(tmp_path: Path) -> None:
    refused(tmp_path / "none.keras", "no such model file")
    (tmp_path / "empty.keras").touch()
    refused(tmp_path / "empty.keras", "empty")
    (tmp_path / "text.h5").write_text("not a model at all")
    refused(tmp_path / "text.h5", "not a Keras model")
    (tmp_path / "done.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    refused(tmp_path / "done.tflite", ".tflite")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "saved_model.pb")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(tmp_path / "other.keras", "no config.json")
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["a"] = np.ones(3)
    refused(tmp_path / "weights.h5", "holds weights but no model")


@pytest.mark.parametrize("name", ["small.keras", "small.h5"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_truncated_files(saved: Path, tmp_path: Path, name: str, share: float) -> None:
    content = (saved / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, "truncated")


def test_damage_inside_an_archive(saved: Path, tmp_path: Path) -> None:
    content = bytearray((saved / "small.keras").read_bytes())
    at = content.index(b"class_name")
    content[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "bad.keras").write_bytes(content)
    refused(tmp_path / "bad.keras", "truncated")


def test_bombs_are_refused(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(65 << 20))
    refused(path, "config.json unpacks to more")
    with zipfile.ZipFile(saved / "small.keras") as old, zipfile.ZipFile(path, "w") as new:
        new.writestr("config.json", old.read("config.json"))
        with h5py.File(tmp_path / "big.h5", "w") as file:
            # Four terabytes declared, none of them stored.
            file.create_dataset("huge", shape=(1 << 40,), dtype="f4", chunks=(1 << 16,))
        new.write(tmp_path / "big.h5", "model.weights.h5")
    refused(path, "more than the")


def test_paths_and_links_out_of_the_file(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.keras"
    path.write_bytes((saved / "small.keras").read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/../../escaped", "x")
    refused(path, "outside of itself")
    link = tmp_path / "link.h5"
    link.write_bytes((saved / "small.h5").read_bytes())
    with h5py.File(link, "r+") as file:
        file["stolen"] = h5py.ExternalLink("/etc/passwd", "/")
    refused(link, "link to another place")


def _doubled(group: Any) -> None:
    """2^40 paths to one object."""
    for level in range(40):
        inner = group.create_group(f"g{level}")
        group["again"] = inner
        group = inner


def _looped(group: Any) -> None:
    group.create_group("a")["back"] = group


def _crowded(group: Any) -> None:
    group.create_group("crowd")
    for index in range(1001):
        group["crowd"].create_group(str(index))


@pytest.mark.parametrize("make", [_doubled, _looped, _crowded])
@pytest.mark.parametrize("kind", ["h5", "keras"])
def test_walks_of_a_file_end(
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Any], None],
    kind: str,
) -> None:
    monkeypatch.setattr("tinyflow.convert.model_file._MOST_OBJECTS", 1000)
    path = tmp_path / "walk.h5"
    path.write_bytes((saved / "small.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        make(file)
    if kind == "keras":
        path = tmp_path / "walk.keras"
        with zipfile.ZipFile(saved / "small.keras") as old, zipfile.ZipFile(path, "w") as new:
            new.writestr("config.json", old.read("config.json"))
            new.write(tmp_path / "walk.h5", "model.weights.h5")
    began = time.monotonic()
    with pytest.raises(InputError, match=r"second link|objects allowed"):
        read_config(path)
    assert time.monotonic() - began < 30


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.keras")
    refused(tmp_path / "pipe.keras", "not a file")


def test_dynamic_shapes_name_the_input(tmp_path: Path) -> None:
    for shape, name in (((None, 8, 3), "wide"), ((None,), "text")):
        image = keras.Input(shape, name=name)
        path = tmp_path / f"{name}.keras"
        keras.Model(image, layers.ReLU()(image)).save(path)
        refused(path, f"{name!r}", "?", "fixed sizes")
    with pytest.raises(InputError) as caught:
        model_inputs(path)
    assert "keras.Input(shape=" in str(caught.value.hint)
    image = keras.Input(batch_shape=(8, 4), name="batch")
    keras.Model(image, layers.ReLU()(image)).save(path)
    refused(path, "fixed batch of 8")


def test_activations_that_no_board_holds(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 4))
    x = layers.UpSampling2D(1000, name="huge")(image)
    path = tmp_path / "huge.keras"
    keras.Model(image, layers.GlobalAveragePooling2D()(x)).save(path)
    with pytest.raises(InputError, match=r"'huge' gives 256,000,000 values"):
        load_keras(path)


def test_weights_that_are_not_numbers(tmp_path: Path) -> None:
    model = small()
    model.get_layer("classes").set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    model.save(tmp_path / "nan.keras")
    with pytest.raises(InputError, match=r"classes/kernel.*NaN"):
        load_keras(tmp_path / "nan.keras")


def test_several_inputs_keep_their_order(tmp_path: Path) -> None:
    first, second = keras.Input((3,), name="zeta"), keras.Input((2,), name="alpha")
    joined = layers.Concatenate()([first, second])
    path = tmp_path / "two.keras"
    keras.Model([first, second], layers.Dense(2)(joined)).save(path)
    assert [spec.name for spec in model_inputs(path)] == ["zeta", "alpha"]


def test_the_compilation_of_the_model_is_never_read(saved: Path, tmp_path: Path) -> None:
    def edit(config: dict[str, Any]) -> None:
        config["compile_config"] = {"loss": _FUNCTION, "optimizer": _GET_FILE}

    path = edited(saved / "small.keras", tmp_path / "compiled.keras", edit)
    assert read_config(path)["class_name"] == "Sequential"
    assert load_keras(path).count_params() == small().count_params()
