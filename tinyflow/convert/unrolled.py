# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers as the operators of their steps, once for every step.

Each step's operators lie in their own name scope. `share_step_ranges` goes by it to give the
steps the same quantisation, so that in the generated C they share their constants.

Imports Keras, hence TensorFlow: called in worker processes only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyflow.arrays import Array

#: Activations that work on each element by itself, so that several gates may share one.
_ELEMENTWISE = frozenset(
    "elu exponential gelu hard_sigmoid hard_silu hard_tanh leaky_relu linear relu relu6 selu "
    "sigmoid silu softplus softsign tanh".split()
)
_STEP = "unrolled_step_{}_"
_STEP_PATTERN = re.compile(_STEP.format(r"\d+"))
#: The state of a cell, its output first; None for zeros.
_State = tuple[Any, ...] | None


@dataclass(frozen=True)
class _Steps:
    """A cell taken apart.

    Attributes:
        projections: kernel and bias of each projection of the input, made for all moments at
            once.
        step: the projected inputs of one moment and the state before it, to the state after it.
    """

    projections: list[tuple[Array, Array]]
    step: Callable[[tuple[Any, ...], _State], tuple[Any, ...]]


def unroll_cell(
    cell: Any, sequences: Any, initial_state: list[Any], *, from_zero: bool
) -> tuple[Any, Any, list[Any]]:
    """Run a cell of Keras over the moments of a sequence, in a graph without a loop.

    Args:
        cell: any cell; GRU, LSTM and SimpleRNN in fewer operators than Keras's own.
        sequences: (1, time, ...), in the order in which the cell takes them.
        initial_state: as the cell takes it.
        from_zero: the initial state is known to be zeros.

    Returns:
        The last output, all outputs (1, time, ...), the last state.
    """
    import tensorflow as tf

    make = _step_maker(cell)
    if make is None:
        outputs, state = _whole_steps(cell, tf.unstack(sequences, axis=1), initial_state)
    else:
        steps = make(cell)
        projected = [
            tf.unstack(tf.tensordot(sequences, tf.constant(kernel), 1) + bias, axis=1)
            for kernel, bias in steps.projections
        ]
        state = None if from_zero else tuple(initial_state)
        outputs = []
        for index, moment in enumerate(zip(*projected, strict=True)):
            with tf.name_scope(_STEP.format(index)):
                state = steps.step(moment, state)
            outputs.append(state[0])
    return outputs[-1], tf.stack(outputs, axis=1), list(state)


def _whole_steps(cell: Any, moments: list[Any], state: Any) -> tuple[list[Any], Any]:
    import tensorflow as tf

    outputs = []
    for index, moment in enumerate(moments):
        with tf.name_scope(_STEP.format(index)):
            output, state = cell(moment, state)
        outputs.append(output)
    return outputs, state


