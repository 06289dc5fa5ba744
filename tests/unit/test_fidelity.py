# SPDX-License-Identifier: Apache-2.0
"""Comparison of quantised with float models: ruined ones are reported, healthy ones are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from tinyflow.convert._worker import _convert, _load
from tinyflow.convert.converter import Converted
from tinyflow.convert.training_scale import foreign_scale
from tinyflow.datasets.dataset import Dataset
from tinyflow.pipeline.fidelity import Fidelity, compare_models, measure_fidelity
from tinyflow.pipeline.quality import describe_quality
from tinyflow.pipeline.quantize import Quantised
from tinyflow.tflite.importer import import_model

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow
layers = keras.layers
ROOT = Path(__file__).resolve().parents[2]
#: Also in a worktree next to others.
SHARED = next(
    (path for path in (ROOT.parent / "shared", ROOT.parents[1] / "shared") if path.is_dir()),
    ROOT / "shared",
)
RANDOM = np.random.default_rng(0)


def spectrogram() -> tuple[Any, np.ndarray]:
    times = np.arange(2000)
    tones = np.sin(times * RANDOM.uniform(0.02, 0.9, (16, 1)))
    x = (tones + 0.1 * RANDOM.normal(size=tones.shape)).astype(np.float32)[..., None]
    wave = keras.Input((2000, 1))
    y = layers.STFTSpectrogram(mode="log", frame_length=128, frame_step=64, fft_length=128)(wave)
    y = layers.Conv1D(8, 3, activation="relu")(y)
    y = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling1D()(y))
    return keras.Model(wave, y), x


def unequal_channels() -> tuple[Any, np.ndarray]:
    """One channel has 4,000 times the range of the others, which the next layer undoes."""
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 3))
    first, second = (layers.Conv2D(8, 3, activation="relu") for _ in range(2))
    y = layers.GlobalAveragePooling2D()(second(first(image)))
    model = keras.Model(image, layers.Dense(5, activation="softmax")(y))
    factors = np.ones(8)
    factors[0] = 4000
    kernel, bias = first.get_weights()
    first.set_weights([kernel * factors, bias * factors])
    kernel, bias = second.get_weights()
    second.set_weights([kernel / factors[:, None], bias])
    return model, RANDOM.random((16, 8, 8, 3), dtype=np.float32)


def features_of_unlike_ranges() -> tuple[Any, np.ndarray]:
    x = RANDOM.normal(size=(64, 4)) * np.array([1, 10, 1e4, 0.1]) + 3
    norm = layers.Normalization()
    norm.adapt(x)
    vector = keras.Input((4,))
    hidden = layers.Dense(8, activation="relu")(norm(vector))
    return keras.Model(vector, layers.Dense(1)(hidden)), x.astype(np.float32)


def lstm() -> tuple[Any, np.ndarray]:
    series = keras.Input((6, 4))
    y = layers.LSTM(6)(layers.LSTM(8, return_sequences=True)(series))
    x = RANDOM.normal(size=(16, 6, 4)).astype(np.float32)
    return keras.Model(series, layers.Dense(3, activation="softmax")(y)), x


def drawn(seed: int) -> tuple[Any, np.ndarray]:
    """An untrained network with layers drawn at random."""
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    image = keras.Input((int(random.integers(8, 14)), 10, int(random.integers(1, 4))))
    y = image
    for _ in range(4):
        filters, kind = int(random.integers(4, 16)), int(random.integers(5))
        if kind == 0:
            y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(filters, 3)(y)))
        elif kind == 1:
            y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(y)
        elif kind == 2:
            y = layers.Add()([y, layers.Conv2D(y.shape[-1], 3, padding="same")(y)])
        elif kind == 3:
            y = layers.AveragePooling2D(2, padding="same")(y)
        else:
            y = layers.Conv2D(filters, 1, activation=str(random.choice(["tanh", "swish"])))(y)
    y = layers.Dense(5, activation=str(random.choice(["softmax", "linear"])))(
        layers.GlobalAveragePooling2D()(y)
    )
    x = random.normal(size=(16, *image.shape[1:])).astype(np.float32)
    return keras.Model(image, y), x


@cache
def converted(make: Callable[..., tuple[Any, np.ndarray]], *args: Any, **more: Any) -> Any:
    """The two files, the samples, and the comparison of one of the models above."""
    import tempfile

    model, x = make(*args)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.keras"
        model.save(path)
        files = _convert(_load(path), [x], more.get("activations", "int8"))
    return files, x, measure_fidelity(files.in_float, files.quantised, [x])


def warnings_for(files: Converted, x: np.ndarray, found: Fidelity | None, **more: Any) -> list[str]:
    quantised = Quantised(files.quantised, calibration=Dataset((x,)), fidelity=found, **more)
    graph = import_model(files.quantised, Path("net.tflite"), name="net")
    return [f"{each.about}: {each.message}" for each in describe_quality(graph, quantised)[1]]


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (spectrogram, "Log"),
        (unequal_channels, "values are one number"),
        (features_of_unlike_ranges, "normalization"),
    ],
)
def test_a_ruined_model_is_told_with_its_worst_layers(make: Any, where: str) -> None:
    (warning,) = warnings_for(*converted(make))
    assert warning.startswith("quantisation: ")
    assert "compute what the float model" in warning
    assert where in warning
    assert "It begins at" in warning


@pytest.mark.parametrize("make", [lstm, *range(6)])
def test_healthy_models_are_not_told_of(make: Any) -> None:
    files, x, found = converted(drawn, make) if isinstance(make, int) else converted(make)
    assert warnings_for(files, x, found) == []
    assert found.samples == 16
    assert [tensor.is_output for tensor in found.tensors].count(True) == 1


def test_int16_is_nearer_than_int8() -> None:
    worst = [
        min(each.sqnr_db for each in converted(drawn, 0, activations=kind)[2].tensors)
        for kind in ("int8", "int16")
    ]
    assert worst[1] > worst[0] + 10


def test_the_figures_by_hand() -> None:
    files, x, found = converted(drawn, 1)
    same = measure_fidelity(files.in_float, files.in_float, [x])
    assert all(each.cosine == pytest.approx(1) for each in same.tensors)
    assert all(each.sqnr_db is None or each.sqnr_db > 150 for each in same.tensors)
    assert found.to_json() == Fidelity.from_json(found.to_json()).to_json()


def test_saturation_is_told() -> None:
    files, x, _ = converted(drawn, 2)
    found = measure_fidelity(files.in_float, files.quantised, [1.5 * x])
    assert any(each.saturated > 0 for each in found.tensors)
    first = replace(found.tensors[0], saturated=0.03)
    (warning,) = warnings_for(files, x, Fidelity(16, (first, *converted(drawn, 2)[2].tensors)))
    assert "3.0% saturated" in warning


def test_a_comparison_that_fails_is_no_failed_build() -> None:
    files, x, _ = converted(drawn, 0)
    found = compare_models(files.in_float, b"nothing", [x])
    assert found.failure is not None
    assert found.tensors == ()
    assert compare_models(files.in_float, files.quantised, [x]).failure is None


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (255.0, "Is one of them divided by 255?"),
        (1 / 255, "Is one of them divided by 255?"),
        (20.0, "% of its values are cut off"),
    ],
)
def test_test_data_on_another_scale_is_told(factor: float, words: str) -> None:
    files, x, found = converted(drawn, 0)
    (warning,) = warnings_for(files, x, found, test=Dataset((x * np.float32(factor),)))
    assert warning.startswith("test data: the test data is on another scale than the input")
    assert words in warning
    noisy = x * 1.2
    assert warnings_for(files, x, found, test=Dataset((noisy[:4],))) == []


@pytest.mark.parametrize("kind", ["batch", "normalization", "rescaling"])
def test_calibration_data_on_another_scale_than_the_training_data(kind: str) -> None:
    x = RANDOM.random((64, 6, 6, 2)).astype(np.float32)
    image = keras.Input((6, 6, 2))
    if kind == "batch":
        y = layers.BatchNormalization(momentum=0.0, name="norm")(layers.Conv2D(4, 3)(image))
    elif kind == "normalization":
        norm = layers.Normalization(name="norm")
        norm.adapt(x)
        y = layers.Conv2D(4, 3)(norm(image))
    else:
        x *= 255
        y = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255, name="norm")(image))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(y))
    if kind == "batch":
        assert foreign_scale(model, [255 * x]) is None  # it has seen nothing
        model(x, training=True)
    assert foreign_scale(model, [x]) is None
    assert foreign_scale(model, [0.5 * x]) is None
    found = foreign_scale(model, [x / 255])
    assert found is not None
    assert "'norm'" in found
    if kind != "rescaling":
        assert "255 times" in str(foreign_scale(model, [255 * x]))


@pytest.mark.parametrize(
    ("model", "data", "scale"),
    [
        ("models/resnet8_cifar10_jpeg.keras", "data/cifar10_raw_train.npz", 1.0),
        ("models/mlperf_tiny/pretrainedResnet.h5", "data/mlperf_ic01.npz", 1.0),
        ("models/mlperf_tiny/vww_96.h5", "data/mlperf_vww01_0.npz", 1 / 255),
        ("models/mlperf_tiny/ad01.h5", "data/mlperf_ad01_0.npz", 1.0),
        ("digits.keras", None, 1.0),
    ],
)
def test_trained_models(model: str, data: str | None, scale: float) -> None:
    path, source = SHARED / model, SHARED / str(data)
    if data is None:
        path, source = (ROOT / "examples" / "digits" / n for n in ("digits.keras", "test.npz"))
    if not path.exists() or not source.exists():
        pytest.skip(f"needs {path.name} and {source.name}")
    loaded = _load(path)
    x = np.load(source)["x"][:24].astype(np.float32) * np.float32(scale)
    if "ad01" in model:
        x = x[:, 20:25].reshape(24, -1)
    assert loaded.foreign_scale([x]) is None
    files = _convert(loaded, [x], "int8")
    assert warnings_for(files, x, measure_fidelity(files.in_float, files.quantised, [x])) == []
