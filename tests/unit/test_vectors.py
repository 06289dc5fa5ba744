# SPDX-License-Identifier: Apache-2.0
"""Inputs on which firmware and oracle are compared, and which of their inferences are modelled."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_model import INPUT_SHAPE, small_model
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.datasets.dataset import Dataset
from tinyflow.emulate.verify import VectorKinds
from tinyflow.pipeline.quantize import Quantised, device_inputs
from tinyflow.pipeline.vectors import synthetic_vectors, vector_kinds
from tinyflow.tflite.importer import import_model
from tinyflow.timing.cycle_model import CycleSplit, SectionTiming, Timing
from tinyflow.timing.traced_vectors import summarise, to_trace
from tinyflow.timing.validation import ErrorBar

PATH = Path("net.tflite")
GRAPH = import_model(small_model(), PATH, name="net")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 20, 101])
@pytest.mark.parametrize("available", [0, 1, 3, 1000])
def test_vectors_are_of_every_kind(count: int, available: int) -> None:
    kinds = vector_kinds(GRAPH, count, available)
    assert kinds.real + kinds.random + kinds.extreme == count
    assert min(kinds.real, kinds.random, kinds.extreme) >= 0
    assert kinds.real <= available
    if available and count >= 1:
        assert kinds.real >= 1
    if count >= 2:
        assert kinds.random >= 1
    if count >= 4:
        assert kinds.extreme >= 1
    if count >= 16:
        assert kinds.extreme == 4


def test_twenty_vectors() -> None:
    assert vector_kinds(GRAPH, 20, 450) == VectorKinds(real=8, random=8, extreme=4)
    assert vector_kinds(GRAPH, 20, 0) == VectorKinds(real=0, random=16, extreme=4)


@pytest.mark.parametrize(("elements", "extremes"), [(511, 4), (512, 0)])
def test_a_softmax_too_long_for_equal_values_gets_no_extremes(elements: int, extremes: int) -> None:
    b = TfliteBuilder()
    x = b.tensor((1, elements), scale=0.1)
    y = b.tensor((1, elements), scale=1 / 256, zero_point=-128)
    b.operator("SOFTMAX", [x], [y], beta=1.0)
    graph = import_model(b.build([x], [y]), PATH, name="net")
    assert vector_kinds(graph, 20, 0).extreme == extremes
    assert len(synthetic_vectors(graph, vector_kinds(graph, 20, 0))) == 20


def test_real_samples_come_first_then_random_ones_then_extremes() -> None:
    content = small_model()
    graph = import_model(content, PATH, name="net")
    samples = np.arange(10, dtype=np.int8).reshape(10, 1, 1, 1) + np.zeros(
        (10, *INPUT_SHAPE[1:]), np.int8
    )
    for quantised in (
        Quantised(content, test=Dataset((samples,))),
        Quantised(content, calibration=Dataset((samples,))),
    ):
        vectors, test = device_inputs(graph, quantised, 20)
        assert len(vectors) == 20
        for index in range(8):
            np.testing.assert_array_equal(vectors[index][0], samples[index][None])
        for (random,) in vectors[8:16]:
            assert len(np.unique(random)) > 20
        lowest, highest, alternating, resting = (vector[0] for vector in vectors[16:])
        assert (lowest == -128).all() and (highest == 127).all()
        assert (alternating.reshape(-1)[::2] == -128).all()
        assert (alternating.reshape(-1)[1::2] == 127).all()
        zero = next(graph.input_tensors()).q.zero_point
        assert zero != 0 and (resting == zero).all()
        assert {vector[0].shape for vector in vectors} == {INPUT_SHAPE}
        if quantised.test is not None:
            assert len(test) == 10
            assert all(vectors[index] is test[index] for index in range(8))


def test_extremes_of_a_float_input_exceed_what_it_is_quantised_to() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 6), "float32")
    y = b.tensor((1, 6), scale=0.5, zero_point=-3)
    b.operator("QUANTIZE", [x], [y])
    graph = import_model(b.build([x], [y]), PATH, name="net")
    vectors = synthetic_vectors(graph, VectorKinds(0, 4, 4))
    lowest, highest = vectors[4][0], vectors[5][0]
    assert lowest.dtype == np.float32
    assert lowest.max() < (-128 + 3) * 0.5 and highest.min() > (127 + 3) * 0.5
    assert (vectors[7][0] == 0).all()


def test_indices_stay_in_range() -> None:
    b = TfliteBuilder()
    table = b.tensor((5, 2), scale=0.5, data=np.arange(10).reshape(5, 2))
    x = b.tensor((1, 3), "int32")
    y = b.tensor((1, 3, 2), scale=0.5)
    b.operator("GATHER", [table, x], [y], axis=0, batchDims=0)
    graph = import_model(b.build([x], [y]), PATH, name="net")
    for (values,) in synthetic_vectors(graph, VectorKinds(0, 30, 4)):
        assert values.min() >= 0 and values.max() <= 4


def test_traced_are_the_fewest_the_median_and_the_most() -> None:
    assert to_trace([7]) == [0]
    assert to_trace([5, 9, 1, 7, 3]) == [0, 1, 2]
    assert to_trace([4, 4, 4, 4]) == [0, 1, 3]
    assert to_trace([100_000_000 + each for each in (5, 9, 1, 7, 3)]) == [0, 1]


def _timing(cycles: int) -> Timing:
    return Timing(
        clock_hz=1_000_000,
        overhead=SectionTiming(1, CycleSplit()),
        layers=(SectionTiming(2, CycleSplit(core=cycles)),),
        error=ErrorBar(10, "b"),
        power_mw=Decimal(1),
    )


def test_the_median_and_the_worst_are_stated() -> None:
    found = summarise({0: _timing(30), 3: _timing(10), 4: _timing(20)}, [6, 5, 5, 4, 9])
    assert (found.typical.vector, found.typical.timing.cycles) == (4, 20)
    assert (found.worst.vector, found.worst.timing.cycles) == (0, 30)
    assert (found.traced, found.instructions) == (3, (6, 5, 5, 4, 9))
    two = summarise({1: _timing(30), 2: _timing(10)}, [1, 2, 3])
    assert (two.typical.vector, two.worst.vector) == (2, 1)
