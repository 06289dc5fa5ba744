# SPDX-License-Identifier: Apache-2.0
"""Hooks on every load and store change neither what a model computes nor what it executes.

Unicorn leaves a stale condition behind hooked accesses; tinyflow clears it. Here all of flash and
RAM is watched, more than any board's memories ask for, and outputs, instructions of every layer
and the passages between blocks are compared with a run that hooks blocks only.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import tinyflow
from tests.conformance.driver import model_of
from tests.conformance.test_conformance import GROUPS
from tests.support.small_model import small_model
from tinyflow.boards import load_board
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.emulate.trace import Watched
from tinyflow.timing.counts import count
from tinyflow.toolchain.elf import read_image
from tinyflow.tools.build_folder import read_build

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

_SHARED = Path(__file__).resolve().parents[3] / "shared"
_MODELS = Path(os.environ.get("TINYFLOW_MODELS", _SHARED / "models" / "mlperf_tiny"))
MLPERF = ("kws_ref_model", "pretrainedResnet_quant", "vww_96_int8", "ad01_int8")
#: One group of each family of operators.
FAMILIES = sorted({name.rsplit("-", 1)[0] for name in GROUPS})


def check(model: Path, board_id: str, folder: Path, *, inferences: int = 2) -> None:
    board = load_board(board_id)
    tinyflow.build(
        model, board=board_id, output=folder / "build", optimize="speed", vectors=inferences
    )
    built = read_build(folder / "build")
    image = read_image(built.elf)
    name = built.report.model.name
    layers = sorted(
        symbol.name
        for symbol in image.symbols
        if symbol.kind == "function" and symbol.name.startswith(f"{name}_layer_")
    )
    columns = [
        np.load(built.folder / f"vectors/input_{index}.npy").reshape(-1, *section.shape)
        for index, section in enumerate(built.report.model.inputs)
    ]
    everything = [
        Watched(region.origin, region.origin + region.size - 1, writes=True)
        for region in (board.flash, board.ram)
    ]
    for sample in zip(*columns, strict=True):
        with Simulator(image, board) as simulator:
            client = HarnessClient(simulator)
            with simulator.measure(f"{name}_invoke", layers) as measurement:
                due = client.run(*sample)
        with Simulator(image, board) as simulator:
            client = HarnessClient(simulator)
            with simulator.trace(f"{name}_invoke", everything) as tracer:
                found = client.run(*sample)
            trace = tracer.trace()
        assert [array.tobytes() for array in found] == [array.tobytes() for array in due]
        assert len(trace.accesses) > 0
        counts = count(trace, board, [image.symbol(layer).address for layer in layers])
        assert counts.instructions(counts.overhead) == measurement.overhead.instructions
        for traced, plain in zip(counts.layers, measurement.layers, strict=True):
            assert counts.instructions(traced) == plain.instructions
            assert traced.edges == plain.edges


@pytest.mark.parametrize("board", ["stm32l4r5", "stm32f746"])
def test_small_model(board: str, tmp_path: Path) -> None:
    model = tmp_path / "small.tflite"
    model.write_bytes(small_model())
    check(model, board, tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_operators(family: str, tmp_path: Path) -> None:
    model = tmp_path / "cases.tflite"
    model.write_bytes(model_of(GROUPS[f"{family}-0"]))
    check(model, "stm32l4r5", tmp_path)


@pytest.mark.skipif(not _MODELS.is_dir(), reason=f"no MLPerf Tiny models at {_MODELS}")
@pytest.mark.parametrize("name", MLPERF)
def test_mlperf_tiny(name: str, tmp_path: Path) -> None:
    check(_MODELS / f"{name}.tflite", "stm32l4r5", tmp_path, inferences=1)
