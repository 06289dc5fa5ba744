"""Accuracy of the device, whose outputs are integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.datasets.dataset import Dataset
from tinyflow.emulate.verify import Verification
from tinyflow.oracle.oracle import Oracle
from tinyflow.pipeline.build import measure_accuracy
from tinyflow.pipeline.quantize import Quantised
from tinyflow.tflite.importer import import_model


def test_a_probability_of_int16_counts_from_one_half() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 1), "int16", 1e-3), b.tensor((1, 1), "int16", 1 / 32768)
    b.operator("LOGISTIC", [x], [y])
    content = b.build([x], [y])
    samples = np.array([[-3.0], [-0.5], [0.5], [3.0]], np.float32)
    test = Dataset((samples,), np.array([0, 0, 1, 1]))
    oracle = Oracle(content)
    outputs = [oracle.run((row / 1e-3).astype(np.int16)[None])[0] for row in samples]
    verification = Verification(
        oracle="oracle",
        vectors=0,
        compared_bytes=0,
        mismatches=0,
        instructions=[],
        layer_instructions=[],
        stack_peak=0,
        oracle_outputs=(),
        sample_outputs=np.stack(outputs),
    )
    graph = import_model(content, Path("net.tflite"), name="net")
    found = measure_accuracy(graph, Quantised(content, test), verification)
    assert found is not None
    assert (found.int8, found.device) == (100.0, 100.0)
