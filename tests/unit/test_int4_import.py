# SPDX-License-Identifier: Apache-2.0
"""Weights of four bits: how they are read, packed and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.conformance import int4
from tests.support.first_kernels import select_kernels
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.ir.types import DType
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.tflite.importer import import_model


def imported(content: bytes) -> Graph:
    return import_model(content, Path("model.tflite"), name="model")


def built(name: str) -> TfliteBuilder:
    builder = TfliteBuilder()
    inputs, outputs = int4.CASES[name](builder, np.random.default_rng(0))
    builder.build(inputs, outputs)
    return builder


@pytest.mark.parametrize("name", ["conv_int4", "fully_connected_int4_odd", "depthwise_int4"])
def test_weights_are_held_unpacked_and_stored_packed(name: str) -> None:
    builder = built(name)
    graph = imported(builder.build(builder.subgraph.inputs, builder.subgraph.outputs))
    (weights,) = (tensor for tensor in graph.tensors if tensor.dtype is DType.INT4)
    assert weights.values.dtype == np.int8
    assert (weights.values.min(), weights.values.max()) == (-8, 7)
    (kernel,) = select_kernels(graph, load_board("stm32l4r5"), find_cmsis_nn())
    packed = next(constant for constant in kernel.constants if constant.suffix == "weights")
    assert packed.size == (weights.elements + 1) // 2
    raw = next(t for t in builder.subgraph.tensors if t.type == schema.TensorType.INT4)
    assert packed.values.tobytes() == builder.model.buffers[raw.buffer].data.tobytes()


def test_a_byte_too_few_is_damage() -> None:
    builder = built("fully_connected_int4_odd")
    raw = next(t for t in builder.subgraph.tensors if t.type == schema.TensorType.INT4)
    buffer = builder.model.buffers[raw.buffer]
    buffer.data = buffer.data[:-1]
    with pytest.raises(InputError, match="has 203 bytes of data for 204; the file is damaged"):
        imported(builder.build(builder.subgraph.inputs, builder.subgraph.outputs))


def test_four_bits_elsewhere_are_refused() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), "int4", 0.1), b.tensor((1, 4), "int4", 0.1)
    b.operator("RELU", [x], [y])
    with pytest.raises(UnsupportedError, match="input 'tensor_0' is int4"):
        imported(b.build([x], [y]))

    b = TfliteBuilder()
    x, y = b.tensor((1, 2, 2, 3), scale=0.1), b.tensor((1, 2, 2, 2), scale=0.1)
    w = b.tensor((2, 1, 1, 3), "int4", 0.1, data=np.ones((2, 1, 1, 3)))
    shape = b.tensor((4,), "int32", data=(1, 2, 2, 2))
    b.operator("TRANSPOSE_CONV", [shape, w, x], [y], strideH=1, strideW=1)
    with pytest.raises(UnsupportedError, match="the weights 'tensor_2' are int4, expected int8"):
        imported(b.build([x], [y]))


def test_a_zero_point_is_refused() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 3), scale=0.1), b.tensor((1, 2), scale=0.1)
    w = b.tensor((2, 3), "int4", 0.1, 1, data=np.ones((2, 3)))
    b.operator("FULLY_CONNECTED", [x, w, -1], [y])
    with pytest.raises(UnsupportedError, match="zero point other than 0"):
        imported(b.build([x], [y]))
