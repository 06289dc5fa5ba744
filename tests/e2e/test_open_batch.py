# SPDX-License-Identifier: Apache-2.0
"""Models with an open batch, as `TFLiteConverter.from_keras_model` writes them: all exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.conformance.driver import library_of
from tinyflow.boards import load_board
from tinyflow.emulate.verify import differing_bytes
from tinyflow.oracle.constants import reference
from tinyflow.pipeline.quantize import Quantised, device_inputs

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")


def _stack(shape: tuple[int, ...], *layers: Any) -> Any:
    x = source = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(source, x)


def _flatten() -> Any:
    of = keras.layers
    return _stack((8, 8, 3), of.Conv2D(4, 3, activation="relu"), of.Flatten(), of.Dense(5))


def _upsampling() -> Any:
    of = keras.layers
    return _stack((6, 6, 1), of.Conv2D(4, 3, padding="same"), of.UpSampling2D(2), of.Conv2D(1, 1))


def _dilated() -> Any:
    of = keras.layers
    first = of.Conv1D(4, 3, dilation_rate=2, activation="relu")
    return _stack((16, 2), first, of.GlobalAveragePooling1D(), of.Dense(3, activation="softmax"))


def _time_distributed() -> Any:
    of = keras.layers
    each = (of.Conv2D(2, 3, activation="relu"), of.Flatten())
    return _stack((3, 6, 6, 1), *map(of.TimeDistributed, each), of.Flatten(), of.Dense(2))


def _unrolled_lstm() -> Any:
    of = keras.layers
    return _stack((4, 6), of.LSTM(5, unroll=True), of.Dense(3))


def _attention() -> Any:
    of = keras.layers
    source = keras.Input((6, 8))
    x = of.Add()([source, of.MultiHeadAttention(2, 4)(source, source)])
    return keras.Model(source, of.Dense(3)(of.Flatten()(x)))


def _converted(model: Any, *, int16: bool = False) -> bytes:
    """The model as int8, or as int16 with int8 weights, straight from the converter."""
    rng = np.random.default_rng(0)

    def samples() -> Iterator[list[np.ndarray[Any, Any]]]:
        for _ in range(8):
            shape = (1, *model.inputs[0].shape[1:])
            yield [rng.uniform(-1, 1, shape).astype(np.float32)]

    sets = tf.lite.OpsSet
    chosen = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [
        getattr(sets, chosen) if int16 else sets.TFLITE_BUILTINS_INT8
    ]
    converter.inference_input_type = tf.int16 if int16 else tf.int8
    converter.inference_output_type = converter.inference_input_type
    content: bytes = converter.convert()
    return content


@pytest.mark.parametrize(
    ("build", "int16"),
    [
        (_flatten, False),
        (_flatten, True),
        (_upsampling, False),
        (_dilated, False),
        (_time_distributed, False),
        (_unrolled_lstm, False),
        (_unrolled_lstm, True),
        (_attention, False),
    ],
)
def test_a_model_with_an_open_batch_is_exact(build: Callable[[], Any], int16: bool) -> None:
    keras.utils.set_random_seed(1)
    content = _converted(build(), int16=int16)
    graph, trial = library_of(content, load_board("stm32l4r5"), "auto")
    samples, _ = device_inputs(graph, Quantised(content), 8)
    oracle = reference(content)
    for sample, outputs in zip(samples, trial.run_each(samples), strict=True):
        for found, due in zip(outputs, oracle.run(*sample), strict=True):
            assert differing_bytes(found, due) == 0
