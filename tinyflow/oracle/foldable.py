# SPDX-License-Identifier: Apache-2.0
"""Operators of a .tflite that read only constants, and may be computed before an inference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.ir.verifier import MIN_SCALE
from tinyflow.tflite.file import operator_name
from tinyflow.tflite.operator_reader import indices

#: Operators whose outputs depend on nothing but their inputs and options: no state, no random
#: numbers, no subgraph, no effect on anything else.
_PURE = frozenset(
    """
    ABS ADD ADD_N ARG_MAX ARG_MIN BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CAST
    CEIL CONCATENATION COS CUMSUM DENSIFY DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU
    EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER
    GATHER_ND GELU GREATER GREATER_EQUAL HARD_SWISH L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL LOG
    LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MEAN MINIMUM MIRROR_PAD MUL NEG
    NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE RANGE REDUCE_ALL REDUCE_ANY REDUCE_MAX
    REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RIGHT_SHIFT ROUND RSQRT SCATTER_ND SELECT SELECT_V2 SIGN SIN
    SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPARSE_TO_DENSE SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE UNPACK ZEROS_LIKE
    """.split()
)
#: Operators that read the shape of their input, which need not be a constant.
OF_SHAPE = frozenset({"RANK", "SHAPE"})
#: Operators that sum over a whole dimension for each element of the output.
_SUMMING = frozenset({"BATCH_MATMUL", "FULLY_CONNECTED"})
#: Operators behind which a size may be another than the 1 that the converter writes for it.
_OF_SIZE = frozenset({"BATCH_TO_SPACE_ND", "RESHAPE", "SPACE_TO_BATCH_ND", *OF_SHAPE})

#: The element types that are computed, by the schema's codes.
FOLDED_TYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.BOOL: np.dtype(np.bool_),
    schema.TensorType.FLOAT16: np.dtype(np.float16),
    schema.TensorType.FLOAT32: np.dtype(np.float32),
    schema.TensorType.INT8: np.dtype(np.int8),
    schema.TensorType.INT16: np.dtype(np.int16),
    schema.TensorType.INT32: np.dtype(np.int32),
    schema.TensorType.INT64: np.dtype(np.int64),
    schema.TensorType.UINT8: np.dtype(np.uint8),
}
#: Elements of one tensor, and of all results: more than a microcontroller's flash holds.
_MAX_ELEMENTS = 16 << 20
_MAX_TOTAL = 64 << 20
#: Multiply-accumulates of one operator, some seconds of the reference kernels.
_MAX_WORK = 1 << 28
_MAX_RANK = 8


class Foldable:
    """The constants of a model's main subgraph, and the operators that read only them.

    Attributes:
        operators: those of the subgraph (`schema.OperatorT`), in order.
        constants: the tensors whose value is known; whoever folds an operator adds its outputs.
    """

    def __init__(self, model: Any, path: Path) -> None:
        self.model = model
        self.graph = model.subgraphs[0]
        self.tensors = self.graph.tensors or []
        self.operators: list[Any] = list(self.graph.operators or [])
        self._kinds = {id(each): operator_name(model, each, path) for each in self.operators}
        inputs = set(indices(self.graph.inputs))
        written = Counter(index for each in self.operators for index in indices(each.outputs))
        with_data = {i for i, tensor in enumerate(self.tensors) if self._has_data(tensor)}
        self.constants = with_data - inputs - written.keys()
        #: Tensors that exactly one operator writes and that have no other value.
        self._results = {
            index
            for index, count in written.items()
            if count == 1 and 0 <= index < len(self.tensors) and not self.tensors[index].isVariable
        } - (inputs | with_data)
        self._elements_left = _MAX_TOTAL

    def kind(self, operator: Any) -> str:
        """TFLite's name of an operator."""
        return self._kinds[id(operator)]

    def may_have_wrong_sizes(self) -> bool:
        """Whether the sizes that the file has for open ones may be others than the real ones."""
        has_open = any(-1 in indices(self.tensors[i].shapeSignature) for i in self._results)
        return has_open and not _OF_SIZE.isdisjoint(self._kinds.values())

    def zeros_without_scale(self) -> list[int]:
        """The constants that are zeros throughout, with a scale next to 0.

        The converter writes such a scale for what is always 0, such as the first state of an
        unrolled LSTM. With every value at the zero point any scale means the same, but kernels
        divide by it.
        """
        return [index for index in sorted(self.constants) if self._is_unscaled_zero(index)]

    def _is_unscaled_zero(self, index: int) -> bool:
        tensor = self.tensors[index]
        parameters, data = tensor.quantization, self.model.buffers[tensor.buffer].data
        if parameters is None or parameters.scale is None or parameters.zeroPoint is None:
            return False
        if len(parameters.scale) != 1 or len(parameters.zeroPoint) != 1:
            return False
        if tensor.sparsity is not None or not 0 <= parameters.scale[0] < MIN_SCALE:
            return False
        values = np.asarray(data, np.uint8).view(FOLDED_TYPES[tensor.type])
        return bool(np.all(values == parameters.zeroPoint[0]))

    def is_foldable(self, operator: Any) -> bool:
        """Whether an operator reads only what is known already, and is small enough."""
        kind = self.kind(operator)
        inputs, outputs = indices(operator.inputs), indices(operator.outputs)
        if not inputs or not outputs or not self._results.issuperset(outputs):
            return False
        if kind in OF_SHAPE:
            source, output = inputs[0], self.tensors[outputs[0]]
            return (
                len(outputs) == 1
                and 0 <= source < len(self.tensors)
                and self._is_static(source)
                and output.type in (schema.TensorType.INT32, schema.TensorType.INT64)
            )
        read = [index for index in inputs if index != -1]
        return (
            kind in _PURE
            and not indices(operator.intermediates)
            and bool(read)
            and self.constants.issuperset(read)
            and all(self._is_static(index) for index in (*read, *outputs))
            and self._is_bounded(kind, read, outputs)
        )

    def add(self, operator: Any) -> None:
        """Count the outputs of a folded operator among the constants."""
        outputs = indices(operator.outputs)
        self.constants.update(outputs)
        self._elements_left -= sum(self._elements(index) for index in outputs)

    def _is_static(self, index: int) -> bool:
        shape = indices(self.tensors[index].shape)
        return len(shape) <= _MAX_RANK and all(extent >= 1 for extent in shape)

    def _is_bounded(self, kind: str, inputs: Sequence[int], outputs: Sequence[int]) -> bool:
        if any(self.tensors[index].type not in FOLDED_TYPES for index in (*inputs, *outputs)):
            return False
        results = sum(self._elements(index) for index in outputs)
        depth = self._elements(inputs[0]) if kind in _SUMMING else 1
        return (
            max(results, *(self._elements(index) for index in inputs)) <= _MAX_ELEMENTS
            and results * depth <= _MAX_WORK
            and results <= self._elements_left
        )

    def _elements(self, index: int) -> int:
        return math.prod(indices(self.tensors[index].shape))

    def _has_data(self, tensor: Any) -> bool:
        """Whether a tensor is a whole constant, which may be stored sparse."""
        if tensor.isVariable or not 0 <= tensor.buffer < len(self.model.buffers):
            return False
        data, dtype = self.model.buffers[tensor.buffer].data, FOLDED_TYPES.get(tensor.type)
        if data is None or not len(data) or dtype is None:
            return False
        due = math.prod(indices(tensor.shape)) * dtype.itemsize
        return tensor.sparsity is not None or len(data) == due
