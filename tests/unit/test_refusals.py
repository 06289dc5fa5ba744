# SPDX-License-Identifier: Apache-2.0
"""Files that cannot be compiled end in one clear error: where it is, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.mixed_model import mixed_model
from tests.support.open_batch import open_signature
from tests.support.stateful_model import stateful_model
from tests.support.svdf_network import svdf_network
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, TinyflowError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.oracle.constants import fold_constants
from tinyflow.tflite.importer import import_model

PATH = Path("net.tflite")


def _read(content: bytes) -> Graph:
    return import_model(fold_constants(content, PATH), PATH, name="net")


def _refusal(content: bytes) -> TinyflowError:
    with pytest.raises(TinyflowError) as caught:
        _read(content)
    return caught.value


def test_a_tensor_without_a_name_is_named_by_its_index() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.0)
    b.operator("RELU", [x], [y])
    for tensor in b.subgraph.tensors:
        tensor.name = None
    assert "net.tflite: tensor 'tensor_1' has the scale 0" in _refusal(b.build([x], [y])).message


@pytest.mark.parametrize("kind", ["CONV_2D", "RELU"])
def test_a_model_of_uint8_is_told_how_to_become_int8(kind: str) -> None:
    b = TfliteBuilder()
    x, y = (b.tensor((1, 4, 4, 2), "uint8", 0.1, 128) for _ in range(2))
    if kind == "RELU":
        b.operator("RELU", [x], [y])
    else:
        w = b.tensor((2, 1, 1, 2), "uint8", 0.1, 128, data=np.ones((2, 1, 1, 2)))
        b.operator("CONV_2D", [x, w, -1], [y], strideH=1, strideW=1)
    error = _refusal(b.build([x], [y]))
    assert isinstance(error, UnsupportedError)
    assert f"{kind} layer" in error.message
    assert "TensorFlow 1" in str(error.hint)
    assert "representative_dataset" in str(error.hint)


def _open_input(shape: tuple[int, ...], signature: tuple[int, ...]) -> bytes:
    b = TfliteBuilder()
    x, y = b.tensor(shape, scale=0.1), b.tensor(shape, scale=0.1)
    open_signature(b, x, *signature)
    open_signature(b, y, *signature)
    b.operator("RELU", [x], [y])
    return b.build([x], [y])


@pytest.mark.parametrize(
    ("shape", "signature"), [((1, 4), (-1, 4)), ((1, 3, 4), (-1, -1, 4)), ((5, 4), (-1, 4))]
)
def test_sizes_that_the_file_fixes_are_taken(
    shape: tuple[int, ...], signature: tuple[int, ...]
) -> None:
    assert next(_read(_open_input(shape, signature)).input_tensors()).shape == shape


@pytest.mark.parametrize(
    ("shape", "signature"), [((1, 1, 4), (-1, -1, 4)), ((0, 4), ()), ((1, 1), (1, -1))]
)
def test_an_input_of_unknown_size_is_told_how_to_get_one(
    shape: tuple[int, ...], signature: tuple[int, ...]
) -> None:
    error = _refusal(_open_input(shape, signature))
    assert isinstance(error, InputError)
    assert "has the dynamic shape" in error.message
    assert "static batch of 1" in str(error.hint)


def _pooled(kind: str = "MAX_POOL_2D", **options: int) -> bytes:
    b = TfliteBuilder()
    x = b.tensor((1, 6, 6, 4), scale=0.1)
    stride = options.get("strideH", 1)
    extent = -(-6 // stride)
    y = b.tensor((1, extent, extent, 4), scale=0.1)
    given: dict[str, Any] = {
        "strideH": 1,
        "strideW": 1,
        "filterHeight": 2,
        "filterWidth": 2,
    } | options
    b.operator(kind, [x], [y], **given)
    return b.build([x], [y])


@pytest.mark.parametrize("kind", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
@pytest.mark.parametrize("extent", [65536, 1 << 20, (1 << 31) - 1])
def test_windows_beyond_what_kernels_count_are_refused(kind: str, extent: int) -> None:
    error = _refusal(_pooled(kind, filterHeight=extent, filterWidth=extent))
    assert isinstance(error, UnsupportedError)
    assert f"{kind} layer 'tensor_1': a padding of {(extent - 1 + 1) // 2}" in error.message
    assert "at most 32767" in error.message
    assert error.hint


def test_windows_of_the_largest_padding_are_read() -> None:
    assert _read(_pooled(filterHeight=65535, filterWidth=65535)).operators


@pytest.mark.parametrize(("field", "what"), [("stride", "stride"), ("dilation", "dilation")])
@pytest.mark.parametrize("value", [1 << 15, 1 << 16, (1 << 31) - 1])
def test_steps_beyond_what_kernels_count_are_refused(field: str, what: str, value: int) -> None:
    b = TfliteBuilder()
    x = b.tensor((1, 1, 1, 4), scale=0.1)
    w = b.tensor((2, 1, 1, 4), scale=0.1, data=np.ones((2, 1, 1, 4)))
    y = b.tensor((1, 1, 1, 2), scale=0.1)
    options: dict[str, Any] = dict.fromkeys(
        ("strideH", "strideW", "dilationHFactor", "dilationWFactor"), 1
    )
    options |= {"strideW": value} if field == "stride" else {"dilationWFactor": value}
    b.operator("CONV_2D", [x, w, -1], [y], **options)
    assert f"a {what} of {value}" in _refusal(b.build([x], [y])).message


def test_more_inputs_than_the_protocol_counts() -> None:
    b = TfliteBuilder()
    inputs = [b.tensor((1, 2), scale=0.1) for _ in range(300)]
    outputs = [b.tensor((1, 2), scale=0.1) for _ in inputs]
    for x, y in zip(inputs, outputs, strict=True):
        b.operator("RELU", [x], [y])
    assert "the model has 300 inputs" in _refusal(b.build(inputs, outputs)).message
    assert "the model has 256 outputs" in _refusal(b.build(inputs[:2], outputs[:256])).message


def test_more_dimensions_than_arrays_have() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1,) * 300, scale=0.1), b.tensor((1,) * 300, scale=0.1)
    b.operator("RELU", [x], [y])
    error = _refusal(b.build([x], [y]))
    assert "'tensor_0' has 300 dimensions" in error.message
    assert error.hint


@pytest.mark.parametrize("multiplier", [0, 2])
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_a_depth_multiplier_that_shapes_contradict(multiplier: int, dtype: str) -> None:
    b = TfliteBuilder()
    scale: dict[str, Any] = {} if dtype == "float32" else {"scale": 0.1}
    x, y = (b.tensor((1, 4, 4, 2), dtype, **scale) for _ in range(2))
    w = b.tensor((1, 1, 1, 2), dtype, data=np.ones((1, 1, 1, 2)), axis=3, **scale)
    options: dict[str, Any] = dict.fromkeys(
        ("strideH", "strideW", "dilationHFactor", "dilationWFactor"), 1
    )
    b.operator("DEPTHWISE_CONV_2D", [x, w, -1], [y], depthMultiplier=multiplier, **options)
    assert f"depth_multiplier is {multiplier}" in _refusal(b.build([x], [y])).message


def test_scales_of_an_activation_that_differ_are_refused() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 2), scale=[0.1, 0.2], axis=1), b.tensor((1, 2), scale=0.1)
    b.operator("RELU", [x], [y])
    assert "quantised per channel" in _refusal(b.build([x], [y])).message


def test_a_scale_without_a_zero_point_is_no_quantisation() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 2), scale=0.1), b.tensor((1, 2), scale=0.1)
    b.operator("RELU", [x], [y])
    b.subgraph.tensors[y].quantization.zeroPoint = None
    assert "'tensor_1' is not quantised per tensor" in _refusal(b.build([x], [y])).message


def test_weights_of_a_product_whose_differences_to_the_zero_point_do_not_fit() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 2), scale=0.1), b.tensor((1, 2), scale=0.1)
    w = b.tensor((2, 2), scale=0.1, zero_point=-9, data=[[1, 120], [2, 3]])
    b.operator("FULLY_CONNECTED", [x, w, -1], [y])
    assert "a zero point other than 0, -9" in _refusal(b.build([x], [y])).message


def test_calls_of_subgraphs_that_call_themselves() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 2), scale=0.1), b.tensor((1, 2), scale=0.1)
    b.operator("CALL_ONCE", [], [], initSubgraphIndex=0)
    b.operator("RELU", [x], [y])
    error = _refusal(b.build([x], [y]))
    assert "CALL_ONCE runs the main subgraph" in error.message
    assert error.hint


@pytest.mark.parametrize("axis", [-5, -1, 0, 1, 9])
@pytest.mark.parametrize("make", [svdf_network, mixed_model, stateful_model])
def test_scales_along_any_axis_of_any_tensor_compile_or_are_refused(
    make: Callable[[], bytes], axis: int
) -> None:
    content = make()
    count = len(schema.ModelT.InitFromPackedBuf(content).subgraphs[0].tensors)
    refused = 0
    for index in range(count):
        model = schema.ModelT.InitFromPackedBuf(content)
        found = model.subgraphs[0].tensors[index].quantization
        if found is None or found.scale is None or not len(found.scale):
            continue
        found.scale = np.array([found.scale[0], 2 * found.scale[0]], np.float32)
        found.zeroPoint = np.array([found.zeroPoint[0]] * 2, np.int64)
        found.quantizedDimension = axis
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        try:
            import_model(bytes(builder.Output()), PATH, name="net")
        except TinyflowError as error:
            assert error.message.startswith("net.tflite: ")
            refused += 1
    assert refused
