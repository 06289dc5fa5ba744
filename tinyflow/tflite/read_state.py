# SPDX-License-Identifier: Apache-2.0
"""Readers of the operators of a .tflite that keep a state, and the limits of what is accepted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.ir.operators import Operator, TensorId
from tinyflow.ir.state import AssignVariable, CircularBuffer, ReadVariable, SequenceLstm, Svdf
from tinyflow.ir.types import Activation, DType
from tinyflow.tflite.operator_reader import OperatorReader, Read, indices

#: The 24 operands of a sequence LSTM, by what they are; the other ones TFLM knows by no kernel.
_LSTM_OPERANDS = 24
_LSTM_ABSENT = {
    "peephole weights": range(9, 12),
    "a projection": range(16, 18),
    "layer normalisation": range(20, 24),
}
#: Powers of two that the cell's scale may be, for which the reference's shifts are defined.
_LEAST_CELL_POWER, _GREATEST_CELL_POWER = -30, 2
#: Below it a hidden state of full scale has no fixed-point multiplier.
_LEAST_HIDDEN_SCALE = 2.0**-30
#: Tolerance of the bias's scale against the product of those of the state and the time weights.
_SVDF_BIAS_TOLERANCE = 1e-5


def _read_variable(at: OperatorReader) -> Operator:
    return ReadVariable(at.name, at.variable(0), at.output)


def _assign_variable(at: OperatorReader) -> Operator:
    return AssignVariable(at.name, at.input(1), at.variable(0))


def _state(at: OperatorReader, position: int, dtype: DType) -> TensorId:
    """A variable tensor of that type, quantised per tensor."""
    index = at.input(position)
    tensor = at.tensors[index]
    if not tensor.is_state or index in at.handles:
        raise at.refuse(f"the state {tensor.name!r} is not a variable tensor")
    if tensor.dtype is not dtype:
        raise at.refuse(
            f"the state {tensor.name!r} is {tensor.dtype.value}, expected {dtype.value}"
        )
    at.per_tensor(index)
    return index


def _svdf(at: OperatorReader) -> Operator:
    options = at.options(schema.SVDFOptionsT)
    at.int8(at.input(0), at.output)
    count = len(indices(at.operator.inputs))
    if count != 5:
        raise at.refuse(f"{count} inputs, expected 5")
    if options.rank < 1:
        raise at.refuse(f"rank {options.rank}")
    if at.activation(options.fusedActivationFunction) not in (Activation.NONE, Activation.RELU):
        raise at.refuse("a fused activation other than RELU")
    at.weights(at.input(1), axis=0)
    at.per_tensor(at.input(1))
    at.per_tensor(at.input(2))
    time = at.tensors[at.input(2)]
    if time.data is None or time.dtype not in (DType.INT8, DType.INT16) or time.q.zero_point:
        raise at.refuse(f"the time weights {time.name!r} are not int8 or int16 constants around 0")
    bias = at.bias(3)
    if bias is None:
        raise at.refuse("no bias, which the reference wants")
    state = _state(at, 4, time.dtype)
    due = float(np.float32(at.tensors[state].q.scale) * np.float32(time.q.scale))
    quantization = at.tensors[bias].quantization
    scale = 0.0 if quantization is None else quantization.scales[0]
    if not abs(scale - due) < _SVDF_BIAS_TOLERANCE:
        raise at.refuse(f"the bias's scale is {scale}, expected {due}")
    return Svdf(
        at.name,
        *(at.input(0), at.input(1), at.input(2), bias, state, at.output),
        int(options.rank),
    )


def _sequence_lstm(at: OperatorReader) -> Operator:
    options = at.options(schema.UnidirectionalSequenceLSTMOptionsT)
    at.int8(at.input(0), at.output)
    count = len(indices(at.operator.inputs))
    if count != _LSTM_OPERANDS:
        raise at.refuse(f"{count} inputs, expected {_LSTM_OPERANDS}")
    for what, positions in _LSTM_ABSENT.items():
        if any(at.optional_input(position) is not None for position in positions):
            raise at.refuse(f"{what}")
    if at.optional_input(1) is None and at.optional_input(5) is None:
        raise at.refuse("coupled input and forget gates (no input gate)")
    if options.diagonalRecurrentTensors:
        raise at.refuse("diagonal recurrent weights")
    if options.fusedActivationFunction != schema.ActivationFunctionType.TANH:
        raise at.refuse(f"the activation {options.fusedActivationFunction}, expected TANH")
    clip = float(np.float32(options.cellClip))
    if not math.isfinite(clip):
        raise at.refuse(f"the cell is clipped at {clip}")
    weights = [at.input(position) for position in range(1, 9)]
    for index in weights:
        at.weights(index, axis=0)
        at.per_tensor(index)
    biases = []
    for position in range(12, 16):
        at.input(position)
        biases += [index for index in [at.bias(position)] if index is not None]
    hidden, cell = _state(at, 18, DType.INT8), _state(at, 19, DType.INT16)
    if at.tensors[hidden].q.scale < _LEAST_HIDDEN_SCALE:
        raise at.refuse("the hidden state's scale is below 2^-30")
    fraction, exponent = math.frexp(at.tensors[cell].q.scale)
    if fraction != 0.5 or not _LEAST_CELL_POWER <= exponent - 1 <= _GREATEST_CELL_POWER:
        raise at.refuse(
            f"the cell's scale is {at.tensors[cell].q.scale}, expected a power of two from "
            f"2^{_LEAST_CELL_POWER} to 2^{_GREATEST_CELL_POWER}"
        )
    return SequenceLstm(
        at.name,
        at.input(0),
        tuple(weights[:4]),
        tuple(weights[4:]),
        tuple(biases),
        *(hidden, cell, at.output),
        bool(options.timeMajor),
        clip,
    )


#: Slots with which TFLM takes a period that is not given for 1 (`CircularBufferPrepare`).
_SLOTS_OF_PERIOD_1 = (5, 13, 25)


def _circular_buffer(at: OperatorReader) -> Operator:
    (source,), (output,) = at.operands(1), at.results(1)
    at.typed(source, DType.INT8)
    at.typed(output, DType.INT8)
    at.computed(source)
    shape = at.tensors[source].shape
    if len(shape) != 4 or shape[:2] != (1, 1):
        raise at.refuse(f"an input of {list(shape)}, expected one slot: [1, 1, width, channels]")
    whole = at.tensors[output]
    if whole.initial is None or output in at.handles:
        raise at.refuse(
            f"its output {whole.name!r} is no variable tensor, in which TFLM keeps the slots"
        )
    has_options = at.operator.customOptions is not None and len(at.operator.customOptions) > 0
    period = at.custom_options("cycles_max")["cycles_max"] if has_options else 0
    if period <= 0 and whole.shape[1] not in _SLOTS_OF_PERIOD_1:
        raise at.refuse(
            "no cycles_max, for which TFLM takes 1 or 2 by what it has loaded before",
            "Convert the model with cycles_max = 1.",
        )
    if period > 1:
        raise at.refuse(
            f"cycles_max is {period}: TFLM ends all but every {_nth(period)} inference here, "
            "without an output",
            "Cut the model behind this operator, build both parts, and call the second one after "
            f"every {_nth(period)} call of the first.",
        )
    # What others read is the output of this inference; between inferences the slots are kept.
    at.tensors[output] = replace(whole, initial=None)
    return CircularBuffer(at.name, source, at.internal_state("slots", whole.initial), output)


def _nth(number: int) -> str:
    suffixes = {1: "st", 2: "nd", 3: "rd"}
    teens = number // 10 % 10 == 1
    return f"{number}{'th' if teens else suffixes.get(number % 10, 'th')}"


READERS: dict[str, Read] = {
    "ASSIGN_VARIABLE": _assign_variable,
    "CIRCULAR_BUFFER": _circular_buffer,
    "READ_VARIABLE": _read_variable,
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _sequence_lstm,
}
