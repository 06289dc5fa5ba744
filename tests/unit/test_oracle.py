# SPDX-License-Identifier: Apache-2.0
"""The TFLM oracle: exact on a model small enough to compute by hand, clear when it cannot run."""

from __future__ import annotations

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tinyflow.errors import InputError, TinyflowError, UnsupportedError
from tinyflow.oracle.oracle import Oracle


def add_model(operator: int = schema.BuiltinOperator.ADD, size: int = 8) -> bytes:
    """y = a + b, int8, all scales 1: saturating addition."""

    def tensor(name: str) -> schema.TensorT:
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [1.0], [0]
        found = schema.TensorT()
        found.name, found.shape, found.type = name, [1, size], schema.TensorType.INT8
        found.quantization, found.buffer = quantization, 0
        return found

    node = schema.OperatorT()
    node.opcodeIndex, node.inputs, node.outputs = 0, [0, 1], [2]
    if operator == schema.BuiltinOperator.ADD:
        node.builtinOptionsType = schema.BuiltinOptions.AddOptions
        node.builtinOptions = schema.AddOptionsT()
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = operator, min(operator, 127), 1
    graph = schema.SubGraphT()
    graph.tensors = [tensor(name) for name in ("a", "b", "y")]
    graph.inputs, graph.outputs, graph.operators = [0, 1], [2], [node]
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


A = np.array([[1, -1, 100, -100, 127, -128, 0, 5]], dtype=np.int8)
B = np.array([[2, -2, 100, -100, 127, -128, 0, -5]], dtype=np.int8)


def test_it_runs_a_model_of_two_inputs() -> None:
    oracle = Oracle(add_model())
    for _ in range(2):
        (output,) = oracle.run(A, B)
        assert output.dtype == np.int8
        np.testing.assert_array_equal(output, np.clip(A.astype(int) + B, -128, 127))


def test_outputs_are_copies() -> None:
    oracle = Oracle(add_model())
    (first,) = oracle.run(A, B)
    kept = first.copy()
    oracle.run(B, B)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((A,), r"takes 2 input\(s\), not 1"),
        ((A, B[0]), r"input 1 must be int8 of shape \(1, 8\), not int8 of shape \(8,\)"),
        ((A.astype(np.float32), B), r"input 0 must be int8 of shape \(1, 8\), not float32"),
    ],
)
def test_wrong_inputs_are_refused(inputs: tuple[np.ndarray, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Oracle(add_model()).run(*inputs)


@pytest.mark.parametrize("data", [b"", b"hello world" * 100, add_model()[:100]])
def test_what_is_not_a_model_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"not a \.tflite model"):
        Oracle(data)


def test_an_operator_without_a_reference_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TinyflowError) as caught:
        Oracle(add_model(schema.BuiltinOperator.POW))
    assert isinstance(caught.value, UnsupportedError)
    assert "POW" in caught.value.message
    assert capfd.readouterr().err == ""
