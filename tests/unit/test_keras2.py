# SPDX-License-Identifier: Apache-2.0
"""Files of Keras 2, of reduced precision, and those that Keras quantised itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from tests.support.keras2_files import write_keras2
from tinyflow.convert._worker import inputs_of
from tinyflow.convert.keras_model import load_keras
from tinyflow.errors import InputError

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow
h5py = pytest.importorskip("h5py")
L, ops = keras.layers, keras.ops


def _sequential() -> Any:
    return keras.Sequential(
        [keras.Input((8, 8, 3)), L.Conv2D(4, 3, activation="relu"), L.BatchNormalization(),
         L.DepthwiseConv2D(3), L.SeparableConv2D(5, 3), L.Flatten(), L.Dropout(0.2), L.Dense(3)]
    )  # fmt: skip


def _functional() -> Any:
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(4, 3, padding="same", kernel_regularizer="l2")(image)
    y = L.Conv2DTranspose(4, 3, padding="same")(x)
    x = L.ReLU()(L.Add()([x, y]))
    return keras.Model(image, L.Dense(2)(L.GlobalAveragePooling2D()(x)))


def _recurrent() -> Any:
    series = keras.Input((8, 3))
    x = L.LSTM(4, return_sequences=True)(series)
    x = L.GRU(4, return_sequences=True)(x)
    x = L.MultiHeadAttention(2, 4)(x, x)
    return keras.Model(series, L.SimpleRNN(3)(x))


def _nested() -> Any:
    """A tower that is called twice, and an inner model of another kind."""
    inner = keras.Input((8, 3))
    body = keras.Model(inner, L.Dense(3)(inner), name="body")
    tower = keras.Sequential([keras.Input((8, 3)), body, L.Flatten(), L.Dense(4)], name="tower")
    left, right = keras.Input((8, 3), name="left"), keras.Input((8, 3), name="right")
    return keras.Model([left, right], L.Dense(1)(L.Subtract()([tower(left), tower(right)])))


def _operations() -> Any:
    image = keras.Input((8, 8, 3))
    x = ops.relu(image * 2.0 - 1.0)
    y = L.Conv2D(4, 3)(x)
    x = (y + y)[:, 1:, 1:, :]
    x = ops.concatenate([ops.mean(x, axis=[1, 2]), ops.reshape(x, (-1, 100))], axis=-1)
    return keras.Model(image, ops.softmax(L.Dense(2)(x)))


def _words() -> Any:
    words = keras.Input((6,), dtype="int32")
    return keras.Model(words, L.Dense(2)(L.Flatten()(L.Embedding(20, 3)(words))))


MODELS = [_sequential, _functional, _recurrent, _nested, _operations, _words]


def randomised(make: Callable[[], Any]) -> Any:
    model, random = make(), np.random.default_rng(0)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(random.uniform(0.1, 0.9, weight.shape))
    return model


def samples(model: Any) -> list[Any]:
    random = np.random.default_rng(1)
    return [
        random.integers(0, 20, (4, *tensor.shape[1:])).astype(np.int32)
        if "int" in tensor.dtype
        else random.uniform(-1, 1, (4, *tensor.shape[1:])).astype(np.float32)
        for tensor in model.inputs
    ]


def same_outputs(found: Any, model: Any, tolerance: float = 1e-5) -> None:
    given = samples(model)
    arguments = given if len(given) > 1 else given[0]
    due = np.asarray(model(arguments))
    np.testing.assert_allclose(np.asarray(found(arguments)), due, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_files_of_keras_2_give_the_same_outputs(
    tmp_path: Path, make: Callable[[], Any], suffix: str
) -> None:
    model = randomised(make)
    path = write_keras2(model, tmp_path / f"old{suffix}")
    same_outputs(load_keras(path), model)
    assert [(spec.shape, spec.dtype) for spec in inputs_of(path)] == [
        (tuple(tensor.shape[1:]), tensor.dtype) for tensor in model.inputs
    ]


def test_files_of_tf_keras(tmp_path: Path) -> None:
    model = randomised(_functional)
    path = write_keras2(model, tmp_path / "old.keras", package="tf_keras")
    same_outputs(load_keras(path), model)


_POLICY = {"class_name": "Policy", "config": {"name": "mixed_float16"}}


@pytest.mark.parametrize(
    "policy", [{**_POLICY, "module": "keras.mixed_precision"}, _POLICY, "mixed_bfloat16"]
)
def test_reduced_precision_of_keras_2_is_computed_in_float32(tmp_path: Path, policy: Any) -> None:
    model = randomised(_functional)
    for suffix in (".keras", ".h5"):
        loaded = load_keras(write_keras2(model, tmp_path / f"mixed{suffix}", policy=policy))
        assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
        same_outputs(loaded, model)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_reduced_precision_is_computed_in_float32(tmp_path: Path, policy: str, suffix: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = _functional()
    finally:
        keras.config.set_dtype_policy("float32")
    path = tmp_path / f"mixed{suffix}"
    model.save(path)
    loaded = load_keras(path)
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    given = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(loaded(given), np.asarray(model(given), np.float32), atol=0.05)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_names_with_slashes(tmp_path: Path, suffix: str) -> None:
    def make() -> Any:
        image = keras.Input((8, 8, 3), name="layer1__image")
        x = L.Conv2D(4, 3, name="layer1__conv")(image)
        y = L.Conv2D(4, 3, name="layer1_conv")(image)
        return keras.Model(image, L.Flatten(name="layer1__flat")(x + y))

    model = randomised(make)
    path = tmp_path / f"slash{suffix}"
    write_keras2(model, path)
    if suffix == ".h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = file.attrs["model_config"].replace("layer1__", "layer1/")
    else:
        import zipfile

        with zipfile.ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        content["config.json"] = content["config.json"].replace(b"layer1__", b"layer1/")
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    loaded = load_keras(path)
    assert len({layer.name for layer in loaded.layers}) == len(loaded.layers)
    same_outputs(loaded, model)


def _edited(path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)
    return path


def test_what_keras_3_lacks_is_named(tmp_path: Path) -> None:
    def time_major(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"]["time_major"] = True

    def function(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            if layer["config"].get("function") == "nn.relu":
                layer["config"]["function"] = "io.write_file"

    recurrent = write_keras2(randomised(_recurrent), tmp_path / "recurrent.h5")
    with pytest.raises(InputError, match="sets time_major to True, which Keras 3 does not have"):
        load_keras(_edited(recurrent, time_major))
    called = write_keras2(randomised(_operations), tmp_path / "called.h5")
    with pytest.raises(
        InputError, match=r"calls tf\.io\.write_file as Keras 2 stores it"
    ) as caught:
        load_keras(_edited(called, function))
    assert "SavedModel" in str(caught.value.hint)


def test_the_error_of_keras_is_its_cause(tmp_path: Path) -> None:
    path = tmp_path / "odd.h5"
    _sequential().save(path)

    def edit(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"]["strides"] = [1, 1, 1]

    with pytest.raises(InputError, match="strides") as caught:
        load_keras(_edited(path, edit))
    assert "class_name" not in caught.value.message


def _dense() -> Any:
    series = keras.Input((6, 16))
    x = L.Dense(12, activation="relu")(series)
    x = L.EinsumDense("abc,cd->abd", output_shape=(6, 5), bias_axes="d", activation="tanh")(x)
    inner = keras.Sequential([keras.Input((6, 5)), L.Dense(5)])
    return keras.Model(series, L.Dense(3, use_bias=False)(L.Flatten()(inner(x))))


@pytest.mark.parametrize(("mode", "tolerance"), [("int8", 0.01), ("int4", 0.2), ("float8", 0.1)])
def test_models_that_keras_quantised_are_taken_as_float(
    tmp_path: Path, mode: str, tolerance: float
) -> None:
    model, random = _dense(), np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.3, weight.shape))
    kernels = [np.asarray(w) for w in model.weights if "kernel" in w.name]
    biases = [np.asarray(w) for w in model.weights if "bias" in w.name]
    model.quantize(mode)
    model.save(tmp_path / "model.keras")
    loaded = load_keras(tmp_path / "model.keras")
    assert {str(weight.dtype) for weight in loaded.weights} == {"float32"}
    found = [np.asarray(w) for w in loaded.weights if "kernel" in w.name]
    for kernel, due in zip(found, kernels, strict=True):
        # At most half a step of the quantised kernel away from the one before.
        assert np.abs(kernel - due).max() < tolerance * np.abs(due).max()
    for bias, due in zip((w for w in loaded.weights if "bias" in w.name), biases, strict=True):
        np.testing.assert_array_equal(bias, due)
    given = random.normal(size=(9, 6, 16)).astype(np.float32)
    quantised = np.asarray(model(given))
    np.testing.assert_allclose(loaded(given), quantised, atol=0.15 * np.abs(quantised).max())


def test_an_embedding_that_keras_quantised(tmp_path: Path) -> None:
    model = _words()
    (table,) = model.layers[1].get_weights()
    model.quantize("int8")
    model.save(tmp_path / "words.keras")
    loaded = load_keras(tmp_path / "words.keras")
    found = next(layer for layer in loaded.layers if isinstance(layer, L.Embedding))
    np.testing.assert_allclose(found.get_weights()[0], table, atol=np.abs(table).max() / 250)
