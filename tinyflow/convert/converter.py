# SPDX-License-Identifier: Apache-2.0
"""A function of TensorFlow through the real TFLite converter, fully quantised.

Imports TensorFlow: called in worker processes only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tinyflow.arrays import Array
from tinyflow.convert.fold_affine import with_affine_folded
from tinyflow.convert.int8_rewrites import requantise_outputs, rewrite_for_int8
from tinyflow.convert.keras_model import graph_name
from tinyflow.convert.recurrent import Recurrence
from tinyflow.convert.unrolled import share_step_ranges
from tinyflow.datasets.dataset import InputSpec
from tinyflow.tflite.state_mark import mark_reset

#: Operators whose int8 form the converter knows, but TensorFlow Lite Micro does not.
_KEPT_IN_FLOAT = {"DIV", "EXP", "LOG", "SQRT"}


@dataclass(frozen=True)
class Converted:
    """Two `.tflite` files of one model.

    Attributes:
        quantised: the quantised model.
        in_float: the float model that was quantised. Tensors have the same names in both.
    """

    quantised: bytes
    in_float: bytes


def convert(
    call: Callable[..., list[Any]],
    inputs: Sequence[InputSpec],
    representative: Callable[[], Iterator[list[Array]]],
    recurrence: Recurrence,
    *,
    variables: list[Any],
    activations: str = "int8",
) -> Converted:
    """Convert a function of arrays, with a batch of one.

    Args:
        call: takes one tensor per input, gives the outputs.
        inputs: shapes without the batch.
        representative: gives the calibration samples, a list of arrays each.
        recurrence: what was done to the model's recurrent layers.
        variables: TensorFlow variables that `call` reads.
        activations: int8 or int16; the type of inputs and outputs, too. Weights are int8.

    Raises:
        ValueError: the model has no operator.
        Exception: whatever the converter raises.
    """
    import tensorflow as tf

    names = _names(inputs)
    with tempfile.TemporaryDirectory() as folder:
        if recurrence.fused:
            _save(call, inputs, variables, folder)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        else:
            function = tf.function(call, input_signature=_specs(inputs, names), autograph=False)
            converter = tf.lite.TFLiteConverter.from_concrete_functions(
                [function.get_concrete_function()]
            )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        from_zeros = recurrence.fused and not recurrence.stateful
        with _state_reset_before_each_sample() if from_zeros else nullcontext():
            quantise = _int16 if activations == "int16" else _int8
            in_float, quantised = quantise(converter, next(representative()))
    if recurrence.fused:
        _finish_state(quantised, names, recurrence)
    return Converted(_pack(quantised), in_float)


def _int8(converter: Any, sample: list[Array]) -> tuple[bytes, Any]:
    """The float file, and the quantised model (`schema.ModelT`).

    Quantises in the converter's two stages, so that the model can be changed between them.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converter._experimental_calibrate_only = True
    calibrated = _unpack(converter.convert())
    if not calibrated.subgraphs[0].operators:
        raise ValueError("the model computes nothing: its outputs are its inputs")
    rewrite_for_int8(calibrated)
    share_step_ranges(calibrated)
    in_float = _pack(calibrated)
    quantised = _unpack(
        mlir_quantize(
            with_affine_folded(in_float, sample),
            input_data_type=tf.int8,
            output_data_type=tf.int8,
            denylisted_ops=_KEPT_IN_FLOAT,
        )
    )
    requantise_outputs(quantised)
    return in_float, quantised


def _int16(converter: Any, sample: list[Array]) -> tuple[bytes, Any]:
    """Convert in one stage, otherwise as `_int8`: the converter's quantiser of int16 activations is
    another.
    """
    import tensorflow as tf

    quantise = converter._quantize
    files: list[bytes] = []

    def folded(content: bytes, *arguments: Any) -> Any:
        files.append(bytes(content))
        return quantise(with_affine_folded(files[0], sample), *arguments)

    converter._quantize = folded

    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    converter.inference_input_type = tf.int16
    converter.inference_output_type = tf.int16
    quantised = _unpack(converter.convert())
    return files[0], quantised


@contextmanager
def _state_reset_before_each_sample() -> Iterator[None]:
    """Let each calibration sample meet zero state: the converter would run them on end."""
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    def feed(
        calibrator: Any, samples: Callable[[], Iterator[list[Array]]], resize_input: bool
    ) -> None:
        for sample in samples():
            # Prepare sets variable tensors to zeros.
            calibrator._calibrator.Prepare([list(array.shape) for array in sample])
            calibrator._calibrator.FeedTensor(sample)

    original = Calibrator._feed_tensors
    Calibrator._feed_tensors = feed
    try:
        yield
    finally:
        Calibrator._feed_tensors = original


def _unpack(content: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))


def _pack(model: Any) -> bytes:
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _specs(inputs: Sequence[InputSpec], names: Iterable[str]) -> list[Any]:
    import tensorflow as tf

    # A static batch: an open one leaves shape arithmetic in the graph.
    return [
        tf.TensorSpec((1, *spec.shape), spec.dtype, name=name)
        for spec, name in zip(inputs, names, strict=True)
    ]


def _names(inputs: Sequence[InputSpec]) -> list[str]:
    names: list[str] = []
    for spec in inputs:
        name = graph_name(spec.name)
        while name in names:
            name += "_"
        names.append(name)
    return names


def _save(
    call: Callable[..., list[Any]], inputs: Sequence[InputSpec], variables: list[Any], folder: str
) -> None:
    """Save as a SavedModel: on the other way the converter inlines what it should fuse.

    A SavedModel orders inputs and outputs by name.
    """
    import tensorflow as tf

    def named(*arrays: Any) -> dict[str, Any]:
        return {f"output_{index:03}": output for index, output in enumerate(call(*arrays))}

    specs = _specs(inputs, (f"input_{index:03}" for index in range(len(inputs))))
    module = tf.Module()
    module.variables_read = variables
    module.function = tf.function(named, input_signature=specs, autograph=False)
    tf.saved_model.save(module, folder, signatures=module.function.get_concrete_function())


def _finish_state(model: Any, names: list[str], recurrence: Recurrence) -> None:
    """Give the inputs their own names back, and settle what the fused layers' state does."""
    (subgraph,) = model.subgraphs
    for index, name in zip(subgraph.inputs, names, strict=True):
        subgraph.tensors[index].name = name.encode()
    if not recurrence.stateful:
        mark_reset(model)
