# SPDX-License-Identifier: Apache-2.0
"""Readers of TFLM's signal library operators in a .tflite, and the limits of what is accepted.

All are custom operators. Their integers have no quantisation.
"""

from __future__ import annotations

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.ir.operators import Operator
from tinyflow.ir.signal import (
    SignalDelay,
    SignalEnergy,
    SignalFftAutoScale,
    SignalFilterBank,
    SignalFilterBankLog,
    SignalFilterBankSpectralSubtraction,
    SignalFilterBankSquareRoot,
    SignalFramer,
    SignalIrfft,
    SignalOverlapAdd,
    SignalPcan,
    SignalRfft,
    SignalStacker,
    SignalWindow,
    Smoothing,
    smooth_factors,
)
from tinyflow.ir.types import DType
from tinyflow.ir.verifier import MAX_ELEMENTS
from tinyflow.tflite.operator_reader import OperatorReader, Read

#: Operators here that write several tensors.
SEVERAL_OUTPUTS = frozenset(
    {
        "SignalFftAutoScale",
        "SignalFilterBankSpectralSubtraction",
        "SignalFramer",
        "SignalStacker",
    }
)
#: The types of the schema that an operator of several types computes with (its option `T`).
_TYPES = {
    schema.TensorType.INT16: DType.INT16,
    schema.TensorType.INT32: DType.INT32,
    schema.TensorType.FLOAT32: DType.FLOAT32,
}
#: Samples of the longest transform: its tables would fill the flash of any microcontroller.
_LONGEST_FFT = 1 << 16


def _typed(at: OperatorReader, index: int, dtype: DType, *, constant: bool = False) -> None:
    """Check a tensor's type, and whether it is a constant or computed."""
    tensor = at.tensors[index]
    if tensor.dtype is not dtype:
        raise at.refuse(f"tensor {tensor.name!r} is {tensor.dtype.value}, expected {dtype.value}")
    if not constant:
        at.computed(index)
    elif not tensor.is_constant:
        raise at.refuse(f"the operand {tensor.name!r} is computed, expected a constant")


def _within(at: OperatorReader, options: dict[str, int], **most: int) -> None:
    """Check options that must not be negative nor above a bound."""
    for name, bound in most.items():
        if not 0 <= options[name] <= bound:
            raise at.refuse(f"{name} is {options[name]}, expected 0 to {bound}")


def _window(at: OperatorReader) -> Operator:
    options = at.custom_options("shift")
    source, window = at.operands(2)
    (output,) = at.results(1)
    _typed(at, source, DType.INT16)
    _typed(at, window, DType.INT16, constant=True)
    _typed(at, output, DType.INT16)
    _within(at, options, shift=31)
    return SignalWindow(at.name, source, output, window, options["shift"])


def _auto_scale(at: OperatorReader) -> Operator:
    (source,) = at.operands(1)
    output, exponent = at.results(2)
    _typed(at, source, DType.INT16)
    _typed(at, output, DType.INT16)
    _typed(at, exponent, DType.INT32)
    return SignalFftAutoScale(at.name, source, (output, exponent))


def _of_type(at: OperatorReader, code: int, *types: DType) -> None:
    """Check that input and output have the type that an operator's options name."""
    dtype = _TYPES.get(code)
    if dtype not in types:
        names = " or ".join(kind.value for kind in types)
        raise at.refuse(f"its option T is {code}, expected the type of {names}")
    _typed(at, at.operands(1)[0], dtype)
    _typed(at, at.results(1)[0], dtype)


