"""Constant and unused channels are left out, and nothing changes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.support.drawn_nets import DrawnNet
from tests.support.rewritten import PATH, check_exact, file_of
from tinyflow.emulate.oracle import Oracle
from tinyflow.frontend.tflite_import import import_model
from tinyflow.ir.graph import Graph
from tinyflow.ir.types import DType
from tinyflow.passes.intervals import Intervals

needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)


def elements(graph: Graph) -> int:
    return sum(graph.tensors[i].elements for op in graph.operators for i in op.outputs())


@pytest.mark.parametrize("first", range(0, 120, 30))
def test_no_value_is_outside_of_its_interval(first: int) -> None:
    content = file_of([DrawnNet(seed) for seed in range(first, first + 30)])
    graph = import_model(content, PATH, name="net")
    intervals, oracle = Intervals(graph), Oracle(content, keep_tensors=True)
    rng = np.random.default_rng(first)
    constant = 0
    for turn in range(6):
        low, high = ((-128, -128), (127, 127), (-128, 127))[min(turn, 2)]
        shapes = [tensor.shape for tensor in graph.input_tensors()]
        oracle.run(*[rng.integers(low, high, s, endpoint=True).astype(np.int8) for s in shapes])
        for op in graph.operators:
            (index,) = op.outputs()
            if graph.tensors[index].dtype is DType.INT8:
                values, limits = oracle.tensor(index), intervals[index]
                assert np.all(limits.low <= values), (op, values, limits)
                assert np.all(values <= limits.high), (op, values, limits)
                constant += int(limits.constant.sum())
    assert constant > 1000


@needs_compiler
@pytest.mark.parametrize("first", range(0, 120, 20))
def test_drawn_networks_stay_exact(first: int) -> None:
    content = file_of([DrawnNet(seed) for seed in range(first, first + 20)])
    graph = check_exact(content)
    assert elements(graph) < 0.95 * elements(import_model(content, PATH, name="net"))
