# SPDX-License-Identifier: Apache-2.0
"""Models with layers that the converter leaves in float32: exact on the device, and reported."""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import tinyflow
from tests.support.cores import cortex_m0plus
from tests.support.small_model import float_model
from tinyflow.convert.convert import model_inputs
from tinyflow.report.terminal import print_report

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

_MODELS = """
import sys
import keras

layers = keras.layers


def normalised():
    x = keras.Input((8, 6))
    y = layers.LayerNormalization()(layers.Dense(8)(x))
    return keras.Model(x, layers.Dense(4)(layers.Flatten()(y)))


def elu():
    x = keras.Input((16,))
    return keras.Model(x, layers.Dense(4)(layers.Dense(8, activation="elu")(x)))


def embedding():
    x = keras.Input((10,))
    y = layers.Flatten()(layers.Embedding(20, 6)(x))
    return keras.Model(x, layers.Dense(4)(y))


def attention():
    x = keras.Input((8, 6))
    y = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)])
    y = layers.Flatten()(layers.LayerNormalization()(y))
    return keras.Model(x, layers.Dense(4)(y))


keras.utils.set_random_seed(1)
for make in (normalised, elu, embedding, attention):
    make().save(f"{sys.argv[1]}/{make.__name__}.keras")
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    folder = tmp_path_factory.mktemp("floats")
    subprocess.run([sys.executable, "-c", _MODELS, str(folder)], check=True, capture_output=True)
    return folder


def _build(path: Path, folder: Path) -> list[tuple[str, str]]:
    rng = np.random.default_rng(3)
    (spec,) = model_inputs(path)
    shape = (24, *spec.shape)
    samples = rng.integers(0, 20, shape) if path.stem == "embedding" else rng.normal(size=shape)
    report = tinyflow.build(
        path,
        board="stm32l4r5",
        calibration={spec.name: samples.astype(spec.dtype)},
        output=folder / "build",
        vectors=8,
    )
    assert report.exact.mismatches == 0
    return [(layer.operator, layer.kernel) for layer in report.layers]


def test_what_a_converter_leaves_becomes_a_table(models: Path, tmp_path: Path) -> None:
    layers = _build(models / "elu.keras", tmp_path)
    assert ("ELU", "tinyflow_lut_s8") in layers
    assert not {"DEQUANTIZE", "QUANTIZE"} & {operator for operator, _ in layers}


@pytest.mark.parametrize("name", ["normalised", "attention", "embedding"])
def test_layers_that_have_an_int8_form_leave_no_float(
    name: str, models: Path, tmp_path: Path
) -> None:
    layers = _build(models / f"{name}.keras", tmp_path)
    assert not [kernel for _, kernel in layers if kernel.endswith("_f32")]


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
def test_a_float_layer_is_told(core: str, tmp_path: Path) -> None:
    path = tmp_path / "left.tflite"
    path.write_bytes(float_model())
    board = "stm32l4r5" if core == "cortex-m4" else cortex_m0plus(tmp_path)
    report = tinyflow.build(path, board=board, output=tmp_path / "build", vectors=12)
    assert report.exact.mismatches == 0
    assert [layer.operator for layer in report.layers if layer.float32] == ["MUL", "SOFTMAX"]
    console = Console(width=160, record=True, file=io.StringIO())
    print_report(console, report)
    shown = console.export_text()
    assert "SOFTMAX (float32)" in shown
    assert "2 layer(s) compute in float32" in shown
    # No function is compiled that no layer needs.
    kernels = {file.name for file in (tmp_path / "build/lib/left/kernels").glob("*.c")}
    assert "tinyflow_expf.c" in kernels
    assert not {"tinyflow_tanhf.c", "tinyflow_expm1f.c", "tinyflow_conv_f32.c"} & kernels


def test_no_product_is_fused_with_a_sum(tmp_path: Path) -> None:
    path = tmp_path / "left.tflite"
    path.write_bytes(float_model())
    tinyflow.build(path, board="stm32l4r5", output=tmp_path / "build", vectors=1)
    (elf,) = (tmp_path / "build/.pio/build").glob("*/firmware.elf")
    code = subprocess.run(
        ["arm-none-eabi-objdump", "-d", elf], capture_output=True, text=True, check=True
    ).stdout
    assert "vmul.f32" in code
    assert "vfma" not in code
    assert "vfms" not in code
