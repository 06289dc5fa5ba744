# SPDX-License-Identifier: Apache-2.0
"""Writes .tflite files operator by operator, for what no converter is needed for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

#: The schema's codes of element types, by NumPy's names.
TENSOR_TYPES = {
    "int4": schema.TensorType.INT4,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "uint32": schema.TensorType.UINT32,
    "int64": schema.TensorType.INT64,
    "uint64": schema.TensorType.UINT64,
    "float16": schema.TensorType.FLOAT16,
    "float32": schema.TensorType.FLOAT32,
    "bool": schema.TensorType.BOOL,
    "resource": schema.TensorType.RESOURCE,
}
_NO_OPTIONS = {"QUANTIZE", "DEQUANTIZE", "PAD"}


class TfliteBuilder:
    """Tensors and operators are added in order, and named by index.

    They go to the main subgraph, or inside a `further_subgraph` block to that one.
    """

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "test"
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]
        self.subgraph = _empty_subgraph()
        self.model.subgraphs = [self.subgraph]

    @contextmanager
    def further_subgraph(self) -> Iterator[int]:
        """A subgraph without inputs and outputs, by its index."""
        main, self.subgraph = self.subgraph, _empty_subgraph()
        self.model.subgraphs.append(self.subgraph)
        try:
            yield len(self.model.subgraphs) - 1
        finally:
            self.subgraph = main

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        scale: float | Sequence[float] | None = None,
        zero_point: int = 0,
        *,
        data: Any = None,
        axis: int = 0,
        name: str | None = None,
        variable: bool = False,
    ) -> int:
        """Add a tensor; a constant where data is given, quantised where a scale is."""
        tensor = schema.TensorT()
        tensor.name = name or f"tensor_{len(self.subgraph.tensors)}"
        tensor.shape = np.array(shape, np.int32)
        tensor.type = TENSOR_TYPES[dtype]
        tensor.buffer = 0
        tensor.isVariable = variable
        if scale is not None:
            scales = [scale] if isinstance(scale, float) else list(scale)
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array(scales, np.float32)
            tensor.quantization.zeroPoint = np.array([zero_point] * len(scales), np.int64)
            tensor.quantization.quantizedDimension = axis
        if data is not None:
            buffer = schema.BufferT()
            content = _packed(data) if dtype == "int4" else np.asarray(data, dtype).tobytes()
            buffer.data = np.frombuffer(content, np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def operator(
        self,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        intermediates: Any = (),
        **options: Any,
    ) -> None:
        """Add an operator of TFLite's name, its options by their names in the schema."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array(outputs, np.int32)
        if intermediates:
            operator.intermediates = np.array(intermediates, np.int32)
        table = _options_name(kind)
        if table is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(schema, f"{table}T")()
            for key, value in options.items():
                assert hasattr(operator.builtinOptions, key), key
                setattr(operator.builtinOptions, key, value)
        self.subgraph.operators.append(operator)

    def custom(
        self, name: str, inputs: Sequence[int], outputs: Sequence[int], **options: Any
    ) -> None:
        """Add a custom operator, its options by their names in its FlexBuffer."""
        self.operator("CUSTOM", inputs, outputs)
        self.model.operatorCodes[-1].customCode = name.encode()
        content = bytes(flexbuffers.Dumps(options))
        self.subgraph.operators[-1].customOptions = np.frombuffer(content, np.uint8)

    def build(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file's bytes."""
        self.subgraph.inputs = np.array(inputs, np.int32)
        self.subgraph.outputs = np.array(outputs, np.int32)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def _packed(values: Any) -> bytes:
    """Values of four bits, two to a byte, the low one first."""
    bits = [int(value) & 15 for value in np.ravel(values)]
    bits += [0] * (len(bits) % 2)
    return bytes(low | high << 4 for low, high in zip(bits[0::2], bits[1::2], strict=True))


def _empty_subgraph() -> Any:
    subgraph = schema.SubGraphT()
    subgraph.tensors = []
    subgraph.operators = []
    subgraph.inputs = np.zeros(0, np.int32)
    subgraph.outputs = np.zeros(0, np.int32)
    return subgraph


def _options_name(kind: str) -> str | None:
    special = {
        "CONV_2D": "Conv2DOptions",
        "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
        "AVERAGE_POOL_2D": "Pool2DOptions",
        "MAX_POOL_2D": "Pool2DOptions",
        "L2_NORMALIZATION": "L2NormOptions",
        "MEAN": "ReducerOptions",
        "SUM": "ReducerOptions",
        "REDUCE_ALL": "ReducerOptions",
        "L2_POOL_2D": "Pool2DOptions",
        "REDUCE_MAX": "ReducerOptions",
        "REDUCE_MIN": "ReducerOptions",
        "BATCH_MATMUL": "BatchMatMulOptions",
        "SVDF": "SVDFOptions",
        "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    }
    if kind in _NO_OPTIONS:
        return None
    name = special.get(kind) or "".join(word.title() for word in kind.split("_")) + "Options"
    return name if hasattr(schema, f"{name}T") else None
