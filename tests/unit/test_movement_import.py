# SPDX-License-Identifier: Apache-2.0
"""Refusals of operators that move elements, and their messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.driver import Case
from tests.conformance.movement import (
    concatenation,
    gather,
    gather_computed,
    pad,
    pad_v2,
    resize,
    reverse,
    space_to_batch,
    split,
    strided_slice,
    tile,
    transpose,
    unpack,
)
from tests.support.first_kernels import select_kernels
from tests.support.tflite_builder import TENSOR_TYPES, TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.tflite.importer import import_model

Change = Callable[[TfliteBuilder], None]


def _import(builder: TfliteBuilder, inputs: list[int], outputs: list[int]) -> None:
    import_model(builder.build(inputs, outputs), Path("model.tflite"), name="model")


def _case(case: Case, change: Change) -> None:
    """Import a case after a change to its builder."""
    builder = TfliteBuilder()
    inputs, outputs = case(builder, np.random.default_rng(0))
    change(builder)
    _import(builder, inputs, outputs)


def _option(**options: int) -> Change:
    def change(builder: TfliteBuilder) -> None:
        for key, value in options.items():
            setattr(builder.subgraph.operators[0].builtinOptions, key, value)

    return change


def _values(tensor: int, *values: int) -> Change:
    def change(builder: TfliteBuilder) -> None:
        buffer = builder.model.buffers[builder.subgraph.tensors[tensor].buffer]
        buffer.data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)

    return change


def _type(tensor: int, dtype: str) -> Change:
    """Another type, and for a constant as many zeros of it."""

    def change(builder: TfliteBuilder) -> None:
        changed = builder.subgraph.tensors[tensor]
        changed.type = TENSOR_TYPES[dtype]
        if changed.buffer:
            count = int(np.prod(changed.shape))
            buffer = builder.model.buffers[changed.buffer]
            buffer.data = np.zeros(count * np.dtype(dtype).itemsize, np.uint8)

    return change


def _other_scale(builder: TfliteBuilder) -> None:
    builder.subgraph.tensors[0].quantization.scale = np.array([0.7], np.float32)


_SLICED = strided_slice((4, 5), (0, 1), (4, 5), (1, 1))


@pytest.mark.parametrize(
    ("case", "change", "words"),
    [
        (concatenation((2, 3), (2, 3), axis=1), _other_scale, "differ in scale"),
        (concatenation((2, 3), (2, 3), axis=1), _option(fusedActivationFunction=1), "activation"),
        (concatenation(*[(1,)] * 11, axis=0), _option(), "11 inputs, at most 10"),
        (_SLICED, _option(ellipsisMask=1), "an ellipsis"),
        (_SLICED, _option(newAxisMask=2), "a new axis"),
        (_SLICED, _values(4, 1, 0), "a stride of 0"),
        (unpack((2, 3), 0), _option(num=3), "2 outputs where its options say 3"),
        (gather_computed((3, 2), (4,), 0), _type(1, "int64"), "indices 'tensor_1' are int64"),
        (gather_computed((3, 2), (4,), 0), _type(1, "int16"), "expected int32"),
        (pad_v2((5,), ((2, 3),)), _type(2, "int32"), "not one element of int8"),
        (tile((2, 3), (2, 2)), _type(2, "int64"), "'tensor_2' is not a constant of int32"),
        (reverse((2, 3, 4), (0, 1)), _values(2, 0, 2**31 - 1), "not neighbours"),
        (resize((1, 2, 2, 1), (4, 4)), _values(2, 4, 5), "another size"),
    ],
)
def test_unsupported(case: Case, change: Change, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        _case(case, change)


@pytest.mark.parametrize(
    ("case", "change", "words"),
    [
        (concatenation((2, 3), (2, 3), axis=1), _option(axis=0), "as a part of"),
        (split((2, 6), 3, 1), _values(4, 5), "axis 5 of a tensor of rank 2"),
        (_SLICED, _values(3, 9, 4), "the output has the shape"),
        (transpose((2, 2), (1, 0)), _values(2, 1, 1), "the order"),
        (gather((3, 2), [0, 1], 0), _values(2, 0, 3), "an index outside of 3"),
        (gather((3, 2), [0, 1], 0), _values(2, -1, 0), "an index outside of 3"),
        (gather((3, 2), [0, 1], 0), _option(batchDims=1), "1 batch dimensions before axis 0"),
        (gather_computed((2, 3), (2, 4), 1), _option(batchDims=3), "3 batch dimensions"),
        (gather_computed((3, 4, 2), (2, 4), 1), _option(batchDims=1), "the batch of indices"),
        (tile((2, 3), (2, 2)), _values(2, 2, 3), "the output has the shape"),
        (tile((2, 3), (2, 2)), _values(2, -2, -2), "the output has the shape"),
    ],
)
def test_damaged(case: Case, change: Change, words: str) -> None:
    with pytest.raises(InputError, match=words):
        _case(case, change)


def test_a_padding_that_tflm_gets_wrong_is_refused() -> None:
    def zero_point(builder: TfliteBuilder) -> None:
        for tensor in builder.subgraph.tensors[:2]:
            tensor.quantization.zeroPoint = np.array([5], np.int64)

    padded = space_to_batch((1, 5, 4, 2), (2, 2), ((1, 0), (0, 0)))
    with pytest.raises(UnsupportedError, match="zero point is not 0"):
        _case(padded, zero_point)


def test_only_some_operators_write_several_tensors() -> None:
    builder = TfliteBuilder()
    source, first, second = (builder.tensor((2, 3), scale=0.1) for _ in range(3))
    builder.operator("RESHAPE", [source], [first, second])
    with pytest.raises(InputError, match="RESHAPE with 2 outputs"):
        _import(builder, [source], [first])


def test_too_many_padded_dimensions() -> None:
    builder = TfliteBuilder()
    inputs, outputs = pad((1,) * 5, ((1, 0),) * 5)(builder, np.random.default_rng(0))
    graph = import_model(builder.build(inputs, outputs), Path("model.tflite"), name="model")
    with pytest.raises(UnsupportedError, match="PAD layer 'tensor_1': 5 padded dimensions, at"):
        select_kernels(graph, load_board("stm32l4r5"), find_cmsis_nn())
