# SPDX-License-Identifier: Apache-2.0
"""Import of .tflite files: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, TinyflowError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Conv2D, FullyConnected
from tinyflow.ir.types import Activation, Padding
from tinyflow.tflite.importer import import_model

PATH = Path("net.tflite")


def _read(content: bytes) -> Graph:
    return import_model(content, PATH, name="net")


def _conv(**changes: Any) -> bytes:
    given: dict[str, Any] = {
        "cin": 3,
        "depth": 3,
        "out": (1, 4, 4, 2),
        "x": (1, 4, 4, 3),
        "stride": 1,
    } | changes
    b = TfliteBuilder()
    x = b.tensor(given["x"], scale=0.05, zero_point=-3, name="image")
    w = b.tensor(
        (2, 3, 3, given["depth"]),
        given.get("wtype", "int8"),
        scale=[0.01, 0.02],
        zero_point=given.get("wzero", 0),
        data=np.ones((2, 3, 3, given["depth"])),
        axis=given.get("axis", 0),
    )
    bias = b.tensor((given.get("biases", 2),), "int32", data=[7] * given.get("biases", 2))
    y = b.tensor(given["out"], given.get("ytype", "int8"), scale=0.1, name="features")
    b.operator(
        "CONV_2D",
        [x, w, bias],
        [y],
        strideH=given["stride"],
        strideW=given["stride"],
        dilationHFactor=1,
        dilationWFactor=1,
        fusedActivationFunction=given.get("activation", 3),
    )
    return b.build([x], [y])


def test_convolution_is_read_whole() -> None:
    graph = _read(_conv())
    (conv,) = graph.operators
    assert isinstance(conv, Conv2D)
    assert conv.name == "features"
    assert conv.window.padding is Padding.SAME
    assert conv.activation is Activation.RELU6
    weights = graph.tensors[conv.weights]
    assert weights.shape == (2, 3, 3, 3)
    assert weights.q.axis == 0
    assert weights.q.scales == (float(np.float32(0.01)), float(np.float32(0.02)))
    assert graph.tensors[graph.inputs[0]].q.zero_point == -3


def test_a_dropped_bias_is_absent() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 8), scale=0.05)
    w = b.tensor((3, 8), scale=0.01, data=np.ones((3, 8)))
    y = b.tensor((1, 3), scale=0.1)
    b.operator("FULLY_CONNECTED", [x, w, -1], [y])
    (operator,) = _read(b.build([x], [y])).operators
    assert isinstance(operator, FullyConnected)
    assert operator.bias is None


@pytest.mark.parametrize(("activation", "bound"), [(2, "1.0 of RELU_N1_TO_1"), (3, "6.0 of RELU6")])
def test_an_activation_whose_bound_overflows(activation: int, bound: str) -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 2, 2, 1), scale=1e-10), b.tensor((1, 2, 2, 1), scale=1e-10, name="pooled")
    window: dict[str, Any] = {"filterHeight": 1, "filterWidth": 1, "strideH": 1, "strideW": 1}
    b.operator("MAX_POOL_2D", [x], [y], fusedActivationFunction=activation, **window)
    with pytest.raises(UnsupportedError, match=f"layer 'pooled': the bound {bound} is beyond"):
        _read(b.build([x], [y]))


def test_a_multiplier_that_the_reference_cannot_shift_by() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), scale=8.0), b.tensor((1, 4), scale=1e-9, name="fine")
    b.operator("QUANTIZE", [x], [y])
    with pytest.raises(UnsupportedError, match=r"layer 'fine': the scales give a multiplier of 2"):
        _read(b.build([x], [y]))


@pytest.mark.parametrize("source", ["float32", "uint8"])
def test_a_quantisation_that_tflm_has_not(source: str) -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 4), source, None if source == "float32" else 0.1)
    y = b.tensor((1, 4), "uint8", 0.05, 3, name="grey")
    b.operator("QUANTIZE", [x], [y])
    with pytest.raises(UnsupportedError, match=f"QUANTIZE layer 'grey': from {source} to uint8"):
        _read(b.build([x], [y]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 1}, "grouped convolution (3 input channels, filters of 1)"),
        ({"axis": 3}, "quantised along a"),
        ({"wtype": "int16"}, "expected int8"),
        ({"ytype": "int16"}, "expected int8"),
        ({"activation": 4}, "the fused activation 4 is not supported"),
    ],
)
def test_an_unsupported_attribute_names_operator_and_layer(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(TinyflowError) as caught:
        _read(_conv(**changes))
    assert message in caught.value.message
    if isinstance(caught.value, UnsupportedError):
        assert "net.tflite: CONV_2D layer 'features'" in caught.value.message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": (1, 5, 4, 2)}, "the output has the shape [1, 5, 4, 2], not [1, 4, 4, 2]"),
        ({"biases": 3}, "the bias has the shape [3], not [2]"),
        ({"stride": 0}, "stride or dilation"),
        ({"x": (1, 0, 4, 3)}, "dynamic shape [1, 0, 4, 3]"),
    ],
)
def test_a_damaged_graph_is_told(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        _read(_conv(**changes))
    assert "net.tflite" in caught.value.message
    assert message in caught.value.message


def test_an_unknown_operator_is_named_with_what_is_supported() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 4), scale=0.05)
    y = b.tensor((1, 4), scale=0.05, name="wave")
    b.operator("SIGN", [x], [y])
    with pytest.raises(UnsupportedError) as caught:
        _read(b.build([x], [y]))
    assert "operator SIGN of layer 'wave'" in caught.value.message
    assert "CONV_2D" in (caught.value.hint or "")


def test_an_operator_that_is_float_only_is_named_with_its_type() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 4), scale=0.05)
    y = b.tensor((1, 4), scale=0.05, name="wave")
    b.operator("COS", [x], [y])
    with pytest.raises(UnsupportedError, match="COS layer 'wave': of int8: only float32"):
        _read(b.build([x], [y]))


def test_an_operator_that_reads_what_nothing_writes() -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 4), scale=0.05)
    z = b.tensor((1, 4), scale=0.05, name="ghost")
    y = b.tensor((1, 4), scale=0.05)
    b.operator("ADD", [x, z], [y])
    with pytest.raises(InputError, match="reads 'ghost', which nothing before it writes"):
        _read(b.build([x], [y]))


def test_every_truncation_is_an_error() -> None:
    content = _conv()
    for length in range(0, len(content) - 1, 7):
        with pytest.raises(TinyflowError):
            _read(content[:length])


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_a_mutated_file_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(_conv())
    for _ in range(data.draw(st.integers(1, 6))):
        index = data.draw(st.integers(0, len(content) - 1))
        content[index] = data.draw(st.integers(0, 255))
    try:
        _read(bytes(content))
    except TinyflowError as error:
        assert "net.tflite" in error.message


@pytest.mark.parametrize("kind", ["LEAKY_RELU", "ABS", "QUANTIZE"])
def test_a_scale_of_zero(kind: str) -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.0, name="nothing")
    b.operator(kind, [x], [y])
    with pytest.raises(InputError, match="tensor 'nothing' has the scale 0, which is not"):
        _read(b.build([x], [y]))
