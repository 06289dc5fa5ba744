# SPDX-License-Identifier: Apache-2.0
"""Float32 and int32 inside a model: what is read, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, TinyflowError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.ir.movement import Gather
from tinyflow.ir.unquantised import index_extent, is_float, is_unquantised
from tinyflow.tflite.importer import import_model


def read(b: TfliteBuilder, inputs: list[int], outputs: list[int]) -> Graph:
    return import_model(b.build(inputs, outputs), Path("net.tflite"), name="net")


def test_a_float_model_is_refused() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), "float32"), b.tensor((1, 4), "float32", name="soft")
    b.operator("SOFTMAX", [x], [y], beta=1.0)
    with pytest.raises(InputError, match="SOFTMAX layer 'soft' computes in float32") as caught:
        read(b, [x], [y])
    assert "full int8" in (caught.value.hint or "")


def test_a_float_layer_in_an_int8_model_is_read_and_told_apart() -> None:
    b = TfliteBuilder()
    x, real = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), "float32")
    y = b.tensor((1, 4), "float32")
    b.operator("DEQUANTIZE", [x], [real])
    b.operator("SOFTMAX", [real], [y], beta=1.0)
    graph = read(b, [x], [y])
    assert [is_float(graph, operator) for operator in graph.operators] == [False, True]


def test_float_edges_around_int8_weights_are_read() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), "float32"), b.tensor((1, 2), "float32")
    quantised, product = b.tensor((1, 4), scale=0.1), b.tensor((1, 2), scale=0.1)
    weights = b.tensor((2, 4), scale=0.1, data=np.ones((2, 4)))
    b.operator("QUANTIZE", [x], [quantised])
    b.operator("FULLY_CONNECTED", [quantised, weights, -1], [product])
    b.operator("DEQUANTIZE", [product], [y])
    assert len(read(b, [x], [y]).operators) == 3


def test_int8_weights_beside_float_activations_are_refused() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), "float32"), b.tensor((1, 2), "float32", name="dense")
    weights = b.tensor((2, 4), scale=0.1, data=np.ones((2, 4)), name="kernel")
    b.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    with pytest.raises(UnsupportedError, match="'kernel' is int8, expected float32") as caught:
        read(b, [x], [y])
    assert "dynamic-range" in (caught.value.hint or "")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_constant_is_finite(value: float) -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1,), scale=0.1), b.tensor((1,), "float32")
    real = b.tensor((1,), "float32")
    b.operator("DEQUANTIZE", [x], [real])
    b.operator("ADD", [real, b.tensor((1,), "float32", data=value, name="odd")], [y])
    with pytest.raises(InputError, match="'odd' holds NaN or infinity"):
        read(b, [x], [y])


@pytest.mark.parametrize(
    ("kind", "types", "says"),
    [
        ("ADD", ("float32", "int32", "float32"), "is int32, expected float32"),
        ("ADD", ("int32", "int32", "float32"), "is int32, expected float32"),
        ("LESS", ("float32", "float32", "int8"), "is int8, expected bool"),
        ("MAXIMUM", ("float32", "float32", "int32"), "is int32, expected float32"),
        ("DIV", ("int64", "int64", "int64"), "DIV layer"),
    ],
)
def test_types_that_do_not_fit(kind: str, types: tuple[str, str, str], says: str) -> None:
    b = TfliteBuilder()
    left, right, result = (b.tensor((4,), dtype) for dtype in types)
    b.operator(kind, [left, right], [result])
    with pytest.raises(TinyflowError) as caught:
        read(b, [left, right], [result])
    assert says in caught.value.message


@pytest.mark.parametrize("source", ["uint8", "int8"])
@pytest.mark.parametrize("target", ["uint8", "float32"])
def test_cast_takes_what_the_oracle_casts(source: str, target: str) -> None:
    b = TfliteBuilder()
    x, y = b.tensor((4,), source, 0.1), b.tensor((4,), target)
    b.operator("CAST", [x], [y])
    if "uint8" in (source, target):
        with pytest.raises(UnsupportedError, match="is uint8, not of bool, int8"):
            read(b, [x], [y])
    else:
        graph = read(b, [x], [y])
        assert not is_unquantised(graph, graph.operators[0])


def test_rows_of_a_constant_table_at_computed_indices() -> None:
    b = TfliteBuilder()
    x, chosen = b.tensor((2,), "int32"), b.tensor((2,), "int32")
    b.operator("ADD", [x, b.tensor((), "int32", data=1)], [chosen])
    table = b.tensor((5, 3), scale=0.1, data=np.ones((5, 3)))
    y = b.tensor((2, 3), scale=0.1)
    b.operator("GATHER", [table, chosen], [y])
    graph = read(b, [x], [y])
    assert isinstance(graph.operators[1], Gather)
    assert index_extent(graph, x) == 5
    assert index_extent(graph, y) is None
