"""Float inputs and outputs share their memory with the int8 tensors beside them."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.cores import board_with
from tests.support.first_kernels import select_kernels
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import Core, load_board
from tinyflow.costs.trial import Trial
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.oracle.oracle import Oracle
from tinyflow.plan.memory import plan_memory
from tinyflow.tflite.importer import import_model

IMAGE = (1, 96, 96, 3)
ELEMENTS = 96 * 96 * 3


def one_end(kind: str, shape: tuple[int, ...], dtype: str = "int8") -> bytes:
    """QUANTIZE from float32 or DEQUANTIZE to it, alone."""
    b = TfliteBuilder()
    real = b.tensor(shape, "float32", scale=None)
    quantised = b.tensor(shape, dtype, 0.05, 3 if dtype == "int8" else 0)
    ends = (real, quantised) if kind == "QUANTIZE" else (quantised, real)
    b.operator(kind, [ends[0]], [ends[1]])
    return b.build([ends[0]], [ends[1]])


@pytest.mark.parametrize("kind", ["QUANTIZE", "DEQUANTIZE"])
def test_an_image_of_floats_takes_four_bytes_a_value_and_no_more(kind: str) -> None:
    graph = import_model(one_end(kind, IMAGE), Path("end.tflite"), name="net")
    plan = plan_memory(graph, select_kernels(graph, load_board("stm32l4r5"), find_cmsis_nn()))
    assert plan.arena_size == 4 * ELEMENTS
    assert plan.is_optimal
    (source,), (output,) = graph.inputs, graph.outputs
    if kind == "QUANTIZE":
        assert plan.tensors[output] == plan.tensors[source]
    else:
        assert 0 <= plan.tensors[source] - 3 * ELEMENTS <= plan.tensors[output] + 3


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no cross-compiler")
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
@pytest.mark.parametrize("kind", ["QUANTIZE", "DEQUANTIZE"])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (1, 5, 3, 3)])
def test_results_are_exact(
    core: Core, kind: str, dtype: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    content = one_end(kind, shape, dtype)
    graph = import_model(content, Path("end.tflite"), name="net")
    board, cmsis = board_with(core, tmp_path), find_cmsis_nn()
    trial = Trial(graph, select_kernels(graph, board, cmsis), board, cmsis)
    assert trial.plan.arena_size <= 4 * math.prod(shape) + 8
    rng = np.random.default_rng(0)
    for scale in (1, 100):
        sample = (scale * rng.normal(size=shape)).astype(np.float32)
        if kind == "DEQUANTIZE":
            sample = np.clip(sample * 50, -128, 127).astype(dtype)
        assert np.array_equal(trial.run(sample)[0], Oracle(content).run(sample)[0])
