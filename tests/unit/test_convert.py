# SPDX-License-Identifier: Apache-2.0
"""Quantisation and pruning in their own processes, with the real converter."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tinyflow.compress.prune import prune_model
from tinyflow.convert.convert import model_inputs, quantize
from tinyflow.convert.keras_model import load_keras
from tinyflow.convert.saved_model import SavedSignature
from tinyflow.datasets.accuracy import (
    dequantize_array,
    int8_predictions,
    quantize_array,
)
from tinyflow.datasets.dataset import Dataset, load_calibration
from tinyflow.errors import ConversionError, InputError, UnsupportedError
from tinyflow.ir.types import DType
from tinyflow.settings.project_file import PruneTable
from tinyflow.tflite.importer import import_model
from tinyflow.tflite.state_mark import is_reset
from tinyflow.worker import run_worker

keras = pytest.importorskip("keras")
layers = keras.layers
RNG = np.random.default_rng(0)
SAMPLES = RNG.random((12, 6, 6, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models in every form, made once."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 6, 1), name="im age'\"*")
    x = layers.Conv2D(4, 3, activation="relu", name='a "hostile"\n* {{ name }} ..')(image)
    x = layers.Flatten()(x)
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="classes")(x))
    model.save(folder / "hostile.keras")
    plain = keras.Sequential(
        [keras.Input((6, 6, 1), name="image"), layers.Conv2D(4, 3), layers.Flatten(),
         layers.Dense(3)]
    )  # fmt: skip
    plain.save(folder / "plain.keras")
    plain.export(folder / "plain", verbose=False)
    first, second = keras.Input((3,), name="zeta"), keras.Input((2,), name="alpha")
    two = layers.Dense(2, name="out")(layers.Concatenate()([first, second]))
    keras.Model([first, second], two).save(folder / "two.keras")
    lstm = keras.Sequential([keras.Input((8, 3)), layers.LSTM(4), layers.Dense(2)])
    lstm.save(folder / "lstm.keras")
    lstm.export(folder / "lstm", verbose=False)
    source = keras.Input((8, 3))
    keras.Model(source, keras.ops.erf(source)).save(folder / "erf.keras")
    keras.Model(source, layers.GRU(2)(layers.Masking()(source))).save(folder / "masked.keras")
    words = keras.Input((6,), name="words")
    keras.Model(words, layers.Flatten()(layers.Embedding(500, 3)(words))).save(
        folder / "words.keras"
    )
    batch = keras.Input(batch_shape=(1, 8, 3))
    for kind in (layers.LSTM, layers.GRU):
        keras.Model(batch, kind(2, stateful=True)(batch)).save(
            folder / f"stateful_{kind.__name__}.keras"
        )

    class Writes(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2))])
        def __call__(self, x: Any) -> Any:
            tf.io.write_file(str(folder / "written"), "x")
            return x

    class Python(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2))])
        def __call__(self, x: Any) -> Any:
            return tf.numpy_function(lambda y: y, [x], tf.float32)

    for name, module in (("writes", Writes()), ("python", Python())):
        tf.saved_model.save(module, str(folder / name), signatures=module.__call__)
    return folder


def test_int8_in_and_out_with_the_accuracy_of_float(folder: Path, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    path, lines = folder / "hostile.keras", list[str]()
    calibration = load_calibration(SAMPLES, model_inputs(path))
    output = tmp_path / "new" / "model.tflite"
    done = quantize(path, calibration, output_path=output, samples=(SAMPLES,), on_line=lines.append)
    content = output.read_bytes()
    interpreter = Interpreter(model_content=content)
    for detail in (*interpreter.get_input_details(), *interpreter.get_output_details()):
        assert detail["dtype"] is np.int8
        assert detail["shape"][0] == 1
    assert any("12 calibration samples" in line for line in lines)
    assert done.float_outputs is not None
    (outputs,) = int8_predictions(content, (SAMPLES,))
    assert outputs.shape == done.float_outputs[0].shape == (12, 3)
    np.testing.assert_allclose(outputs, done.float_outputs[0], atol=0.05)
    scale, zero_point = interpreter.get_input_details()[0]["quantization"]
    (same,) = int8_predictions(content, (quantize_array(SAMPLES, scale, zero_point),))
    np.testing.assert_array_equal(same, outputs)

    quantize(path, calibration, output_path=tmp_path / "again.tflite")
    assert (tmp_path / "again.tflite").read_bytes() == content
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["again.tflite", "new"]


def test_int16_in_and_out_is_nearer_to_float(folder: Path, tmp_path: Path) -> None:
    path = folder / "plain.keras"
    done = quantize(
        path,
        load_calibration(SAMPLES, model_inputs(path)),
        output_path=tmp_path / "model.tflite",
        activations="int16",
        samples=(SAMPLES,),
    )
    content = done.path.read_bytes()
    graph = import_model(content, done.path, name="model")
    for tensor in (*graph.input_tensors(), *graph.output_tensors()):
        assert tensor.dtype is DType.INT16
        assert tensor.q.zero_point == 0
    assert done.float_outputs is not None
    (outputs,) = int8_predictions(content, (SAMPLES,))
    np.testing.assert_allclose(outputs, done.float_outputs[0], atol=0.005)


def test_several_inputs_stay_in_order(folder: Path, tmp_path: Path) -> None:
    arrays = {"alpha": RNG.random((5, 2)), "zeta": RNG.random((5, 3))}
    specs = model_inputs(folder / "two.keras")
    data = load_calibration(arrays, specs)
    done = quantize(
        folder / "two.keras", data, output_path=tmp_path / "two.tflite", samples=data.inputs
    )
    assert [spec.name for spec in done.inputs] == ["zeta", "alpha"]
    (outputs,) = int8_predictions(done.path.read_bytes(), data.inputs)
    assert done.float_outputs is not None
    np.testing.assert_allclose(outputs, done.float_outputs[0], atol=0.05)


def test_a_saved_model_converts_like_its_keras_model(folder: Path, tmp_path: Path) -> None:
    done = quantize(
        folder / "plain",
        Dataset((SAMPLES,)),
        output_path=tmp_path / "plain.tflite",
        samples=(SAMPLES,),
    )
    (spec,) = done.inputs
    assert (spec.shape, spec.dtype) == ((6, 6, 1), "float32")
    expected = np.asarray(keras.saving.load_model(folder / "plain.keras")(SAMPLES))
    assert done.float_outputs is not None
    np.testing.assert_allclose(done.float_outputs[0], expected, atol=1e-5)
    with pytest.raises(InputError, match="SavedModel has no layers"):
        prune_model(folder / "plain", PruneTable(), None, output_path=tmp_path / "pruned.keras")


@pytest.mark.parametrize(("name", "operator"), [("writes", "WriteFile"), ("python", "PyFunc")])
def test_saved_models_that_do_more_than_compute(folder: Path, name: str, operator: str) -> None:
    with pytest.raises(InputError) as caught:
        SavedSignature(folder / name)
    assert operator in caught.value.message
    assert "nothing was executed" in caught.value.message
    assert not (folder / "written").exists()


def test_a_truncated_saved_model(folder: Path, tmp_path: Path) -> None:
    content = (folder / "plain" / "saved_model.pb").read_bytes()
    (tmp_path / "saved_model.pb").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="truncated"):
        SavedSignature(tmp_path)


SERIES = RNG.random((6, 8, 3), dtype=np.float32)


@pytest.mark.parametrize("name", ["lstm", "erf.keras"])
def test_a_converter_failure_becomes_one_error(folder: Path, tmp_path: Path, name: str) -> None:
    """The loop of an exported LSTM crashes the converter; erf has no operator."""
    with pytest.raises(ConversionError) as caught:
        quantize(folder / name, Dataset((SERIES,)), output_path=tmp_path / "model.tflite")
    assert name in caught.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [("masked", "takes a mask"), ("stateful_GRU", "stateful GRU layer 'gru")],
)
def test_recurrent_layers_that_are_refused(
    folder: Path, tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(UnsupportedError, match=words) as caught:
        quantize(folder / f"{name}.keras", Dataset((SERIES,)), output_path=tmp_path / "m.tflite")
    assert f"{name}.keras" in caught.value.message


def _wheel_outputs(path: Path, samples: Any, *, reset: bool) -> Any:
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(path.read_bytes())
    (scale,), (zero,) = _quantisation(interpreter.get_input_details(0))
    (out_scale,), (out_zero,) = _quantisation(interpreter.get_output_details(0))
    outputs = []
    for sample in samples:
        if reset:
            interpreter.reset()
        interpreter.set_input(quantize_array(sample[None], scale, zero), 0)
        interpreter.invoke()
        outputs.append((np.array(interpreter.get_output(0), np.float32) - out_zero) * out_scale)
    return np.concatenate(outputs)


def _quantisation(details: dict[str, Any]) -> tuple[Any, Any]:
    parameters = details["quantization_parameters"]
    return parameters["scales"], parameters["zero_points"]


@pytest.mark.parametrize(("name", "stateful"), [("lstm", False), ("stateful_LSTM", True)])
def test_an_lstm_keeps_its_state_where_keras_does(
    folder: Path, tmp_path: Path, name: str, stateful: bool
) -> None:
    done = quantize(
        folder / f"{name}.keras",
        Dataset((SERIES,)),
        output_path=tmp_path / "lstm.tflite",
        samples=(SERIES,),
    )
    content = done.path.read_bytes()
    assert is_reset(schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))) is not stateful
    assert done.float_outputs is not None
    right, wrong = (
        np.abs(_wheel_outputs(done.path, SERIES, reset=reset) - done.float_outputs[0]).max()
        for reset in (not stateful, stateful)
    )
    assert right < 0.02
    assert wrong > 2 * right


def test_indices_are_integers(folder: Path, tmp_path: Path) -> None:
    (spec,) = model_inputs(folder / "words.keras")
    assert spec.dtype == "int32"
    samples = RNG.integers(0, 500, (8, 6)).astype(np.int32)
    done = quantize(
        folder / "words.keras",
        Dataset((samples,)),
        output_path=tmp_path / "words.tflite",
        samples=(samples,),
    )
    assert done.float_outputs is not None
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(done.path))
    interpreter.set_input(samples[:1], 0)
    interpreter.invoke()
    (scale,), (zero,) = _quantisation(interpreter.get_output_details(0))
    found = (np.array(interpreter.get_output(0), np.float32) - zero) * scale
    np.testing.assert_allclose(found, done.float_outputs[0][:1], atol=scale)


def test_time_out(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"plain\.keras: stopped after 0\.3 s"):
        quantize(
            folder / "plain.keras",
            Dataset((SAMPLES,)),
            output_path=tmp_path / "late.tflite",
            timeout=0.3,
        )
    assert list(tmp_path.iterdir()) == []


def _worker(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> dict[str, Any]:
    """Run a worker whose handler has the given body."""
    (folder / "stub_worker.py").write_text(
        "import ctypes, os, signal, sys\n"
        "from tinyflow.errors import InputError\n"
        f"def main(job, folder):\n    {body}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return run_worker("stub_worker", {"n": 1}, folder, task="working on model.keras", timeout=20)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("ctypes.string_at(0)", ConversionError, "crashed with SIGSEGV"),
        ("print('last words', file=sys.stderr); os.abort()", ConversionError, "last words"),
        ("os.kill(os.getpid(), signal.SIGKILL)", ConversionError, "lack of memory"),
        ("os._exit(3)", ConversionError, "ended with status 3"),
        ("raise ValueError('odd shape')", ConversionError, "ValueError: odd shape"),
        ("raise MemoryError", ConversionError, "out of memory"),
        ("raise InputError('the file is bad', hint='fix it')", InputError, "the file is bad"),
    ],
)
def test_every_end_of_a_worker_is_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words) as caught:
        _worker(tmp_path, monkeypatch, body)
    if error is ConversionError:
        assert "working on model.keras" in str(caught.value)


def test_native_output_does_not_mix_with_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = _worker(tmp_path, monkeypatch, "os.write(1, b'noise'); return {'twice': 2 * job['n']}")
    assert reply == {"twice": 2}
    assert "noise" in (tmp_path / "stderr.log").read_text()


def test_tensorflow_stays_out_of_this_room() -> None:
    """Importing everything the parent process uses must not import TensorFlow."""
    import subprocess

    code = (
        "import sys, tinyflow.compress.prune, tinyflow.convert.convert, "
        "tinyflow.datasets.accuracy; "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_pruning_a_file(folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    training = Dataset((SAMPLES,), RNG.integers(0, 3, 12))
    output = tmp_path / "pruned.keras"
    summary = prune_model(
        folder / "hostile.keras",
        PruneTable(method="structured", ratio=0.5, epochs=2, batch_size=4),
        training,
        output_path=output,
        on_line=lines.append,
    )
    assert summary.parameters_after < summary.parameters_before
    assert [(layer.before, layer.after) for layer in summary.layers] == [(4, 2), (3, 3)]
    assert summary.loss_before is not None
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert load_keras(output).output_shape == (None, 3)
    assert [entry.name for entry in tmp_path.iterdir()] == ["pruned.keras"]


def test_pruning_data_must_fit(folder: Path, tmp_path: Path) -> None:
    settings = PruneTable(method="structured", epochs=1)
    with pytest.raises(InputError, match="shapes"):
        prune_model(
            folder / "plain.keras",
            settings,
            Dataset((np.ones((2, 5), np.float32),), np.zeros(2, int)),
            output_path=tmp_path / "pruned.keras",
        )
    with pytest.raises(InputError, match="no labels `y`"):
        prune_model(
            folder / "plain.keras",
            settings,
            Dataset((SAMPLES,)),
            output_path=tmp_path / "pruned.keras",
        )
    assert list(tmp_path.iterdir()) == []


def test_rounding_and_saturation() -> None:
    values = np.array([0.5, -0.5, 1.5, 2.49, -2.5, 1e9, -1e9, 0.49999997])
    assert quantize_array(values, 1.0, 0).tolist() == [1, -1, 2, 2, -3, 127, -128, 0]
    assert quantize_array([0.0, 1.0], 0.5, -128).tolist() == [-128, -126]
    assert quantize_array([300.0], 1.0, 0, np.uint8).tolist() == [255]
    assert dequantize_array(np.array([-128, 127], np.int8), 0.5, -128).tolist() == [0.0, 127.5]
