# SPDX-License-Identifier: Apache-2.0
"""An audio front end of TFLM's signal operators, as micro_speech has it: samples to int8 features.

A window, a spectrum, a filter bank of 40 mel channels, noise suppression, gain control, logarithms.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from tests.support.tflite_builder import TENSOR_TYPES, TfliteBuilder

SAMPLES, TRANSFORM, CHANNELS, RATE = 480, 512, 40, 16_000
_BINS = TRANSFORM // 2 + 1
_LOW_HZ, _HIGH_HZ = 125.0, 7500.0
_WEIGHT_BITS, _WINDOW_BITS = 12, 12


def audio_front_end() -> bytes:
    """int16 (1, 480) samples to int8 (40,) features; the noise estimate is a state."""
    b = TfliteBuilder()
    x = b.tensor((1, SAMPLES), "int16", name="samples")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(SAMPLES) + 0.5) / SAMPLES)
    window = b.tensor((SAMPLES,), "int16", data=np.round(hann * 2**_WINDOW_BITS))
    windowed = b.tensor((1, SAMPLES), "int16")
    b.custom("SignalWindow", [x, window], [windowed], shift=_WINDOW_BITS)
    flat = b.tensor((SAMPLES,), "int16")
    b.operator("RESHAPE", [windowed, b.tensor((1,), "int32", data=[SAMPLES])], [flat])
    scaled, bits = b.tensor((SAMPLES,), "int16"), b.tensor((), "int32")
    b.custom("SignalFftAutoScale", [flat], [scaled, bits])
    spectrum = b.tensor((TRANSFORM + 2,), "int16")
    b.custom(*("SignalRfft", [scaled], [spectrum]), T=TENSOR_TYPES["int16"], fft_length=TRANSFORM)
    roots = _filter_bank(b, spectrum, bits)
    logs = _noise_and_gain(b, roots)
    y = _quantised(b, logs)
    return b.build([x], [y])


def _filter_bank(b: TfliteBuilder, spectrum: int, bits: int) -> int:
    tables, start, stop = _mel_tables()
    energies = b.tensor((_BINS,), "uint32")
    b.custom("SignalEnergy", [spectrum], [energies], start_index=start, end_index=stop)
    # The energies outside of the bank's are made zeros.
    signed, some = b.tensor((_BINS,), "int32"), b.tensor((stop - start,), "int32")
    b.operator("CAST", [energies], [signed])
    bounds = [b.tensor((1,), "int32", data=[value]) for value in (start, stop, 1)]
    b.operator("STRIDED_SLICE", [signed, *bounds], [some])
    before, after = (
        b.tensor((size,), "int32", data=np.zeros(size)) for size in (start, _BINS - stop)
    )
    padded, unsigned = b.tensor((_BINS,), "int32"), b.tensor((_BINS,), "uint32")
    b.operator("CONCATENATION", [before, some, after], [padded], axis=0)
    b.operator("CAST", [padded], [unsigned])
    sums, roots = b.tensor((CHANNELS,), "uint64"), b.tensor((CHANNELS,), "uint32")
    constants = [b.tensor(table.shape, "int16", data=table) for table in tables]
    b.custom("SignalFilterBank", [unsigned, *constants], [sums], num_channels=CHANNELS)
    b.custom("SignalFilterBankSquareRoot", [sums, bits], [roots])
    return roots


def _mel_tables() -> tuple[list[np.ndarray], int, int]:
    """Weights, unweights and where they lie, and the first and last bin that has one."""
    edges = np.linspace(_mel(_LOW_HZ), _mel(_HIGH_HZ), CHANNELS + 2)
    bins = [_mel(index * RATE / TRANSFORM) for index in range(_BINS)]
    weights: list[int] = []
    first, starts, widths = [], [], []
    for low, high in pairwise(edges):
        within = [index for index, mel in enumerate(bins) if low < mel <= high]
        first.append(within[0] if within else 0)
        starts.append(len(weights))
        widths.append(len(within))
        share = [(high - bins[index]) / (high - low) for index in within]
        weights += [round(value * 2**_WEIGHT_BITS) for value in share]
    values = np.array(weights)
    tables = [values, 2**_WEIGHT_BITS - values, *map(np.array, (first, starts, widths))]
    return tables, first[0], int(max(np.array(first) + widths))


def _mel(frequency: float) -> float:
    return 1127.0 * math.log1p(frequency / 700.0)


def _noise_and_gain(b: TfliteBuilder, roots: int) -> int:
    less, noise, gained = (b.tensor((CHANNELS,), "uint32") for _ in range(3))
    b.custom(
        *("SignalFilterBankSpectralSubtraction", [roots], [less, noise]),
        alternate_one_minus_smoothing=15401,
        alternate_smoothing=983,
        clamping=False,
        min_signal_remaining=819,
        num_channels=CHANNELS,
        one_minus_smoothing=15975,
        smoothing=409,
        smoothing_bits=10,
        spectral_subtraction_bits=14,
    )
    gains = _gains()
    table = b.tensor(gains.shape, "int16", data=gains)
    b.custom("SignalPCAN", [less, noise, table], [gained], snr_shift=6)
    logs = b.tensor((CHANNELS,), "int16")
    b.custom("SignalFilterBankLog", [gained], [logs], input_correction_bits=3, output_scale=64)
    return logs


def _gains() -> np.ndarray:
    """A gain that falls with the noise: three values, then a parabola for each power of two."""

    def gain(noise: float) -> float:
        return min(2.0**21 * (noise / 2.0**7 + 80.0) ** -0.95, 2.0**15 - 1)

    table = np.zeros(125, np.int64)
    table[:3] = [round(gain(noise)) for noise in (0, 1, 2)]
    for bits in range(3, 33):
        low, middle, high = (gain(factor * 2.0 ** (bits - 1)) for factor in (1, 1.5, 2))
        rise = 4 * middle - 3 * low - high
        table[4 * bits - 6 : 4 * bits - 3] = [round(low), round(rise), round(high - low - rise)]
    return table


def _quantised(b: TfliteBuilder, logs: int) -> int:
    wide, times, more, quotient, shifted, below, above = (
        b.tensor((CHANNELS,), "int32") for _ in range(7)
    )
    constants = {value: b.tensor((), "int32", data=value) for value in (256, 333, 666, -128, 127)}
    b.operator("CAST", [logs], [wide])
    b.operator("MUL", [wide, constants[256]], [times])
    b.operator("ADD", [times, constants[333]], [more])
    b.operator("DIV", [more, constants[666]], [quotient])
    b.operator("ADD", [quotient, constants[-128]], [shifted])
    b.operator("MINIMUM", [shifted, constants[127]], [below])
    b.operator("MAXIMUM", [below, constants[-128]], [above])
    y = b.tensor((CHANNELS,), "int8", name="features")
    b.operator("CAST", [above], [y])
    return y
