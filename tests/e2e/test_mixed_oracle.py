# SPDX-License-Identifier: Apache-2.0
"""A model that neither oracle runs alone, and an index that is not of the input."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import tinyflow as tf
from tests.support.command_line import CommandLine
from tests.support.mixed_model import INPUT_SHAPE, mixed_model
from tinyflow.boards import load_board
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import DeviceError
from tinyflow.toolchain.elf import read_image
from tinyflow.tools.build_folder import read_build

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

BOARD = "stm32f407"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "net.tflite").write_bytes(mixed_model())
    report = tf.build(folder / "net.tflite", board=BOARD, output=folder / "build")
    assert report.exact.oracle == (
        "TensorFlow Lite Micro reference kernels (tflite-micro) and LiteRT reference kernels "
        "(ai-edge-litert) for ARG_MAX, RELU_N1_TO_1, SELECT, TILE, int4 weights widened to int8"
    )
    assert report.exact.mismatches == 0
    return folder / "build"


def test_every_layer_is_equal(build: Path, tinyflow: CommandLine) -> None:
    inputs = [build / "vectors" / f"input_{index}.npy" for index in range(2)]
    result = tinyflow("bisect", build, "--inputs", inputs[0], "--inputs", inputs[1], "--json")
    assert result.code == 0
    assert result.json["first"] is None
    kinds = [layer["operator"] for layer in result.json["layers"]]
    assert {"CONV_2D", "TILE", "SELECT", "FULLY_CONNECTED", "ARG_MAX", "GATHER"} <= set(kinds)
    assert all(layer["differing"] == 0 for layer in result.json["layers"])


def test_the_typed_output_of_64_bits(build: Path) -> None:
    header = (build / "lib" / "net" / "net.h").read_text()
    assert "#define NET_OUTPUT_0_TYPE int64_t" in header
    assert "const int64_t *net_output_0(void);" in header


@pytest.mark.parametrize("index", [-1, 5, -(2**31), 2**31 - 1])
def test_an_index_out_of_range_is_an_error_of_invoke(build: Path, index: int) -> None:
    built = read_build(build)
    image = np.zeros(INPUT_SHAPE, np.int8)
    with Simulator(read_image(built.elf), load_board(BOARD)) as simulator:
        client = HarnessClient(simulator)
        with pytest.raises(DeviceError, match="returned the error 1"):
            client.run(image, np.array([0, index], np.int32))
        best, some = client.run(image, np.array([0, 4], np.int32))
    assert (best.dtype, some.dtype) == (np.int64, np.int8)
