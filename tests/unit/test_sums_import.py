# SPDX-License-Identifier: Apache-2.0
"""Refusals of sums, of operators that fill and update tensors, and of boolean ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.floats import floored
from tests.conformance.logic import binary
from tests.conformance.sums import add_n, broadcast_args, cumsum, filled, gather_nd, update_slice
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.tflite.importer import import_model

Change = Callable[[TfliteBuilder], None]


def _import(case: Callable[..., tuple[list[int], list[int]]], change: Change) -> None:
    builder = TfliteBuilder()
    inputs, outputs = case(builder, np.random.default_rng(0))
    change(builder)
    import_model(builder.build(inputs, outputs), Path("model.tflite"), name="model")


def _keeps_inputs(count: int) -> Change:
    def change(builder: TfliteBuilder) -> None:
        operator = builder.subgraph.operators[0]
        operator.inputs = operator.inputs[:count]

    return change


def _rescales(tensor: int) -> Change:
    def change(builder: TfliteBuilder) -> None:
        builder.subgraph.tensors[tensor].quantization.scale = np.array([0.7], np.float32)

    return change


def _becomes(tensor: int, *values: int) -> Change:
    """Other contents of a constant of int32."""

    def change(builder: TfliteBuilder) -> None:
        buffer = builder.model.buffers[builder.subgraph.tensors[tensor].buffer]
        buffer.data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)

    return change


def _nothing(builder: TfliteBuilder) -> None:
    del builder


@pytest.mark.parametrize(
    ("case", "change", "says"),
    [
        (add_n((3,), 2), _keeps_inputs(1), "1 inputs, at least 2"),
        (add_n((3,), 2), _rescales(1), "differ in scale"),
        (cumsum((3, 4), 1, "int16"), _nothing, "is int16, expected int8"),
        (update_slice((4, 5), (2, 3)), _rescales(1), "differ in scale"),
        (filled((3, 4)), _becomes(0, 3, 5), "not that of the output"),
        (filled((3, 4), "int16"), _nothing, "is int16, expected int8 or int32"),
        (gather_nd((5, 4), (3,), 1, "int32"), _nothing, "is int32, expected int8"),
        (broadcast_args(3, 3, "float32"), _nothing, "expected int32 or int64"),
        (binary("LOGICAL_AND", (3,), (3,), dtype="int8"), _nothing, "is int8, expected bool"),
        (
            binary("LOGICAL_OR", (2, 1, 1, 1, 3), (2, 1, 1, 1, 1)),
            _nothing,
            "a broadcast of rank 5, at most 4",
        ),
        (floored("FLOOR_DIV", (2, 1, 1, 1, 3), (3,)), _nothing, "a broadcast of rank 5"),
    ],
)
def test_refused(
    case: Callable[..., tuple[list[int], list[int]]], change: Change, says: str
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        _import(case, change)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("case", "change", "says"),
    [
        (cumsum((3, 4), 1), _becomes(2, 7), "axis 7 of a tensor of rank 2"),
        (gather_nd((5, 4), (1,), 1, constant=True), _becomes(1, 5), "an index outside of [5]"),
        (gather_nd((5, 4), (1,), 1, constant=True), _becomes(1, -1), "an index outside of [5]"),
    ],
)
def test_damaged(
    case: Callable[..., tuple[list[int], list[int]]], change: Change, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        _import(case, change)
    assert says in caught.value.message
