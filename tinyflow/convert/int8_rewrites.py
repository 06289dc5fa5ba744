# SPDX-License-Identifier: Apache-2.0
"""Operators with no int8 form, as others that have one.

The converter leaves such operators in float between DEQUANTIZE and QUANTIZE, or gives them an
int8 form that no reference kernel has. They are rewritten in the calibrated float model, before
its ranges are made into scales.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_OPERATORS = schema.BuiltinOperator
_TYPES = schema.TensorType
_MUL_VERSION, _SELECT_VERSION, _QUANTIZE_VERSION, _COPY_VERSION = 1, 1, 1, 1
#: Operators whose kernel writes numbers of an input's scale, and which input that is: the hidden
#: state of an LSTM.
_UNSCALED = {_OPERATORS.UNIDIRECTIONAL_SEQUENCE_LSTM: 18, _OPERATORS.REVERSE_V2: 0}
#: Operators whose operands and output have one scale, that of the output.
_ONE_SCALE = {_OPERATORS.MAXIMUM, _OPERATORS.MINIMUM, _OPERATORS.SELECT_V2}
#: Operators of one operand whose output has the operand's scale, and gives it its own.
_MOVING = {
    _OPERATORS.EXPAND_DIMS,
    _OPERATORS.GATHER,
    _OPERATORS.RESHAPE,
    _OPERATORS.SLICE,
    _OPERATORS.SQUEEZE,
    _OPERATORS.STRIDED_SLICE,
    _OPERATORS.TRANSPOSE,
}


def rewrite_for_int8(model: Any) -> None:
    """Rewrite the operators of a calibrated float model (`schema.ModelT`) in place.

    - SQUARE(x) becomes MUL(x, x).
    - NEG(x) becomes MUL(x, -1).
    - RELU_N1_TO_1(x) and RELU6(x) become MUL(x, 1) with the activation fused. (The reference
      kernel of RELU6 clamps, but does not bring the input to the output's scale.)
    - SELECT of operands of one shape becomes SELECT_V2.
    - 64-bit constant indices of GATHER become 32-bit ones.
    - Operands of MAXIMUM, MINIMUM and SELECT_V2 that something else reads too become copies in
      the output's range: all of these have one scale, and the converter would give that of the
      output to everything the operands come from, saturating it.
    """
    rewrites: dict[int, Callable[[_Rewriter, Any], None]] = {
        _OPERATORS.SQUARE: lambda at, op: at.multiply(op, op.inputs[0]),
        _OPERATORS.NEG: lambda at, op: at.multiply(op, at.constant(-1.0)),
        _OPERATORS.RELU_N1_TO_1: lambda at, op: at.multiply(
            op, at.constant(1.0), schema.ActivationFunctionType.RELU_N1_TO_1
        ),
        _OPERATORS.RELU6: lambda at, op: at.multiply(
            op, at.constant(1.0), schema.ActivationFunctionType.RELU6
        ),
        _OPERATORS.SELECT: _Rewriter.select_v2,
        _OPERATORS.GATHER: _Rewriter.narrow_indices,
    }
    for subgraph in model.subgraphs:
        rewriter = _Rewriter(model, subgraph)
        for operator in subgraph.operators:
            kind = _kind(model, operator)
            if kind in rewrites:
                rewrites[kind](rewriter, operator)
        rewriter.separate_ranges()


def requantise_outputs(model: Any) -> None:
    """Put a QUANTIZE after each operator whose output has not the scale that its kernel writes.

    And make QUANTIZE of the copies that `rewrite_for_int8` made.

    The converter gives an output the scale that a reader asks for (CONCATENATION does). Not every
    kernel heeds it: an LSTM's writes one number into its hidden state and its output.

    Args:
        model: an int8 model (`schema.ModelT`), changed in place.
    """
    (subgraph,) = model.subgraphs
    operators = []
    for operator in subgraph.operators:
        operators.append(operator)
        if _is_copy(model, operator):
            _become_quantize(model, operator)
        position = _UNSCALED.get(_kind(model, operator))
        if position is None:
            continue
        (output,) = operator.outputs
        source = subgraph.tensors[operator.inputs[position]]
        if _parameters(subgraph.tensors[output]) == _parameters(source):
            continue
        own = copy.copy(subgraph.tensors[output])
        own.name += b"/own_scale"
        own.quantization = source.quantization
        subgraph.tensors.append(own)
        operator.outputs = [len(subgraph.tensors) - 1]
        requantise = schema.OperatorT()
        requantise.inputs, requantise.outputs = list(operator.outputs), [output]
        _become_quantize(model, requantise)
        operators.append(requantise)
    subgraph.operators = operators


def _is_copy(model: Any, operator: Any) -> bool:
    kind = _kind(model, operator)
    return bool(kind == _OPERATORS.LEAKY_RELU and operator.builtinOptions.alpha == 1.0)


def _become_quantize(model: Any, operator: Any) -> None:
    operator.opcodeIndex = operator_code(model, _OPERATORS.QUANTIZE, _QUANTIZE_VERSION)
    operator.builtinOptionsType = schema.BuiltinOptions.NONE
    operator.builtinOptions = None


def _kind(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _parameters(tensor: Any) -> tuple[float, int] | None:
    """Scale and zero point; None for what is not quantised."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None:
        return None
    return float(quantization.scale[0]), int(quantization.zeroPoint[0])


class _Rewriter:
    """Changes operators of one subgraph."""

    def __init__(self, model: Any, subgraph: Any) -> None:
        self._model, self._subgraph = model, subgraph

    def multiply(self, operator: Any, factor: int, activation: int = 0) -> None:
        """Make it MUL of its first input and the tensor `factor`."""
        operator.opcodeIndex = operator_code(self._model, _OPERATORS.MUL, _MUL_VERSION)
        operator.inputs = [operator.inputs[0], factor]
        operator.builtinOptionsType = schema.BuiltinOptions.MulOptions
        operator.builtinOptions = schema.MulOptionsT()
        operator.builtinOptions.fusedActivationFunction = activation

    def constant(self, value: float) -> int:
        """A new tensor of one float."""
        buffer = schema.BufferT()
        buffer.data = list(np.float32(value).tobytes())
        self._model.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.name = f"constant_{value:g}".encode()
        tensor.shape, tensor.type = [1], schema.TensorType.FLOAT32
        tensor.buffer = len(self._model.buffers) - 1
        self._subgraph.tensors.append(tensor)
        return len(self._subgraph.tensors) - 1

    def select_v2(self, operator: Any) -> None:
        """Make it SELECT_V2; for operands of one shape they are the same."""
        shapes = {tuple(self._subgraph.tensors[index].shape) for index in operator.inputs}
        if len(shapes) == 1:
            operator.opcodeIndex = operator_code(self._model, _OPERATORS.SELECT_V2, _SELECT_VERSION)
            operator.builtinOptionsType = schema.BuiltinOptions.SelectV2Options
            operator.builtinOptions = schema.SelectV2OptionsT()

    def separate_ranges(self) -> None:
        """Give shared operands of operators with one scale their own tensor."""
        operators = []
        for operator in self._subgraph.operators:
            if _kind(self._model, operator) in _ONE_SCALE:
                inputs = list(operator.inputs)
                for position, index in enumerate(inputs):
                    if self._is_shared(index):
                        operators.append(self._copy(index, operator.outputs[0]))
                        inputs[position] = operators[-1].outputs[0]
                operator.inputs = inputs
            operators.append(operator)
        self._subgraph.operators = operators

    def _is_shared(self, index: int) -> bool:
        """Whether computed floats are read more than once, as they are or moved."""
        tensor, operators = self._subgraph.tensors[index], self._subgraph.operators
        data = self._model.buffers[tensor.buffer].data
        if tensor.type != _TYPES.FLOAT32 or (data is not None and len(data)):
            return False
        readers = sum(list(operator.inputs).count(index) for operator in operators)
        if readers + list(self._subgraph.outputs).count(index) > 1:
            return True
        return any(
            index in operator.outputs
            and _kind(self._model, operator) in _MOVING
            and self._is_shared(operator.inputs[0])
            for operator in operators
        )

    def _copy(self, index: int, ranged_as: int) -> Any:
        """An operator that gives a tensor's values again, in the range of another tensor.

        LEAKY_RELU with a slope of 1 is one that the converter does not take for superfluous.
        """
        tensor = copy.copy(self._subgraph.tensors[index])
        tensor.name += b"/own_range"
        tensor.quantization = copy.copy(self._subgraph.tensors[ranged_as].quantization)
        self._subgraph.tensors.append(tensor)
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = [index], [len(self._subgraph.tensors) - 1]
        operator.opcodeIndex = operator_code(self._model, _OPERATORS.LEAKY_RELU, _COPY_VERSION)
        operator.builtinOptionsType = schema.BuiltinOptions.LeakyReluOptions
        operator.builtinOptions = schema.LeakyReluOptionsT()
        operator.builtinOptions.alpha = 1.0
        return operator

    def narrow_indices(self, operator: Any) -> None:
        """Make constant int64 indices int32, where they fit."""
        tensor = self._subgraph.tensors[operator.inputs[1]]
        data = self._model.buffers[tensor.buffer].data
        if tensor.type != schema.TensorType.INT64 or data is None or not len(data):
            return
        values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), np.int64)
        if np.abs(values).max() >= 1 << 31:
            return
        buffer = schema.BufferT()
        buffer.data = list(values.astype(np.int32).tobytes())
        self._model.buffers.append(buffer)
        tensor.buffer, tensor.type = len(self._model.buffers) - 1, schema.TensorType.INT32


def operator_code(model: Any, kind: int, version: int) -> int:
    """Return the index of a built-in operator in the model's list, adding it if missing."""
    for index, code in enumerate(model.operatorCodes):
        if kind in (code.builtinCode, code.deprecatedBuiltinCode) and code.version >= version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = kind
    # The older field holds a byte; larger codes are in the newer one alone.
    code.deprecatedBuiltinCode = min(kind, _OPERATORS.PLACEHOLDER_FOR_GREATER_OP_CODES)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
