# SPDX-License-Identifier: Apache-2.0
"""Keras's layers: every one converts, follows the float model, and is exact on the device."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import tinyflow
from tests.support import keras_layers
from tests.support.made_once import made_once
from tests.support.merge_tflite import merge_tflite
from tinyflow.arrays import Array
from tinyflow.datasets.accuracy import dequantize_array, quantize_array
from tinyflow.ir.graph import Tensor
from tinyflow.oracle.oracle import Oracle
from tinyflow.tflite.importer import import_model
from tinyflow.tflite.state_mark import is_reset

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)
needs_gcc = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

_PARTS = 4
#: The error of int8 as a share of the float output's standard deviation: a wrong meaning is far
#: above it, the rounding of tiny random models below.
_TOLERANCE = 0.3
#: Sums of products of two quantised factors lose more.
_COARSE = {"dot", "ops-square", "bidirectional-gru-mul"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """Keras models of one layer each: one in three of a family by default."""
    every = 1 if pytestconfig.getoption("conformance") == "full" else 3

    def make(folder: Path) -> None:
        command = [sys.executable, keras_layers.__file__, str(folder), str(every)]
        subprocess.run(command, check=True, capture_output=True)

    return made_once(tmp_path_factory, "keras_layers", make)


def test_every_model_converts(folder: Path) -> None:
    assert json.loads((folder / "failures.json").read_text(encoding="utf-8")) == {}


@pytest.mark.parametrize("family", ["simple", "recurrent", "fused"])
def test_int8_follows_the_float_model(family: str, folder: Path) -> None:
    models = sorted((folder / family).glob("*.tflite"))
    assert models
    errors = {path.stem: _error(path) for path in models}
    far = {
        name: error
        for name, error in errors.items()
        if error > (2 if name in _COARSE else 1) * _TOLERANCE
    }
    assert far == {}


@needs_gcc
@pytest.mark.parametrize("part", range(_PARTS))
def test_layers_are_exact(part: int, folder: Path, tmp_path: Path) -> None:
    _build(sorted((folder / "simple").glob("*.tflite"))[part::_PARTS], tmp_path)


@needs_gcc
@pytest.mark.parametrize("part", range(2))
def test_unrolled_layers_are_exact(part: int, folder: Path, tmp_path: Path) -> None:
    _build(sorted((folder / "recurrent").glob("*.tflite"))[part::2], tmp_path)


@needs_gcc
def test_fused_layers_are_exact(folder: Path, tmp_path: Path) -> None:
    """Each vector from zero state, on the device as in the oracle."""
    models = sorted((folder / "fused").glob("*.tflite"))
    _build(models, tmp_path, resets_state=True)
    source = (tmp_path / "build/lib/layers/layers.c").read_text(encoding="utf-8")
    assert "layers_init();" in source.partition("int layers_invoke(void)")[2]


def test_a_fused_layer_begins_from_zeros(folder: Path) -> None:
    for path in sorted((folder / "fused").glob("*.tflite")):
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
        assert is_reset(model), path.stem
        codes = {
            model.operatorCodes[operator.opcodeIndex].builtinCode
            for operator in model.subgraphs[0].operators
        }
        assert schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM in codes


def _build(models: list[Path], folder: Path, *, resets_state: bool = False) -> None:
    assert models
    merged = folder / "layers.tflite"
    merged.write_bytes(
        merge_tflite((path.read_bytes() for path in models), resets_state=resets_state)
    )
    report = tinyflow.build(
        merged, board="stm32f746", output=folder / "build", optimize="speed", vectors=5
    )
    assert report.exact.vectors == 5
    assert report.exact.mismatches == 0


def _error(path: Path) -> float:
    """The int8 model's root mean square error, in standard deviations of the float output."""
    with np.load(path.with_suffix(".npz")) as loaded:
        expected = loaded["y"]
        samples = [loaded[f"x{index}"] for index in range(len(loaded.files) - 1)]
    content = path.read_bytes()
    graph, oracle = import_model(content, path, name="layer"), Oracle(content)
    inputs = [graph.tensors[index] for index in graph.inputs]
    output = graph.tensors[graph.outputs[0]]
    outputs = []
    for index in range(len(expected)):
        sample = [array[index : index + 1] for array in samples]
        raw, *_ = oracle.run(*map(_quantised, sample, inputs))
        outputs.append(_dequantised(raw, output))
    found = np.stack(outputs).reshape(expected.shape)
    return float(np.sqrt(np.mean((found - expected) ** 2)) / expected.std())


def _quantised(array: Array, tensor: Tensor) -> Array:
    if tensor.quantization is None:
        return array
    return quantize_array(array, tensor.q.scale, tensor.q.zero_point)


def _dequantised(array: Array, tensor: Tensor) -> Array:
    if tensor.quantization is None:
        return array.astype(np.float32)
    return dequantize_array(array, tensor.q.scale, tensor.q.zero_point)
