# SPDX-License-Identifier: Apache-2.0
"""Operators of TFLM's signal library that keep no state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TENSOR_TYPES, TfliteBuilder

Found = tuple[list[int], list[int]]
Shape = tuple[int, ...]


def window(shape: Shape = (1, 30), size: int = 30, shift: int = 12) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, y = b.tensor(shape, "int16"), b.tensor(shape, "int16")
        values = rng.integers(-(2**15), 2**15, size)
        b.custom("SignalWindow", [x, b.tensor((size,), "int16", data=values)], [y], shift=shift)
        return [x], [y]

    return case


def auto_scale(size: int, *, least: int = 0, greatest: int = 2**15 - 1) -> Case:
    """Scale constant samples between two bounds; only the first sample is an input."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        first = b.tensor((1,), "int16")
        rest = b.tensor((size,), "int16", data=rng.integers(least, greatest + 1, size))
        x = b.tensor((size + 1,), "int16")
        b.operator("CONCATENATION", [first, rest], [x], axis=0)
        y, exponent = b.tensor((size + 1,), "int16"), b.tensor((), "int32")
        b.custom("SignalFftAutoScale", [x], [y, exponent])
        return [first], [y, exponent]

    return case


def fft(
    length: int,
    dtype: str = "int16",
    *,
    samples: int | None = None,
    batch: Shape = (),
    inverse: bool = False,
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        spectrum, real = (*batch, length + 2), (*batch, samples or length)
        shapes = (spectrum, real) if inverse else (real, spectrum)
        x, y = (b.tensor(shape, dtype) for shape in shapes)
        kind = "SignalIrfft" if inverse else "SignalRfft"
        b.custom(kind, [x], [y], T=TENSOR_TYPES[dtype], fft_length=length)
        return [x], [y]

    return case


def energy(bins: int, start: int, stop: int) -> Case:
    """Compute energies; only those between `start` and `stop` are an output."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, whole = b.tensor((2 * bins,), "int16"), b.tensor((bins,), "uint32")
        b.custom("SignalEnergy", [x], [whole], start_index=start, end_index=stop)
        if (start, stop) == (0, bins):
            return [x], [whole]
        signed = b.tensor((bins,), "int32")
        b.operator("CAST", [whole], [signed])
        bounds = [b.tensor((1,), "int32", data=[value]) for value in (start, stop, 1)]
        y = b.tensor((stop - start,), "int32")
        b.operator("STRIDED_SLICE", [signed, *bounds], [y])
        return [x], [y]

    return case


def filter_bank(widths: Sequence[int], energies: int) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        total = max(1, sum(max(width, 0) for width in widths))
        starts = np.cumsum([0, *widths[:-1]]).clip(0)
        first = [int(rng.integers(0, energies - max(width, 0) + 1)) for width in widths]
        tables = [rng.integers(-(2**15), 2**15, total) for _ in range(2)]
        tables += [np.array(first), starts, np.array(widths)]
        x, y = b.tensor((energies,), "uint32"), b.tensor((len(widths) - 1,), "uint64")
        constants = [b.tensor(table.shape, "int16", data=table) for table in tables]
        b.custom("SignalFilterBank", [x, *constants], [y], num_channels=len(widths) - 1)
        return [x], [y]

    return case


def square_root(channels: int) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, bits = b.tensor((channels,), "uint64"), b.tensor((), "int32")
        y = b.tensor((channels,), "uint32")
        b.custom("SignalFilterBankSquareRoot", [x, bits], [y])
        return [x, bits], [y]

    return case


def pcan(channels: int, shift: int = 6, entries: int = 125, greatest: int = 2**15 - 1) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, noise, y = (b.tensor((channels,), "uint32") for _ in range(3))
        gains = rng.integers(-greatest - 1, greatest + 1, entries)
        table = b.tensor((entries,), "int16", data=gains)
        b.custom("SignalPCAN", [x, noise, table], [y], snr_shift=shift)
        return [x, noise], [y]

    return case


def logarithm(channels: int, scale: int = 64, bits: int = 3) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, y = b.tensor((channels,), "uint32"), b.tensor((channels,), "int16")
        b.custom("SignalFilterBankLog", [x], [y], input_correction_bits=bits, output_scale=scale)
        return [x], [y]

    return case


def divided(shape: Shape, divisors: Sequence[int]) -> Case:
    """DIV of int32 by constants, and MINIMUM and MAXIMUM with scalars, as they clamp features."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, quotient, upper, y = (b.tensor(shape, "int32") for _ in range(4))
        divisor = b.tensor((len(divisors),), "int32", data=divisors)
        b.operator("DIV", [x, divisor], [quotient])
        low, high = (b.tensor((), "int32", data=value) for value in (-(10**6), 10**6))
        b.operator("MINIMUM", [quotient, high], [upper])
        b.operator("MAXIMUM", [upper, low], [y])
        return [x], [quotient, y]

    return case


def unquantised(dtype: str) -> Case:
    """RESHAPE, STRIDED_SLICE and CONCATENATION of numbers without a scale."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, flat = b.tensor((2, 6), dtype), b.tensor((12,), dtype)
        b.operator("RESHAPE", [x, b.tensor((1,), "int32", data=[12])], [flat])
        bounds = [b.tensor((1,), "int32", data=[value]) for value in (1, 11, 2)]
        some = b.tensor((5,), dtype)
        b.operator("STRIDED_SLICE", [flat, *bounds], [some])
        zeros, y = b.tensor((3,), dtype, data=[0, 1, 2]), b.tensor((8,), dtype)
        b.operator("CONCATENATION", [zeros, some], [y], axis=0)
        return [x], [y]

    return case


def moved_unquantised(kind: str, dtype: str) -> Case:
    """An operator that moves numbers without a scale."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor((1, 6), dtype)
        shapes = {"CONCATENATION": (1, 12), "PACK": (2, 1, 6), "SQUEEZE": (6,)}
        y = b.tensor(shapes.get(kind, (1, 3)), dtype)
        if kind in ("CONCATENATION", "PACK"):
            options = {"axis": 1} if kind == "CONCATENATION" else {"axis": 0, "valuesCount": 2}
            b.operator(kind, [x, x], [y], **options)
        elif kind == "SQUEEZE":
            b.operator(kind, [x], [y], squeezeDims=[0])
        else:
            bounds = {"SLICE": ((0, 2), (1, 3)), "STRIDED_SLICE": ((0, 0), (1, 6), (1, 2))}
            operands = [b.tensor((2,), "int32", data=values) for values in bounds[kind]]
            b.operator(kind, [x, *operands], [y])
        return [x], [y]

    return case


def reshaped(dtype: str) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, y = b.tensor((2, 6), dtype), b.tensor((12,), dtype)
        b.operator("RESHAPE", [x, b.tensor((1,), "int32", data=[12])], [y])
        return [x], [y]

    return case


#: Powers of two, and numbers with every radix at every place.
_LENGTHS = (4, 6, 8, 10, 12, 16, 18, 20, 24, 30, 32, 40, 50, 60, 64, 128, 150, 256)

CASES: dict[str, Case] = {
    "window": window(),
    "window of each row": window((2, 3, 12), 12, 14),
    "window twice in a row": window((1, 24), 12),
    "window unshifted": window((20,), 20, 0),
    "window shifted by all": window((20,), 20, 31),
    "auto scale": auto_scale(20, least=-100, greatest=100),
    "auto scale positive": auto_scale(20, greatest=5),
    "auto scale large": auto_scale(20, least=-(2**15), greatest=2**15 - 1),
    "auto scale zeros": auto_scale(3, greatest=0),
    "auto scale lowest": auto_scale(5, least=-(2**15), greatest=-(2**15)),
    "auto scale lowest first": auto_scale(9, least=-7, greatest=-3),
    **{f"rfft {length}": fft(length) for length in (*_LENGTHS, 480, 512, 1024)},
    **{f"rfft {length} s32": fft(length, "int32") for length in _LENGTHS},
    **{f"rfft {length} f32": fft(length, "float32") for length in _LENGTHS},
    **{f"irfft {length}": fft(length, inverse=True) for length in (*_LENGTHS, 512)},
    **{f"irfft {length} s32": fft(length, "int32", inverse=True) for length in _LENGTHS},
    **{f"irfft {length} f32": fft(length, "float32", inverse=True) for length in _LENGTHS},
    "rfft padded": fft(512, samples=480),
    "rfft padded, odd": fft(64, samples=33),
    "rfft of one sample": fft(32, samples=1),
    "rfft padded s32": fft(64, "int32", samples=40),
    "rfft padded f32": fft(64, "float32", samples=41),
    "rfft batch": fft(32, samples=30, batch=(2, 3)),
    "irfft batch": fft(32, batch=(2, 3), inverse=True),
    "rfft batch f32": fft(24, "float32", samples=20, batch=(3,)),
    "irfft batch s32": fft(24, "int32", batch=(3,), inverse=True),
    "energy": energy(33, 0, 33),
    "energy in part": energy(33, 5, 20),
    "energy from one on": energy(20, 1, 20),
    "filter bank": filter_bank((3, 5, 0, 7, 4), 20),
    "filter bank of one channel": filter_bank((2, 3), 8),
    "filter bank, no width": filter_bank((-1, 3, 0), 8),
    "square root": square_root(20),
    "pcan": pcan(40),
    "pcan of small gains": pcan(40, greatest=200),
    "pcan shift 0": pcan(20, 0),
    "pcan shift 20": pcan(20, 20, entries=130),
    "log": logarithm(40),
    "log uncorrected": logarithm(40, 64, 0),
    "log of great scale": logarithm(40, 2**31 - 1, 0),
    "log of negative scale": logarithm(20, -64, 1),
    "log scale 1": logarithm(20, 1, 31),
    "div s32": divided((2, 7), [10]),
    "div s32 by a row": divided((3, 5), [1, -1, 7, -(2**31), 2**31 - 1]),
    "unquantised int8": unquantised("int8"),
    "unquantised int16": unquantised("int16"),
    "unquantised int32": unquantised("int32"),
    **{
        f"{kind.lower()} {dtype}": moved_unquantised(kind, dtype)
        for kind, dtypes in {
            "CONCATENATION": ("int64", "bool"),
            "PACK": ("int16", "int64"),
            "SLICE": ("bool",),
            "SQUEEZE": ("uint8", "uint32", "int64", "uint64", "bool"),
            "STRIDED_SLICE": ("bool", "int16"),
        }.items()
        for dtype in dtypes
    },
    "reshape uint32": reshaped("uint32"),
    "reshape uint64": reshaped("uint64"),
}
