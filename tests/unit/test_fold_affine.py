# SPDX-License-Identifier: Apache-2.0
"""Normalisation in front of layers: folded where that is exact, nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tinyflow.convert import converter, fold_affine
from tinyflow.convert._worker import _convert, _load
from tinyflow.pipeline.fidelity import _Model, measure_fidelity
from tinyflow.tflite.importer import import_model

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow
layers = keras.layers
RANDOM = np.random.default_rng(0)
IMAGE, SERIES, VECTOR = (10, 8, 3), (12, 4), (6,)


def normalization(shape: tuple[int, ...]) -> Any:
    layer = layers.Normalization()
    layer.adapt(samples(shape))
    return layer


def samples(shape: tuple[int, ...]) -> np.ndarray:
    channels = np.arange(shape[-1])
    x = (
        np.random.default_rng(5).normal(size=(24, *shape)) * (2.0 + channels / 2)
        + 3.0 * channels
        - 1.0
    )
    return x.astype(np.float32)


def trained_batch_norm(*shape: int) -> Any:
    layer = layers.BatchNormalization()
    layer.build((None, *shape))
    random = np.random.default_rng(6)
    layer.set_weights([random.uniform(1, 2, shape[-1]) for _ in range(4)])
    return layer


#: Layers between an input and the end, and which operators are left in their place.
CASES: dict[str, tuple[tuple[int, ...], Callable[[], list[Any]], set[str]]] = {
    "valid": (IMAGE, lambda: [normalization(IMAGE), layers.Conv2D(6, 3)], set()),
    "same": (
        IMAGE,
        lambda: [normalization(IMAGE), layers.Conv2D(6, 3, padding="same")],
        {"DEPTHWISE_CONV_2D"},
    ),
    "pointwise": (
        IMAGE,
        lambda: [normalization(IMAGE), layers.Conv2D(6, 1, padding="same", use_bias=False)],
        set(),
    ),
    "strided same that pads nothing": (
        (8, 8, 3),
        lambda: [normalization((8, 8, 3)), layers.Conv2D(6, 2, strides=2, padding="same")],
        set(),
    ),
    "rescaling same": (
        IMAGE,
        lambda: [layers.Rescaling(1 / 64), layers.Conv2D(6, 3, padding="same")],
        set(),
    ),
    "rescaling with an offset, same": (
        IMAGE,
        lambda: [layers.Rescaling(1 / 64, -0.5), layers.Conv2D(6, 3, padding="same")],
        {"DEPTHWISE_CONV_2D"},
    ),
    "rescaling with an offset": (
        IMAGE,
        lambda: [layers.Rescaling(1 / 64, -0.5), layers.Conv2D(6, 3)],
        set(),
    ),
    "depthwise": (IMAGE, lambda: [normalization(IMAGE), layers.DepthwiseConv2D(3)], set()),
    "depthwise multiplied": (
        IMAGE,
        lambda: [normalization(IMAGE), layers.DepthwiseConv2D(3, depth_multiplier=2)],
        set(),
    ),
    "groups": (
        (10, 8, 4),
        lambda: [normalization((10, 8, 4)), layers.Conv2D(6, 3, groups=2)],
        set(),
    ),
    "series": (SERIES, lambda: [normalization(SERIES), layers.Conv1D(5, 3)], set()),
    "series same": (
        SERIES,
        lambda: [normalization(SERIES), layers.Conv1D(5, 3, padding="same")],
        {"DEPTHWISE_CONV_2D"},
    ),
    "dense": (VECTOR, lambda: [normalization(VECTOR), layers.Dense(5)], set()),
    "dense no bias": (
        VECTOR,
        lambda: [normalization(VECTOR), layers.Dense(5, use_bias=False)],
        set(),
    ),
    "flatten": (
        IMAGE,
        lambda: [normalization(IMAGE), layers.Flatten(), layers.Dense(5)],
        set(),
    ),
    "pooling": (
        IMAGE,
        lambda: [
            normalization(IMAGE),
            layers.AveragePooling2D(2),
            layers.MaxPooling2D(2, padding="same"),
            layers.Flatten(),
            layers.Dense(5),
        ],
        set(),
    ),
    "padding": (
        IMAGE,
        lambda: [
            layers.Rescaling(0.1),
            layers.ZeroPadding2D(1),
            layers.Conv2D(6, 3, strides=2),
        ],
        set(),
    ),
    "transposed": (
        IMAGE,
        lambda: [layers.Rescaling(0.1), layers.Conv2DTranspose(4, 3, strides=2)],
        set(),
    ),
    "batch norm behind pooling": (
        IMAGE,
        lambda: [
            layers.Conv2D(6, 3),
            layers.MaxPooling2D(2),
            trained_batch_norm(4, 3, 6),
            layers.Conv2D(5, 2),
        ],
        set(),
    ),
    "batch norm before relu": (
        IMAGE,
        lambda: [
            layers.MaxPooling2D(2),
            trained_batch_norm(5, 4, 3),
            layers.ReLU(),
            layers.Conv2D(5, 2),
        ],
        {"DEPTHWISE_CONV_2D"},
    ),
    "two": (
        IMAGE,
        lambda: [normalization(IMAGE), trained_batch_norm(*IMAGE), layers.Conv2D(5, 2)],
        set(),
    ),
}

#: Operators that TensorFlow's converter folds itself.
BY_THE_CONVERTER = {"rescaling same", "rescaling with an offset"}


def model_of(name: str) -> tuple[Any, np.ndarray]:
    shape, make, _ = CASES[name]
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input(shape), *make()]), samples(shape)


def converted(model: Any, x: np.ndarray, folder: Path, activations: str = "int8") -> Any:
    model.save(folder / "model.keras")
    return _convert(_load(folder / "model.keras"), [x], activations)


def kinds(content: bytes) -> list[str]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    return [
        names[model.operatorCodes[operator.opcodeIndex].builtinCode]
        for operator in model.subgraphs[0].operators
    ]


@pytest.fixture
def unfolded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    def off() -> None:
        monkeypatch.setattr(converter, "with_affine_folded", lambda content, _: content)

    yield off


@pytest.mark.parametrize("name", CASES)
def test_what_is_folded_is_as_exact_as_before(
    name: str, tmp_path: Path, unfolded: Callable[[], None]
) -> None:
    model, x = model_of(name)
    found = converted(model, x, tmp_path)
    plain = kinds(found.in_float)
    left = kinds(found.quantised)
    removed = {"MUL", "ADD", "SUB"}
    if name not in BY_THE_CONVERTER:
        assert removed & set(plain)
    assert not removed & set(left)
    assert left.count("DEPTHWISE_CONV_2D") - plain.count("DEPTHWISE_CONV_2D") == len(CASES[name][2])

    # In float: the same function.
    folded = fold_affine.with_affine_folded(found.in_float, [x[:1]])
    assert kinds(folded) == left
    one, other = _Model(found.in_float), _Model(folded)
    for index in range(len(x)):
        one.run([x[index : index + 1]])
        other.run([x[index : index + 1]])
        expected = one.tensor(one.outputs[0])
        np.testing.assert_allclose(
            other.tensor(other.outputs[0]), expected, rtol=0, atol=1e-5 * np.abs(expected).max()
        )

    # Quantised: no further from it, but for what one step more or less does.
    near = measure_fidelity(found.in_float, found.quantised, [x])
    import_model(found.quantised, Path("net.tflite"), name="net")
    unfolded()
    before = converted(model, x, tmp_path)
    assert removed & set(kinds(before.quantised)) or name in BY_THE_CONVERTER
    was = measure_fidelity(before.in_float, before.quantised, [x])
    ratios = [
        next(tensor.sqnr_db for tensor in each.tensors if tensor.is_output) for each in (near, was)
    ]
    assert ratios[0] is not None
    assert ratios[1] is not None
    assert ratios[0] > ratios[1] - 3.0


@pytest.mark.parametrize("kind", ["spread", "relu", "shared", "output", "vector", "cancels"])
def test_what_is_not_exact_stays(kind: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    x = samples(IMAGE)
    image = keras.Input(IMAGE)
    if kind in ("spread", "cancels"):
        # The weights of one filter share a scale; 1e6 + x - 1e6 has few digits left.
        x = samples(VECTOR)
        x = x + 1e6 if kind == "cancels" else x * np.logspace(0, 5, 6)
        x, image = x.astype(np.float32), keras.Input(VECTOR)
        norm = layers.Normalization()
        norm.adapt(x)
        y = layers.Dense(4)(norm(image))
    elif kind == "relu":
        y = layers.Conv2D(4, 3)(layers.ReLU()(layers.Rescaling(0.1, 0.3)(image)))
    elif kind == "shared":  # somebody else reads the normalised image
        norm = layers.Rescaling(0.1, 0.3)(image)
        y = layers.Concatenate()([layers.Conv2D(4, 1)(norm), layers.Activation("tanh")(norm)])
    elif kind == "output":
        norm = layers.Rescaling(0.1, 0.3)(image)
        model = keras.Model(image, [layers.Conv2D(4, 3)(norm), norm])
    else:  # of rank 2 there is no convolution to become
        y = layers.Softmax()(layers.Rescaling(0.1, 0.3)(layers.GlobalAveragePooling2D()(image)))
    if kind != "output":
        model = keras.Model(image, y)
    found = converted(model, x, tmp_path)
    left = {"MUL", "ADD", "SUB", "DEPTHWISE_CONV_2D"}  # the last one in their place
    assert left & set(kinds(found.quantised))


def test_both_readers_take_it(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    image = keras.Input(IMAGE)
    norm = normalization(IMAGE)(image)
    left, right = layers.Conv2D(4, 1)(norm), layers.Conv2D(5, 1)(norm)
    model = keras.Model(image, layers.Concatenate()([left, right]))
    found = converted(model, samples(IMAGE), tmp_path)
    assert kinds(found.quantised) == ["CONV_2D", "CONV_2D", "CONCATENATION"]


def test_int16_is_folded_too(tmp_path: Path) -> None:
    model, x = model_of("valid")
    found = converted(model, x, tmp_path, "int16")
    assert kinds(found.quantised) == ["CONV_2D"]
