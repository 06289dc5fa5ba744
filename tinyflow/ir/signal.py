# SPDX-License-Identifier: Apache-2.0
"""Operators of TFLM's signal library: their dataclasses and rules.

An audio front end is made of them: frames of samples, a window, a spectrum, a filter bank. Complex
numbers lie as pairs of real and imaginary parts. A state of these operators is no tensor of the
file; the reader adds it to the graph (`Tensor.internal`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tinyflow.ir.checks import OperatorRule, expect, fail, rank_of
from tinyflow.ir.graph import Graph
from tinyflow.ir.movement import Slice, StridedSlice
from tinyflow.ir.operators import Operator, Reshape, TensorId, Unary
from tinyflow.ir.unquantised import Cast

#: Entries of SignalPCAN's table that an input of 32 bits can reach.
PCAN_ENTRIES = 125


@dataclass(frozen=True)
class SignalWindow(Unary):
    """Each row of samples times `window`, shifted right by `shift` and saturated; int16."""

    kind = "SignalWindow"
    input_fields = ("input", "window")

    window: TensorId
    shift: int


@dataclass(frozen=True)
class SignalFftAutoScale(Operator):
    """Samples times the greatest power of two that overflows none; int16.

    `results`: the samples, and the exponent of two as a scalar of int32.
    """

    kind = "SignalFftAutoScale"
    output_field = "results"

    input: TensorId
    results: tuple[TensorId, TensorId]


@dataclass(frozen=True)
class Fft(Unary):
    """Base of both transforms.

    Attributes:
        length: real samples; half of it has no prime factors but 2, 3 and 5.
    """

    length: int


@dataclass(frozen=True)
class SignalRfft(Fft):
    """The `length / 2 + 1` complex numbers of a real spectrum, of each row padded with zeros."""

    kind = "SignalRfft"


@dataclass(frozen=True)
class SignalIrfft(Fft):
    """`length` real samples of the `length / 2 + 1` complex numbers in each row."""

    kind = "SignalIrfft"


@dataclass(frozen=True)
class SignalEnergy(Unary):
    """Squares of the absolute values of complex numbers, from `start` to before `stop`.

    The reference leaves the others as they are in memory: nothing may depend on them.
    """

    kind = "SignalEnergy"

    start: int
    stop: int


@dataclass(frozen=True)
class SignalFilterBank(Unary):
    """Energies weighted and summed by channel.

    Channel `i` has `widths[i]` energies from `frequencies[i]` on, with the weights from
    `starts[i]` on: the weights count for the channel, the unweights for the next one. The first
    channel is computed for its unweights alone.
    """

    kind = "SignalFilterBank"
    input_fields = ("input", "weights", "unweights", "frequencies", "starts", "widths")

    weights: TensorId
    unweights: TensorId
    frequencies: TensorId
    starts: TensorId
    widths: TensorId


@dataclass(frozen=True)
class SignalFilterBankSquareRoot(Unary):
    """Rounded square roots, shifted right by `scale_bits`, a scalar of int32."""

    kind = "SignalFilterBankSquareRoot"
    input_fields = ("input", "scale_bits")

    scale_bits: TensorId


@dataclass(frozen=True)
class Smoothing:
    """A low-pass filter's two weights, of which the sum is 1 in the operator's fixed point."""

    fresh: int
    kept: int


@dataclass(frozen=True)
class SignalFilterBankSpectralSubtraction(Operator):
    """Channels less an estimate of their noise.

    Attributes:
        results: the channels, and the noise estimates.
        noise: the state, the estimates of the last frame.
        even, odd: the filters of channels with even and with odd indices.
        least: the share of a channel that is left at least.
        smoothing_bits: further bits of the estimates' fraction.
        bits: of the fraction of weights and shares.
        clamping: whether an estimate is never more than its channel.
    """

    kind = "SignalFilterBankSpectralSubtraction"
    input_fields = ("input", "noise")
    output_field = "results"
    state_fields = ("noise",)

    input: TensorId
    noise: TensorId
    results: tuple[TensorId, TensorId]
    even: Smoothing
    odd: Smoothing
    least: int
    smoothing_bits: int
    bits: int
    clamping: bool


@dataclass(frozen=True)
class SignalPcan(Unary):
    """Per-channel amplitude normalisation: channels by a gain that a table has of their noise."""

    kind = "SignalPCAN"
    input_fields = ("input", "noise", "gains")

    noise: TensorId
    gains: TensorId
    shift: int


@dataclass(frozen=True)
class SignalFilterBankLog(Unary):
    """Natural logarithms times `scale`, of numbers times 2^`correction_bits`."""

    kind = "SignalFilterBankLog"

    scale: int
    correction_bits: int


@dataclass(frozen=True)
class SignalFramer(Operator):
    """Overlapping frames of `size` samples, one each `step` samples, over consecutive inputs.

    `results`: the frames, and whether all of them are whole, which frames are not before `size`
    samples have been there; a frame that is not whole is zeros. `samples` holds what comes before
    the input, row by row, and `count` how many of it are there.
    """

    kind = "SignalFramer"
    input_fields = ("input", "samples", "count")
    output_field = "results"
    state_fields = ("samples", "count")

    input: TensorId
    samples: TensorId
    count: TensorId
    results: tuple[TensorId, TensorId]
    size: int
    step: int


@dataclass(frozen=True)
class SignalOverlapAdd(Operator):
    """Sums of overlapping frames: `step` samples are done with each frame."""

    kind = "SignalOverlapAdd"
    input_fields = ("input", "sums")
    state_fields = ("sums",)

    input: TensorId
    sums: TensorId
    output: TensorId
    step: int


@dataclass(frozen=True)
class SignalDelay(Operator):
    """Samples of `length` samples ago, in each row."""

    kind = "SignalDelay"
    input_fields = ("input", "samples")
    state_fields = ("samples",)

    input: TensorId
    samples: TensorId
    output: TensorId
    length: int


@dataclass(frozen=True)
class SignalStacker(Operator):
    """The last frames side by side, after every `step` of them.

    `results`: the frames, and whether they are new; else they are those of the inference before,
    zeros at first. The first frame counts `left` times more. `frames` holds the frames to come,
    `count` how many numbers they are and whether there has been a frame; `last` the last result,
    which is None if each one after the first is new.
    """

    kind = "SignalStacker"
    input_fields = ("input", "frames", "count", "last")
    output_field = "results"
    state_fields = ("frames", "count", "last")

    input: TensorId
    frames: TensorId
    count: TensorId
    last: TensorId | None
    results: tuple[TensorId, TensorId]
    left: int
    step: int


def smooth_factors(points: int) -> tuple[int, ...] | None:
    """The radices of a transform of that many complex points, the outermost first.

    Fours, then at most one two, then threes and fives; None if another prime is left
    (`kf_factor` of kissfft).
    """
    factors = []
    for factor in (4, 2, 3, 5):
        while points % factor == 0:
            factors.append(factor)
            points //= factor
    return tuple(factors) if points == 1 and factors else None


def _window(graph: Graph, op: SignalWindow) -> None:
    (size,) = rank_of(graph, op, op.window, 1)
    shape = graph.tensors[op.input].shape
    if not shape or graph.tensors[op.input].elements % size:
        raise fail(op, f"a window of {size} samples for an input of {list(shape)}")
    expect(op, "the output", graph.tensors[op.output].shape, shape)


def _auto_scale(graph: Graph, op: SignalFftAutoScale) -> None:
    (size,) = rank_of(graph, op, op.input, 1)
    expect(op, "the output", graph.tensors[op.results[0]].shape, (size,))
    expect(op, "the exponent", graph.tensors[op.results[1]].shape, ())


def _fft(graph: Graph, op: Fft) -> None:
    source, output = graph.tensors[op.input].shape, graph.tensors[op.output].shape
    if op.length % 2 or smooth_factors(op.length // 2) is None:
        raise fail(op, f"a transform of {op.length} samples")
    if not source or len(source) != len(output):
        raise fail(op, f"an input of {list(source)} and an output of {list(output)}")
    spectrum = op.length + 2
    if isinstance(op, SignalRfft):
        if source[-1] > op.length:
            raise fail(op, f"{source[-1]} samples for a transform of {op.length}")
        expect(op, "the output", output, (*source[:-1], spectrum))
    else:
        expect(op, "the input", source, (*output[:-1], spectrum))
        expect(op, "the output", output, (*source[:-1], op.length))


def _energy(graph: Graph, op: SignalEnergy) -> None:
    (parts,) = rank_of(graph, op, op.input, 1)
    (bins,) = rank_of(graph, op, op.output, 1)
    if not 0 <= op.start <= op.stop <= min(bins, parts // 2):
        raise fail(
            op, f"from {op.start} to {op.stop} of {parts // 2} complex numbers, to {bins} energies"
        )


def unwritten(graph: Graph, op: SignalEnergy) -> Operator | None:
    """An operator that depends on energies which the reference does not write, if there is one.

    The operator itself where they are an output of the model.
    """
    if op.start == 0 and op.stop == graph.tensors[op.output].elements:
        return None
    reached = [op.output]
    for tensor in reached:
        if tensor in graph.outputs:
            return op
        for reader in _readers(graph, tensor):
            if isinstance(reader, Cast | Reshape):
                reached.append(reader.output)
            elif not _reads_within(graph, reader, op.start, op.stop):
                return reader
    return None


def _readers(graph: Graph, tensor: TensorId) -> Iterator[Operator]:
    return (op for op in graph.operators if tensor in op.inputs())


def _reads_within(graph: Graph, reader: Operator, start: int, stop: int) -> bool:
    """Whether an operator reads no elements but those from `start` to before `stop` of a vector."""
    if isinstance(reader, Slice | StridedSlice):
        if len(reader.starts) != 1:
            return False
        step = reader.steps[0] if isinstance(reader, StridedSlice) else 1
        first, last = reader.starts[0], reader.starts[0] + (reader.sizes[0] - 1) * step
        return start <= min(first, last) and max(first, last) < stop
    if isinstance(reader, SignalFilterBank):
        pairs = zip(
            graph.tensors[reader.frequencies].values.tolist(),
            graph.tensors[reader.widths].values.tolist(),
            strict=True,
        )
        return all(width <= 0 or start <= first <= stop - width for first, width in pairs)
    return False


def _filter_bank(graph: Graph, op: SignalFilterBank) -> None:
    (energies,) = rank_of(graph, op, op.input, 1)
    (channels,) = rank_of(graph, op, op.output, 1)
    for index in (op.frequencies, op.starts, op.widths):
        expect(op, f"{graph.tensors[index].name!r}", graph.tensors[index].shape, (channels + 1,))
    (weights,) = rank_of(graph, op, op.weights, 1)
    expect(op, "the unweights", graph.tensors[op.unweights].shape, (weights,))
    for first, start, width in zip(
        *(graph.tensors[index].values.tolist() for index in (op.frequencies, op.starts, op.widths)),
        strict=True,
    ):
        if width > 0 and not (0 <= first <= energies - width and 0 <= start <= weights - width):
            raise fail(op, f"a channel of {width} energies from {first}, weights from {start}")


def _like_input(graph: Graph, op: Unary) -> None:
    (size,) = rank_of(graph, op, op.input, 1)
    expect(op, "the output", graph.tensors[op.output].shape, (size,))


def _square_root(graph: Graph, op: SignalFilterBankSquareRoot) -> None:
    _like_input(graph, op)
    expect(op, "the number of bits", graph.tensors[op.scale_bits].shape, ())


def _spectral_subtraction(graph: Graph, op: SignalFilterBankSpectralSubtraction) -> None:
    (size,) = rank_of(graph, op, op.input, 1)
    for index in (op.noise, *op.results):
        expect(op, f"{graph.tensors[index].name!r}", graph.tensors[index].shape, (size,))


def _pcan(graph: Graph, op: SignalPcan) -> None:
    _like_input(graph, op)
    expect(op, "the noise", graph.tensors[op.noise].shape, graph.tensors[op.input].shape)
    (entries,) = rank_of(graph, op, op.gains, 1)
    if entries < PCAN_ENTRIES:
        raise fail(op, f"a table of {entries} gains, {PCAN_ENTRIES} are reached")


def _framer(graph: Graph, op: SignalFramer) -> None:
    shape, frames = graph.tensors[op.input].shape, graph.tensors[op.results[0]].shape
    if not shape or not 0 < op.step <= shape[-1] or shape[-1] % op.step or op.size < 1:
        raise fail(op, f"frames of {op.size} each {op.step} samples, of {list(shape)}")
    due = (*shape[:-1], shape[-1] // op.step, op.size)
    expect(op, "the output", frames, due)
    expect(op, "the flag", graph.tensors[op.results[1]].shape, ())


def _overlap_add(graph: Graph, op: SignalOverlapAdd) -> None:
    shape = graph.tensors[op.input].shape
    if len(shape) < 2 or not 0 < op.step <= shape[-1]:
        raise fail(op, f"frames of {list(shape)} each {op.step} samples")
    due = (*shape[:-2], shape[-2] * op.step)
    expect(op, "the output", graph.tensors[op.output].shape, due)


def _delay(graph: Graph, op: SignalDelay) -> None:
    shape = graph.tensors[op.input].shape
    if not shape or op.length < 0:
        raise fail(op, f"an input of {list(shape)} delayed by {op.length} samples")
    expect(op, "the output", graph.tensors[op.output].shape, shape)


def _stacker(graph: Graph, op: SignalStacker) -> None:
    (channels,) = rank_of(graph, op, op.input, 1)
    (stacked,) = rank_of(graph, op, op.results[0], 1)
    frames = stacked // channels
    if stacked % channels or not 0 <= op.left < frames or not 0 < op.step <= frames:
        raise fail(op, f"{stacked} numbers of frames of {channels}, {op.left} of them to the left")
    expect(op, "the flag", graph.tensors[op.results[1]].shape, ())


def rows(shape: tuple[int, ...]) -> int:
    """The number of vectors along the last dimension."""
    return math.prod(shape[:-1])


#: Rules by operator, see `verify`.
RULES: dict[type[Operator], OperatorRule] = {
    SignalWindow: _window,
    SignalFftAutoScale: _auto_scale,
    Fft: _fft,
    SignalEnergy: _energy,
    SignalFilterBank: _filter_bank,
    SignalFilterBankSquareRoot: _square_root,
    SignalFilterBankSpectralSubtraction: _spectral_subtraction,
    SignalPcan: _pcan,
    SignalFilterBankLog: _like_input,
    SignalFramer: _framer,
    SignalOverlapAdd: _overlap_add,
    SignalDelay: _delay,
    SignalStacker: _stacker,
}

#: All of them.
SIGNAL_OPERATORS: frozenset[type[Operator]] = frozenset({*RULES, SignalRfft, SignalIrfft})