def distribute_over_time(layer: Any) -> None:
    """Let a TimeDistributed call its layer on all moments at once, or moment by moment."""
    import keras
    import tensorflow as tf

    def call(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if isinstance(layer.layer, keras.layers.Dense | keras.layers.Dropout):
            return layer.layer(inputs)
        outputs = []
        for index, moment in enumerate(tf.unstack(inputs, axis=1)):
            with tf.name_scope(_STEP.format(index)):
                outputs.append(layer.layer(moment))
        return tf.stack(outputs, axis=1)

    layer.call = call


def share_step_ranges(model: Any) -> None:
    """Give each tensor of an unrolled step the range that it has over all steps.

    Args:
        model: a calibrated float model (`schema.ModelT`), its ranges not yet made into scales;
            changed in place.
    """
    groups: dict[str, list[Any]] = {}
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            name, seen = tensor.name.decode(), tensor.quantization
            if _STEP_PATTERN.search(name) and seen is not None and seen.min is not None:
                groups.setdefault(_STEP_PATTERN.sub("step", name), []).append(seen)
    for ranges in groups.values():
        low = min(float(np.min(seen.min)) for seen in ranges)
        high = max(float(np.max(seen.max)) for seen in ranges)
        for seen in ranges:
            seen.min, seen.max = [low], [high]


def _step_maker(cell: Any) -> Callable[[Any], _Steps] | None:
    """Return how to split a cell into steps; None for cells that are only known whole."""
    import keras

    makers: dict[type, Callable[[Any], _Steps]] = {
        keras.layers.GRUCell: _gru_steps,
        keras.layers.LSTMCell: _lstm_steps,
        keras.layers.SimpleRNNCell: _simple_steps,
    }
    make = makers.get(type(cell))
    if make is None:
        return None
    activations = {cell.activation, getattr(cell, "recurrent_activation", cell.activation)}
    names = {getattr(activation, "__name__", "") for activation in activations}
    return make if names <= _ELEMENTWISE else None


def cell_weights(cell: Any) -> tuple[Array, Array, Array]:
    """Kernel, recurrent kernel and bias of a cell, the bias zeros where it has none."""
    import tensorflow as tf

    # Out of the function being traced, where variables have values.
    with tf.init_scope():
        kernel, recurrent = np.asarray(cell.kernel), np.asarray(cell.recurrent_kernel)
        zeros = np.zeros(kernel.shape[1:], np.float32)
        return kernel, recurrent, zeros if cell.bias is None else np.asarray(cell.bias)


def _gru_steps(cell: Any) -> _Steps:
    """GRU in eleven operators a step, its blend as h' + z (h - h')."""
    import tensorflow as tf

    kernel, recurrent, bias = cell_weights(cell)
    gates = slice(None, 2 * cell.units)
    candidate = slice(2 * cell.units, None)
    input_bias, recurrent_bias = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    gates_kernel = tf.constant(recurrent[:, gates])
    candidate_kernel = tf.constant(recurrent[:, candidate])
    candidate_bias = recurrent_bias[candidate]

    def candidate_input(reset: Any, hidden: Any) -> Any:
        """Return the past's contribution to the candidate, for a past that is not zeros."""
        if not cell.reset_after:
            return tf.matmul(tf.multiply(reset, hidden, name="kept"), candidate_kernel)
        with tf.name_scope("recurrent_candidate"):
            past = tf.matmul(hidden, candidate_kernel) + candidate_bias
        return tf.multiply(reset, past, name="kept")

    def step(inputs: tuple[Any, ...], state: _State) -> tuple[Any, ...]:
        past = None
        if state is not None:
            past_gates = tf.matmul(state[0], gates_kernel, name="past_gates")
            both = _activate(cell.recurrent_activation, inputs[0], past_gates, "gates")
            update, reset = tf.split(both, 2, axis=-1)
            past = candidate_input(reset, state[0])
        elif cell.reset_after and candidate_bias.any():
            both = _activate(cell.recurrent_activation, inputs[0], None, "gates")
            update, reset = tf.split(both, 2, axis=-1)
            past = tf.multiply(reset, candidate_bias, name="kept")
        else:
            # A gate that nothing reads would have no range.
            own = inputs[0][:, : cell.units]
            update = _activate(cell.recurrent_activation, own, None, "gates")
        new = _activate(cell.activation, inputs[1], past, "candidate")
        if state is None:
            return (tf.subtract(new, tf.multiply(update, new, name="blend_0"), name="hidden"),)
        change = tf.subtract(state[0], new, name="change")
        return (tf.add(new, tf.multiply(update, change, name="blend"), name="hidden"),)

    return _Steps(
        [
            (kernel[:, gates], (input_bias + recurrent_bias)[gates]),
            (kernel[:, candidate], input_bias[candidate]),
        ],
        step,
    )


def _lstm_steps(cell: Any) -> _Steps:
    """LSTM in twelve operators a step; one activation is shared by the three gates."""
    import tensorflow as tf

    units = cell.units
    columns = np.arange(4 * units).reshape(4, units)
    gates, candidate = columns[[1, 0, 3]].ravel(), columns[2]
    kernel, recurrent, bias = cell_weights(cell)
    gates_kernel = tf.constant(recurrent[:, gates])
    candidate_kernel = tf.constant(recurrent[:, candidate])

    def step(inputs: tuple[Any, ...], state: _State) -> tuple[Any, ...]:
        if state is None:
            # Nothing to forget; a gate that nothing reads would have no range.
            read = _activate(cell.recurrent_activation, inputs[0][:, units:], None, "gates")
            update, output = tf.split(read, 2, axis=-1)
            new = _activate(cell.activation, inputs[1], None, "candidate")
            carry = tf.multiply(update, new, name="written")
        else:
            past_gates = tf.matmul(state[0], gates_kernel, name="past_gates")
            past = tf.matmul(state[0], candidate_kernel, name="past_candidate")
            read = _activate(cell.recurrent_activation, inputs[0], past_gates, "gates")
            forget, update, output = tf.split(read, 3, axis=-1)
            new = _activate(cell.activation, inputs[1], past, "candidate")
            written = tf.multiply(update, new, name="written")
            carry = tf.add(tf.multiply(forget, state[1], name="kept"), written, name="carry")
        shown = _activate(cell.activation, carry, None, "shown")
        return tf.multiply(output, shown, name="hidden"), carry

    return _Steps([(kernel[:, gates], bias[gates]), (kernel[:, candidate], bias[candidate])], step)


def _simple_steps(cell: Any) -> _Steps:
    import tensorflow as tf

    kernel, recurrent, bias = cell_weights(cell)
    recurrent_kernel = tf.constant(recurrent)

    def step(inputs: tuple[Any, ...], state: _State) -> tuple[Any, ...]:
        past = None if state is None else tf.matmul(state[0], recurrent_kernel, name="past")
        return (_activate(cell.activation, inputs[0], past, "hidden"),)

    return _Steps([(kernel, bias)], step)


def _activate(activation: Callable[[Any], Any], present: Any, past: Any, name: str) -> Any:
    import tensorflow as tf

    with tf.name_scope(name):
        return activation(present if past is None else tf.add(present, past))
