# SPDX-License-Identifier: Apache-2.0
"""Float inputs and outputs leave the arena; those that cannot share memory with int8 tensors."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.cores import board_with
from tests.support.first_kernels import select_kernels
from tests.support.float_ends import float_ends_model
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import Core, load_board
from tinyflow.costs.trial import Trial
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Dequantize, Quantize
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.oracle.oracle import Oracle
from tinyflow.oracle.process import first_output
from tinyflow.passes import optimise
from tinyflow.passes.float_ends import convert_at_ends
from tinyflow.pipeline.quantize import Quantised, device_inputs
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


# ---------------------------------------------------------------- without them in the arena


def _graphs(content: bytes) -> tuple[Graph, Graph]:
    """A model's graph after all passes, and with its float ends taken out."""
    path = Path("ends.tflite")
    graph = optimise(import_model(content, path, name="net"), content, path, first_output)
    return graph, convert_at_ends(graph)


def _arena(graph: Graph) -> int:
    kernels = select_kernels(graph, load_board("stm32l4r5"), find_cmsis_nn())
    return plan_memory(graph, kernels).arena_size


def test_the_arena_of_an_image_has_one_byte_a_value() -> None:
    before, after = _graphs(float_ends_model(IMAGE[1:]))
    assert _arena(before) >= 4 * ELEMENTS
    assert ELEMENTS <= _arena(after) < 2 * ELEMENTS
    assert not any(isinstance(op, Quantize | Dequantize) for op in after.operators)
    assert [tensor.dtype.value for tensor in after.input_tensors()] == ["float32"]
    assert [after.tensors[index].dtype.value for index in after.inputs] == ["int8"]


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("reshaped", [False, True])
def test_the_ends_are_known_by_what_the_caller_gives(dtype: str, reshaped: bool) -> None:
    before, after = _graphs(float_ends_model((5, 7, 3), dtype, reshaped=reshaped))
    assert len(after.float_inputs) == len(after.float_outputs) == 1
    for seen, file in (
        (after.input_tensors(), before.input_tensors()),
        (after.output_tensors(), before.output_tensors()),
    ):
        assert list(seen) == list(file)
    if reshaped:
        return  # only now is the range of the input seen
    for found, due in zip(
        *(device_inputs(graph, Quantised(b""), 12)[0] for graph in (after, before)), strict=True
    ):
        np.testing.assert_array_equal(found[0], due[0])


def _two_readers(kind: str) -> bytes:
    """A float input with a second reader: of another quantisation, or in float."""
    b = TfliteBuilder()
    x = b.tensor((1, 4), "float32")
    quantised = [b.tensor((1, 4), scale=scale) for scale in (0.1, 0.2)]
    b.operator("QUANTIZE", [x], [quantised[0]])
    ends = [b.tensor((1, 4), scale=0.1)]
    b.operator("ADD", [quantised[0], quantised[0]], ends)
    if kind == "quantisation":
        b.operator("QUANTIZE", [x], [quantised[1]])
        ends.append(b.tensor((1, 4), scale=0.2))
        b.operator("ADD", [quantised[1], quantised[1]], [ends[1]])
    elif kind == "float":
        ends.append(b.tensor((1, 4), "float32"))
        b.operator("ADD", [x, x], [ends[1]])
    else:
        ends.append(x)
    return b.build([x], ends)


@pytest.mark.parametrize("kind", ["quantisation", "float", "output"])
def test_an_input_that_something_else_needs_stays(kind: str) -> None:
    before, after = _graphs(_two_readers(kind))
    assert after is before


def test_an_output_that_a_layer_reads_stays() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.1)
    real, other = b.tensor((1, 4), "float32"), b.tensor((1, 4), "float32")
    b.operator("ADD", [x, x], [y])
    b.operator("DEQUANTIZE", [y], [real])
    b.operator("EXP", [real], [other])
    before, after = _graphs(b.build([x], [real, other]))
    assert after is before


@pytest.mark.parametrize("kind", ["QUANTIZE", "DEQUANTIZE"])
def test_a_model_of_nothing_but_a_conversion_stays(kind: str) -> None:
    before, after = _graphs(one_end(kind, (1, 4)))
    assert after is before


def test_one_quantised_tensor_may_be_given_out_in_two_ways() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.1)
    real = b.tensor((1, 4), "float32")
    b.operator("ADD", [x, x], [y])
    b.operator("DEQUANTIZE", [y], [real])
    _, after = _graphs(b.build([x], [y, real]))
    assert after.outputs == (y, y)
    assert after.float_outputs == {1: real}
    assert [tensor.dtype.value for tensor in after.output_tensors()] == ["int8", "float32"]
