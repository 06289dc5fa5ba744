# SPDX-License-Identifier: Apache-2.0
"""Operators that keep a state between invocations, in portable C."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import Board
from tinyflow.errors import UnsupportedError
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Operator
from tinyflow.ir.quantization import FixedPoint, quantize_multiplier
from tinyflow.ir.state import AssignVariable, CircularBuffer, ReadVariable, SequenceLstm, Svdf
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.numerics.multipliers import output_multiplier

_HEADER = "tinyflow_state.h"

#: Scales of a gate function's input and output (`PrepareGateParametersInteger`).
_GATE_INPUT_SCALE = 2.0**-12
_GATE_OUTPUT_SCALE = 2.0**-15
_GATES = ("input", "forget", "cell", "output")


def read_variable(op: ReadVariable, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """READ_VARIABLE: int8, uint8, int16, int32, float32 or bool, any shape.

    A copy, which later assignments do not change.
    """
    return _copy(op, graph.tensors[op.input])


def assign_variable(
    op: AssignVariable, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """ASSIGN_VARIABLE: int8, uint8, int16, int32, float32 or bool, any shape.

    The value may be computed or a constant.
    """
    source = graph.tensors[op.input]
    constants: tuple[Constant, ...] = ()
    if source.is_constant:
        content = np.frombuffer(source.values.tobytes(), np.uint8)
        constants = (Constant("input", "uint8_t", content, f"bytes of {list(source.shape)}"),)
    return _copy(op, source, constants)


def _copy(op: Operator, source: Tensor, constants: tuple[Constant, ...] = ()) -> Kernel:
    return Kernel(
        op,
        "tinyflow_copy",
        "tinyflow",
        "portable/copy.c.j2",
        {"size": source.size},
        constants=constants,
        header=_HEADER,
    )


def circular_buffer_s8(
    op: CircularBuffer, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """CIRCULAR_BUFFER: int8, batch 1, in every inference (cycles_max of 1).

    The slots are kept from one inference to the next.
    """
    context = {"slot": graph.tensors[op.input].size, "whole": output_of(graph, op).size}
    return Kernel(
        op,
        "tinyflow_circular_buffer_s8",
        "tinyflow",
        "portable/circular_buffer_s8.c.j2",
        context,
        header=_HEADER,
    )


def svdf_s8(op: Svdf, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SVDF: int8, state and time weights int8 or int16, any rank and batch, with a bias.

    As in the reference, a fused RELU shows in the output's zero point alone.
    """
    source, feature, time, state, output = (
        graph.tensors[index] for index in (op.input, op.feature, op.time, op.state, op.output)
    )
    batch, inputs = source.shape
    filters, memory = time.shape
    f32 = np.float32
    # Products of scales in float32 (`PrepareSvdf`).
    with np.errstate(all="ignore"):
        to_state = f32(source.q.scale) * f32(feature.q.scale) / f32(state.q.scale)
        to_output = f32(state.q.scale) * f32(time.q.scale) / f32(output.q.scale)
    constants = [
        Constant("feature", "int8_t", feature.values, f"feature weights {list(feature.shape)}"),
        Constant("time", time.dtype.c_type, time.values, f"time weights {list(time.shape)}"),
    ]
    if op.bias is not None:
        bias = graph.tensors[op.bias].values
        constants.append(Constant("bias", "int32_t", bias, f"bias {list(bias.shape)}"))
    wide = state.dtype is DType.INT16
    return Kernel(
        op,
        "tinyflow_svdf_state_s16_s8" if wide else "tinyflow_svdf_s8",
        "tinyflow",
        "portable/svdf_s8.c.j2",
        {
            "function": "tinyflow_svdf_state_s16_s8" if wide else "tinyflow_svdf_s8",
            "batch": batch,
            "inputs": inputs,
            "units": output.shape[1],
            "rank": op.rank,
            "memory": memory,
            "source": source,
            "state": state,
            "output": output,
            "to_state": _multiplier(op, float(to_state)),
            "to_output": _multiplier(op, float(to_output)),
        },
        constants=tuple(constants),
        macs=batch * filters * (inputs + memory),
        header=_HEADER,
    )