def _fft(kind: type[SignalRfft] | type[SignalIrfft]) -> Read:
    def read(at: OperatorReader) -> Operator:
        options = at.custom_options("T", "fft_length")
        _of_type(at, options["T"], DType.INT16, DType.INT32, DType.FLOAT32)
        length = options["fft_length"]
        _within(at, options, fft_length=_LONGEST_FFT)
        if length % 2 or smooth_factors(length // 2) is None:
            raise at.refuse(
                f"a transform of {length} samples, of which TFLM computes even numbers from 4 on "
                "without prime factors above 5",
                "Use a power of two as fft_length.",
            )
        return kind(at.name, at.input(0), at.output, length)

    return read


def _energy(at: OperatorReader) -> Operator:
    options = at.custom_options("end_index", "start_index")
    (source,), (output,) = at.operands(1), at.results(1)
    _typed(at, source, DType.INT16)
    _typed(at, output, DType.UINT32)
    return SignalEnergy(at.name, source, output, options["start_index"], options["end_index"])


def _filter_bank(at: OperatorReader) -> Operator:
    options = at.custom_options("num_channels")
    source, *tables = at.operands(6)
    (output,) = at.results(1)
    _typed(at, source, DType.UINT32)
    _typed(at, output, DType.UINT64)
    for table in tables:
        _typed(at, table, DType.INT16, constant=True)
    _channels(at, options["num_channels"], output)
    return SignalFilterBank(at.name, source, output, *tables)


def _channels(at: OperatorReader, count: int, index: int) -> None:
    tensor = at.tensors[index]
    if tensor.shape != (count,):
        raise at.refuse(f"num_channels is {count}, but {tensor.name!r} is {list(tensor.shape)}")


def _square_root(at: OperatorReader) -> Operator:
    source, bits = at.operands(2)
    (output,) = at.results(1)
    _typed(at, source, DType.UINT64)
    _typed(at, bits, DType.INT32)
    _typed(at, output, DType.UINT32)
    return SignalFilterBankSquareRoot(at.name, source, output, bits)


def _spectral_subtraction(at: OperatorReader) -> Operator:
    options = at.custom_options(
        "alternate_one_minus_smoothing",
        "alternate_smoothing",
        "clamping",
        "min_signal_remaining",
        "num_channels",
        "one_minus_smoothing",
        "smoothing",
        "smoothing_bits",
        "spectral_subtraction_bits",
    )
    (source,) = at.operands(1)
    output, noise = at.results(2)
    for index in (source, output, noise):
        _typed(at, index, DType.UINT32)
    _channels(at, options["num_channels"], source)
    _within(at, options, smoothing_bits=31, spectral_subtraction_bits=63)
    _check_size(at, at.tensors[source].elements)
    return SignalFilterBankSpectralSubtraction(
        at.name,
        source,
        at.internal_state("noise", np.zeros(at.tensors[source].shape, np.uint32)),
        (output, noise),
        Smoothing(_unsigned(options["smoothing"]), _unsigned(options["one_minus_smoothing"])),
        Smoothing(
            _unsigned(options["alternate_smoothing"]),
            _unsigned(options["alternate_one_minus_smoothing"]),
        ),
        _unsigned(options["min_signal_remaining"]),
        options["smoothing_bits"],
        options["spectral_subtraction_bits"],
        bool(options["clamping"]),
    )


def _unsigned(value: int) -> int:
    return value % 2**32


def _pcan(at: OperatorReader) -> Operator:
    options = at.custom_options("snr_shift")
    source, noise, gains = at.operands(3)
    (output,) = at.results(1)
    _typed(at, gains, DType.INT16, constant=True)
    for index in (source, noise, output):
        _typed(at, index, DType.UINT32)
    _within(at, options, snr_shift=63)
    return SignalPcan(at.name, source, output, noise, gains, options["snr_shift"])


def _log(at: OperatorReader) -> Operator:
    options = at.custom_options("input_correction_bits", "output_scale")
    (source,), (output,) = at.operands(1), at.results(1)
    _typed(at, source, DType.UINT32)
    _typed(at, output, DType.INT16)
    _within(at, options, input_correction_bits=31)
    scale = _unsigned(options["output_scale"])
    return SignalFilterBankLog(at.name, source, output, scale, options["input_correction_bits"])


def _check_size(at: OperatorReader, elements: int) -> None:
    """Check a state's size before memory is taken for it."""
    if elements > MAX_ELEMENTS:
        raise at.refuse(f"a state of {elements} elements")


def _framer(at: OperatorReader) -> Operator:
    options = at.custom_options("frame_size", "frame_step", "prefill")
    (source,) = at.operands(1)
    output, valid = at.results(2)
    _typed(at, source, DType.INT16)
    _typed(at, output, DType.INT16)
    _typed(at, valid, DType.BOOL)
    size, step, shape = options["frame_size"], options["frame_step"], at.tensors[source].shape
    if size < 1 or step < 1 or not shape:
        raise at.refuse(f"frames of {size} samples each {step} of {list(shape)}")
    prefill = bool(options["prefill"])
    if prefill and step > size:
        raise at.refuse(f"prefill with frames of {size} samples each {step}")
    kept = (size + step - 1) // step * step - step
    _check_size(at, math.prod(shape[:-1]) * kept)
    samples = np.zeros((math.prod(shape[:-1]), max(kept, 1)), np.int16)
    count = np.array([size - step if prefill else 0], np.int32)
    return SignalFramer(
        at.name,
        source,
        at.internal_state("samples", samples),
        at.internal_state("count", count),
        (output, valid),
        size,
        step,
    )


def _overlap_add(at: OperatorReader) -> Operator:
    options = at.custom_options("T", "frame_step")
    _of_type(at, options["T"], DType.INT16, DType.FLOAT32)
    source = at.tensors[at.input(0)]
    if len(source.shape) < 2:
        raise at.refuse(f"frames of {list(source.shape)}")
    shape = (math.prod(source.shape[:-2]), source.shape[-1])
    _check_size(at, math.prod(shape))
    sums = at.internal_state("sums", np.zeros(shape, source.dtype.numpy))
    return SignalOverlapAdd(at.name, at.input(0), sums, at.output, options["frame_step"])


def _delay(at: OperatorReader) -> Operator:
    options = at.custom_options("delay_length")
    (source,), (output,) = at.operands(1), at.results(1)
    _typed(at, source, DType.INT16)
    _typed(at, output, DType.INT16)
    length, shape = options["delay_length"], at.tensors[source].shape
    if length < 0 or not shape:
        raise at.refuse(f"{list(shape)} delayed by {length} samples")
    outer = math.prod(shape[:-1])
    _check_size(at, outer * length)
    samples = at.internal_state("samples", np.zeros((outer, max(length, 1)), np.int16))
    return SignalDelay(at.name, source, samples, output, length)


def _stacker(at: OperatorReader) -> Operator:
    options = at.custom_options(
        "num_channels", "stacker_left_context", "stacker_right_context", "stacker_step"
    )
    (source,) = at.operands(1)
    output, valid = at.results(2)
    _typed(at, source, DType.INT16)
    _typed(at, output, DType.INT16)
    _typed(at, valid, DType.BOOL)
    channels, left = options["num_channels"], options["stacker_left_context"]
    right, step = options["stacker_right_context"], options["stacker_step"]
    _channels(at, channels, source)
    if left < 0 or right < 0 or not 0 < step <= left + right + 1:
        raise at.refuse(f"{left} frames to the left, {right} to the right, each {step} frames")
    stacked = channels * (left + right + 1)
    _channels_stacked(at, output, stacked)
    _check_size(at, stacked)
    return SignalStacker(
        at.name,
        source,
        at.internal_state("frames", np.zeros((stacked,), np.int16)),
        at.internal_state("count", np.zeros((2,), np.int32)),
        at.internal_state("last", np.zeros((stacked,), np.int16)) if step > 1 else None,
        (output, valid),
        left,
        step,
    )


def _channels_stacked(at: OperatorReader, index: int, stacked: int) -> None:
    tensor = at.tensors[index]
    if tensor.shape != (stacked,):
        raise at.refuse(f"{stacked} stacked numbers, but {tensor.name!r} is {list(tensor.shape)}")


READERS: dict[str, Read] = {
    "SignalDelay": _delay,
    "SignalEnergy": _energy,
    "SignalFftAutoScale": _auto_scale,
    "SignalFilterBank": _filter_bank,
    "SignalFilterBankLog": _log,
    "SignalFilterBankSpectralSubtraction": _spectral_subtraction,
    "SignalFilterBankSquareRoot": _square_root,
    "SignalFramer": _framer,
    "SignalIrfft": _fft(SignalIrfft),
    "SignalOverlapAdd": _overlap_add,
    "SignalPCAN": _pcan,
    "SignalRfft": _fft(SignalRfft),
    "SignalStacker": _stacker,
    "SignalWindow": _window,
}
