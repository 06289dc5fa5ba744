# SPDX-License-Identifier: Apache-2.0
"""Preparation of Keras's recurrent layers for the TFLite converter.

Left alone, they are loops over a graph, which the converter cannot quantise. Each layer's loop is
replaced here, on the loaded model, by one of two forms that it can:

- fused: a function that the converter takes for UNIDIRECTIONAL_SEQUENCE_LSTM (an LSTM with
  Keras's own activations). Weights once, one operator, int16 cell state. The operator keeps its
  state from one inference to the next; `state.py` marks the model where it should not.
- unrolled: the operators of a step, once for every step (GRU, SimpleRNN, any other LSTM, any
  other cell); see `unrolled.py`.

Imports Keras, hence TensorFlow: called in worker processes only.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.convert.unrolled import cell_weights, distribute_over_time, unroll_cell
from tinyflow.errors import UnsupportedError


@dataclass(frozen=True)
class Recurrence:
    """Result of `prepare_recurrent`.

    Attributes:
        fused: some LSTM may have become the fused operator.
        stateful: the fused layers keep their state between inferences; otherwise each
            inference starts from zeros.
    """

    fused: bool = False
    stateful: bool = False


def prepare_recurrent(path: Path, model: Any) -> Recurrence:
    """Replace the loops of the model's recurrent layers and of TimeDistributed, in place.

    Raises:
        UnsupportedError: a stateful layer that cannot keep its state on the device. A layer
            that is given a mask raises it when the model is called.
    """
    import keras

    layers = list(model._flatten_layers(include_self=False, recursive=True))
    for layer in layers:
        if isinstance(layer, keras.layers.TimeDistributed):
            distribute_over_time(layer)
    recurrent = [layer for layer in layers if isinstance(layer, keras.layers.RNN)]
    stateful = [layer for layer in recurrent if layer.stateful]
    for layer in stateful:
        if not _fusible(layer):
            raise UnsupportedError(
                f"{path}: the stateful {type(layer).__name__} layer {layer.name!r}: only an LSTM "
                "with Keras's own activations, without return_state, can keep its state",
                hint="Use such an LSTM, or stateful=False.",
            )
    # All state is kept or none is: where some layer keeps its own, the others must be unrolled.
    fused = stateful or [layer for layer in recurrent if _fusible(layer)]
    for layer in recurrent:
        _replace_loop(path, layer, fused=layer in fused)
    return Recurrence(bool(fused), bool(stateful))


def _fusible(layer: Any) -> bool:
    import keras

    cell = layer.cell
    return (
        type(cell) is keras.layers.LSTMCell
        and cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
        and not layer.return_state
    )


def _replace_loop(path: Path, layer: Any, *, fused: bool) -> None:
    import keras
    import tensorflow as tf

    stateful, layer.stateful = layer.stateful, False
    # Else Bidirectional runs both directions in its own call.
    layer.use_cudnn = False
    graphs: list[Any] = []

    def inner_loop(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        if mask is not None:
            raise UnsupportedError(
                f"{path}: the recurrent layer {layer.name!r} takes a mask (of Masking, or of "
                "Embedding with mask_zero), which has no int8 operators",
                hint="Train without a mask, on sequences padded to one length.",
            )
        from_zero = all(_is_zero(tensor) for tensor in keras.tree.flatten(initial_state))
        graph = sequences.graph
        if stateful and (graph in graphs or not from_zero):
            raise UnsupportedError(
                f"{path}: the stateful layer {layer.name!r} is called twice, or with a state",
                hint="Use stateful=False.",
            )
        graphs.append(graph)
        in_order = tf.reverse(sequences, [1]) if layer.go_backwards else sequences
        if fused and from_zero:
            return _fused_lstm(layer.cell, in_order)
        return unroll_cell(layer.cell, in_order, initial_state, from_zero=from_zero)

    layer.inner_loop = inner_loop


def _is_zero(tensor: Any) -> bool:
    import tensorflow as tf

    value = tf.get_static_value(tensor)
    return value is not None and not np.any(value)


def _fused_lstm(cell: Any, sequences: Any) -> tuple[Any, Any, list[Any]]:
    """An LSTM from zeros as the function that the converter replaces by its operator.

    It goes by the name and the arguments (TensorFlow's `prepare-composite-functions` pass); the
    body is what the function computes wherever it is run unchanged.
    """
    import tensorflow as tf

    def lstm(
        inputs: Any, hidden: Any, carry: Any, kernel: Any, recurrent_kernel: Any, bias: Any
    ) -> tuple[Any, ...]:
        def step(state: tuple[Any, Any], x: Any) -> tuple[Any, Any]:
            gates = tf.matmul(x, kernel) + tf.matmul(state[0], recurrent_kernel) + bias
            update, forget, candidate, output = tf.split(gates, 4, axis=1)
            new = tf.sigmoid(forget) * state[1] + tf.sigmoid(update) * tf.tanh(candidate)
            return tf.sigmoid(output) * tf.tanh(new), new

        moments = tf.scan(step, tf.transpose(inputs, [1, 0, 2]), (hidden, carry))
        outputs = tf.transpose(moments[0], [1, 0, 2])
        return moments[0][-1], outputs, moments[0][-1], moments[1][-1], tf.constant(0.0)

    attributes = {
        "api_implements": f"lstm_{uuid.uuid4()}",
        "api_preferred_device": "CPU",
        "time_major": False,
        "go_backwards": False,
    }
    composite = tf.function(lstm, autograph=False, experimental_attributes=attributes)
    zeros = tf.zeros((1, cell.units))
    weights = cell_weights(cell)
    last, outputs, *_ = composite(sequences, zeros, zeros, *map(tf.constant, weights))
    return last, outputs, [last, zeros]