def lstm_s8(op: SequenceLstm, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: int8 with an int16 cell, any batch, either order of the axes.

    Weights are quantised per tensor; the cell's scale is a power of two. There are no peepholes, no
    projection, no layer normalisation, and a separate input gate. The state is kept from one
    inference to the next: begin a new sequence with the model's `init`.
    """
    source, hidden, cell = (graph.tensors[index] for index in (op.input, op.hidden, op.cell))
    first, second, inputs = source.shape
    units = output_of(graph, op).shape[2]
    steps, batch = (first, second) if op.time_major else (second, first)
    constants: list[Constant] = []
    gates: list[dict[str, Any]] = []
    for index, gate in enumerate(_GATES):
        products = {
            "input": (source, graph.tensors[op.from_input[index]], op.biases[index]),
            "hidden": (hidden, graph.tensors[op.from_hidden[index]], None),
        }
        multipliers = {}
        for name, (operand, weights, bias) in products.items():
            added = None if bias is None else graph.tensors[bias].values
            multipliers[name] = _gate_multiplier(op, operand, weights)
            constants += [
                Constant(
                    f"{gate}_{name}_weights",
                    "int8_t",
                    weights.values,
                    f"{gate} gate, weights of the {name} {list(weights.shape)}",
                ),
                Constant(
                    f"{gate}_{name}_bias",
                    "int32_t",
                    _folded(operand, weights, added),
                    f"{gate} gate, bias less the {name}'s zero point times its weights [{units}]",
                ),
            ]
        gates.append({"name": gate, "multipliers": multipliers})
    tanh_multiplier, tanh_shift = _tanh_input(cell)
    return Kernel(
        op,
        "tinyflow_lstm_s8",
        "tinyflow",
        "portable/lstm_s8.c.j2",
        {
            "batch": batch,
            "steps": steps,
            "inputs": inputs,
            "units": units,
            "time_major": op.time_major,
            "gates": gates,
            "clip": _cell_clip(op, cell),
            "kept": quantize_multiplier(_GATE_OUTPUT_SCALE * cell.q.scale / cell.q.scale),
            "new": _multiplier(op, _GATE_OUTPUT_SCALE * _GATE_OUTPUT_SCALE / cell.q.scale),
            "to_hidden": _multiplier(op, _GATE_OUTPUT_SCALE * _GATE_OUTPUT_SCALE / hidden.q.scale),
            "hidden_zero_point": hidden.q.zero_point,
            "tanh_multiplier": tanh_multiplier,
            "tanh_shift": tanh_shift,
        },
        constants=tuple(constants),
        macs=batch * steps * len(_GATES) * units * (inputs + units),
        header=_HEADER,
    )


def _multiplier(op: Operator, real: float) -> FixedPoint:
    if not math.isfinite(real):
        raise UnsupportedError(f"{op.kind} layer {op.name!r}: the scales give no multiplier")
    return output_multiplier(op, real)


def _gate_multiplier(op: Operator, operand: Tensor, weights: Tensor) -> FixedPoint:
    """Return the multiplier of the product's scale, formed in float32
    (`GetQuantizedConvolutionMultipler`).
    """
    with np.errstate(all="ignore"):
        product = float(np.float32(operand.q.scale) * np.float32(weights.q.scale))
    return _multiplier(op, product / _GATE_INPUT_SCALE)


def _folded(
    operand: Tensor, weights: Tensor, bias: NDArray[np.generic] | None
) -> NDArray[np.int32]:
    """The bias less what the operand's zero point adds to each sum; wraps as the sum does."""
    sums: NDArray[np.int64] = weights.values.astype(np.int64).sum(axis=1)
    added = np.zeros_like(sums) if bias is None else bias.astype(np.int64)
    folded: NDArray[np.int32] = (added - operand.q.zero_point * sums).astype(np.int32)
    return folded


def _cell_clip(op: SequenceLstm, cell: Tensor) -> int:
    """The greatest magnitude of the cell; 0 for no limit (`CreateLstmCellStateInfo`)."""
    return int(min(op.cell_clip / cell.q.scale, 32767.0)) if op.cell_clip > 0 else 0


def _tanh_input(cell: Tensor) -> tuple[int, int]:
    """Factor and shift to the right that bring a cell to what the table of tanh is indexed by.

    3/4 of the cell in 2^-12 times 4, as `Tanh` of `lstm_eval.cc` and of `integer_ops/tanh.h`.
    """
    power = math.frexp(cell.q.scale)[1] - 1
    shift = 12 + power
    return (3 << shift, 0) if shift >= 0 else (3, -shift)


KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    AssignVariable: (assign_variable,),
    CircularBuffer: (circular_buffer_s8,),
    ReadVariable: (read_variable,),
    SequenceLstm: (lstm_s8,),
    Svdf: (svdf_s8,),
}
