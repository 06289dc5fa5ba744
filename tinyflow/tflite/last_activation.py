# SPDX-License-Identifier: Apache-2.0
"""The activation at the end of a `.tflite`, which says how its outputs are meant."""

from __future__ import annotations

from typing import Any

from ai_edge_litert.schema_py_generated import BuiltinOperator, Model

_OPERATORS = BuiltinOperator
_NAMES = {
    _OPERATORS.SOFTMAX: "softmax",
    _OPERATORS.LOG_SOFTMAX: "log_softmax",
    _OPERATORS.LOGISTIC: "sigmoid",
    _OPERATORS.TANH: "tanh",
}
#: Operators that pass values on.
_MOVING = {
    _OPERATORS.QUANTIZE, _OPERATORS.DEQUANTIZE, _OPERATORS.RESHAPE, _OPERATORS.SQUEEZE,
    _OPERATORS.EXPAND_DIMS,
}  # fmt: skip


def last_activation(content: bytes) -> str:
    """The name of the activation of the first output; "linear" where it has none.

    An int8 output that ranges over 0 to 1 counts as "sigmoid", whatever computes it: hard_sigmoid
    is no operator of TFLite.
    """
    model = Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    if not graph.OutputsLength():
        return "linear"
    producers = {
        operator.Outputs(position): operator
        for index in range(graph.OperatorsLength())
        for operator in [graph.Operators(index)]
        for position in range(operator.OutputsLength())
    }
    tensor = first = graph.Outputs(0)
    for _ in range(graph.OperatorsLength()):
        operator = producers.get(tensor)
        if operator is None:
            break
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind in _NAMES:
            return _NAMES[kind]
        if kind not in _MOVING or not operator.InputsLength():
            break
        tensor = operator.Inputs(0)
    return "sigmoid" if _is_unit_range(graph.Tensors(first)) else "linear"


def _is_unit_range(tensor: Any) -> bool:
    quantization = tensor.Quantization()
    if quantization is None or quantization.ScaleLength() != 1:
        return False
    zero_point = quantization.ZeroPoint(0) if quantization.ZeroPointLength() else 0
    return zero_point == -128 and 0.98 <= 255 * quantization.Scale(0) <= 1.001
