# SPDX-License-Identifier: Apache-2.0
"""Constant folding: what is computed before the import, by whom, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.open_batch import flattened, open_signature, shape_chain
from tests.support.stateful_model import stateful_model
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.oracle.constants import fold_constants, reference
from tinyflow.oracle.process import Oracle
from tinyflow.tflite.file import operator_name, parse_tflite
from tinyflow.tflite.importer import import_model

PATH = Path("net.tflite")


def _kinds(content: bytes) -> list[str]:
    model = parse_tflite(content, PATH)
    return [operator_name(model, each, PATH) for each in model.subgraphs[0].operators]


def _read(content: bytes) -> Graph:
    return import_model(fold_constants(content, PATH), PATH, name="net")


def test_a_chain_from_a_shape_to_a_reshape_is_gone() -> None:
    content = flattened()
    folded = fold_constants(content, PATH)
    assert _kinds(content) == ["RELU", "SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE"]
    assert _kinds(folded) == ["RELU", "RESHAPE"]
    sample = np.arange(48, dtype=np.int8).reshape(1, 4, 4, 3)
    assert np.array_equal(Oracle(content).run(sample), Oracle(folded).run(sample))
    assert len(_read(content).operators) == 2


def test_a_file_with_nothing_to_fold_is_the_same_object() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 3), scale=0.1), b.tensor((1, 3), scale=0.1)
    b.operator("RELU", [x], [y])
    content = b.build([x], [y])
    assert fold_constants(content, PATH) is content


def test_states_are_never_folded() -> None:
    content = stateful_model()
    assert _kinds(fold_constants(content, PATH)) == _kinds(content)


def test_what_reads_a_variable_is_not_folded() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 2), scale=0.1), b.tensor((1, 2), scale=0.1)
    kept = b.tensor((1, 2), scale=0.1, variable=True)
    doubled = b.tensor((1, 2), scale=0.1)
    b.operator("ADD", [kept, kept], [doubled])
    b.operator("ADD", [x, doubled], [y])
    content = b.build([x], [y])
    assert fold_constants(content, PATH) is content


def _with_constant(make: Callable[[TfliteBuilder], int]) -> bytes:
    """An ADD of the input and of a constant [1, 4] of scale 0.1 that is computed."""
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.2)
    b.operator("ADD", [x, make(b)], [y])
    return b.build([x], [y])


def _tile(b: TfliteBuilder) -> int:
    values, times = (
        b.tensor((1, 2), scale=0.1, data=[[3, -4]]),
        b.tensor((2,), "int32", data=[1, 2]),
    )
    result = b.tensor((1, 4), scale=0.1)
    b.operator("TILE", [values, times], [result])
    return result


def _transpose_of_quantize(b: TfliteBuilder) -> int:
    values = b.tensor((4, 1), "float32", data=[[0.1], [0.25], [-0.3], [9.0]])
    quantised = b.tensor((4, 1), scale=0.1)
    b.operator("QUANTIZE", [values], [quantised])
    result, order = b.tensor((1, 4), scale=0.1), b.tensor((2,), "int32", data=[1, 0])
    b.operator("TRANSPOSE", [quantised, order], [result])
    return result


def _half(b: TfliteBuilder) -> int:
    """Weights in float16 behind DEQUANTIZE, which TFLM has no kernel for."""
    values, wide = b.tensor((1, 4), "float16", data=[[0.1, 1, 2, -3]]), b.tensor((1, 4), "float32")
    b.operator("DEQUANTIZE", [values], [wide])
    result = b.tensor((1, 4), scale=0.1)
    b.operator("QUANTIZE", [wide], [result])
    return result


def _range(b: TfliteBuilder) -> int:
    """RANGE, which TFLM lacks, then CAST, MUL, RESHAPE and QUANTIZE."""
    ends = [b.tensor((), "int32", data=value) for value in (0, 4, 1)]
    numbers, floats = b.tensor((4,), "int32"), b.tensor((4,), "float32")
    b.operator("RANGE", ends, [numbers])
    b.operator("CAST", [numbers], [floats], inDataType=2, outDataType=0)
    half, scaled = b.tensor((1,), "float32", data=[0.5]), b.tensor((4,), "float32")
    b.operator("MUL", [floats, half], [scaled])
    shape, row = b.tensor((2,), "int32", data=[1, 4]), b.tensor((1, 4), "float32")
    b.operator("RESHAPE", [scaled, shape], [row])
    result = b.tensor((1, 4), scale=0.1)
    b.operator("QUANTIZE", [row], [result])
    return result


def _fill_and_split(b: TfliteBuilder) -> int:
    dims, value = b.tensor((2,), "int32", data=[2, 4]), b.tensor((), "float32", data=0.7)
    filled = b.tensor((2, 4), "float32")
    b.operator("FILL", [dims, value], [filled])
    axis, parts = b.tensor((), "int32", data=0), [b.tensor((1, 4), "float32") for _ in range(2)]
    b.operator("SPLIT", [axis, filled], parts, numSplits=2)
    result = b.tensor((1, 4), scale=0.1)
    b.operator("QUANTIZE", [parts[1]], [result])
    return result


@pytest.mark.parametrize(
    ("make", "due"),
    [
        (_tile, [3, -4, 3, -4]),
        (_transpose_of_quantize, [1, 3, -3, 90]),
        (_half, [1, 10, 20, -30]),
        (_range, [0, 5, 10, 15]),
        (_fill_and_split, [7, 7, 7, 7]),
    ],
)
def test_operators_on_constants_are_computed(
    make: Callable[[TfliteBuilder], int], due: list[int]
) -> None:
    content = _with_constant(make)
    (add,) = (graph := _read(content)).operators
    _, right = add.inputs()
    # 0.25 / 0.1 lies between two steps; both libraries round it away from 0.
    assert graph.tensors[right].values.ravel().tolist() == due
    sample = np.array([[1, -2, 3, 100]], np.int8)
    folded = Oracle(fold_constants(content, PATH)).run(sample)
    assert np.array_equal(reference(content).run(sample), folded)


def test_what_neither_library_computes_stays() -> None:
    def unequal(b: TfliteBuilder) -> int:
        values, shape = (
            b.tensor((1, 3), scale=0.1, data=[[1, 2, 3]]),
            b.tensor((2,), "int32", data=[1, 4]),
        )
        result = b.tensor((1, 4), scale=0.1)
        b.operator("RESHAPE", [values, shape], [result])
        return result

    content = _with_constant(unequal)
    assert _kinds(fold_constants(content, PATH)) == ["RESHAPE", "ADD"]
    with pytest.raises(UnsupportedError, match="RESHAPE layer"):
        _read(content)


def test_a_result_larger_than_any_flash_is_not_computed() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.1)
    b.operator("RELU", [x], [y])
    dims, value = b.tensor((2,), "int32", data=[1 << 14, 1 << 13]), b.tensor((), "int32", data=1)
    huge = b.tensor((1 << 14, 1 << 13), "int32")
    b.operator("FILL", [dims, value], [huge])
    content = b.build([x], [y])
    assert fold_constants(content, PATH) is content


def test_kernels_that_crash_are_one_clear_error() -> None:
    def without_scale(b: TfliteBuilder) -> int:
        operands = [b.tensor((1, 4), scale=0.0, data=[[1, 2, 3, 4]]) for _ in range(2)]
        result = b.tensor((1, 4), scale=0.1)
        b.operator("ADD", operands, [result])
        return result

    with pytest.raises(InputError, match=r"constants cannot be computed: .*crashed with SIGABRT"):
        fold_constants(_with_constant(without_scale), PATH)


def test_an_output_that_no_input_changes_is_refused() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.1)
    b.operator("RELU", [x], [y])
    constant = _tile(b)
    with pytest.raises(UnsupportedError, match="output 'tensor_4' is a constant: no input changes"):
        _read(b.build([x], [y, constant]))


def _repeated(times: int = 2) -> bytes:
    """Each element twice, with an open batch: the converter writes 1 for what it does not know."""
    b = TfliteBuilder()
    x = b.tensor((1, 3), scale=0.1)
    open_signature(b, x, -1, 3)
    wide = b.tensor((1, 3 * times), scale=0.1)
    open_signature(b, wide, -1, 3 * times)
    count = b.tensor((2,), "int32", data=[1, times])
    b.operator("TILE", [x, count], [wide])
    flat = b.tensor((1,), scale=0.1)
    open_signature(b, flat, -1)
    size = b.tensor((1,), "int32", data=[-1])
    b.operator("RESHAPE", [wide, size], [flat])
    y = b.tensor((1, 3 * times), scale=0.1)
    open_signature(b, y, -1, 3 * times)
    b.operator("RESHAPE", [flat, shape_chain(b, wide, 3 * times)], [y])
    return b.build([x], [y])


def test_open_sizes_get_the_values_that_they_have_when_the_model_runs() -> None:
    content = _repeated()
    graph = _read(content)
    assert [graph.tensors[index].shape for op in graph.operators for index in op.outputs()] == [
        (1, 6),
        (6,),
        (1, 6),
    ]
    (found,) = reference(content).run(np.array([[1, 2, 3]], np.int8))
    assert found.tolist() == [[1, 2, 3, 1, 2, 3]]


def test_a_size_that_stays_open_is_told_with_the_cure() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 3), scale=0.1), b.tensor((1, 1), scale=0.1)
    open_signature(b, y, -1, 1)
    size = b.tensor((2,), "int32", data=[3, 2])  # of 3 elements
    b.operator("RESHAPE", [x, size], [y])
    with pytest.raises(InputError, match="different numbers of elements") as caught:
        _read(b.build([x], [y]))
    assert "static batch of 1" in str(caught.value.hint)


def _sum_with_zeros(scale: float, value: int = 0) -> bytes:
    b = TfliteBuilder()
    x, y = b.tensor((1, 2), scale=0.1), b.tensor((1, 2), scale=0.1)
    zeros = b.tensor((1, 2), scale=scale, data=[[value, 0]])
    b.operator("ADD", [x, zeros], [y])
    return b.build([x], [y])


@pytest.mark.parametrize("scale", [0.0, 4.6e-41])
def test_zeros_without_a_scale_are_zeros(scale: float) -> None:
    content = _sum_with_zeros(scale)
    assert _read(content).operators
    (found,) = reference(content).run(np.array([[5, -6]], np.int8))
    assert found.tolist() == [[5, -6]]


def test_other_constants_without_a_scale_are_refused() -> None:
    with pytest.raises(InputError, match="has the scale 0, which is not"):
        _read(_sum_with_zeros(0.0, value=7))


def test_tensors_that_only_folded_operators_read_may_have_any_type() -> None:
    graph = _read(_with_constant(_half))
    assert not any(tensor.size > 16 for tensor in graph.tensors)


def test_a_damaged_chain_is_left_to_the_importer() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 3), scale=0.1), b.tensor((1, 3), scale=0.1)
    shape: Any = b.tensor((2,), "int8")
    b.operator("SHAPE", [x], [shape], outType=9)
    b.operator("RESHAPE", [x, shape], [y])
    content = b.build([x], [y])
    assert fold_constants(content, PATH) is content
