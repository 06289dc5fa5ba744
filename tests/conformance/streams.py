# SPDX-License-Identifier: Apache-2.0
"""Operators of TFLM's signal library that keep samples or estimates from call to call.

The vectors of a build are one sequence, so that every vector but the first meets a state.
"""

from __future__ import annotations

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TENSOR_TYPES, TfliteBuilder

Found = tuple[list[int], list[int]]
Shape = tuple[int, ...]


def spectral_subtraction(
    channels: int,
    *,
    even: tuple[int, int] = (409, 15975),
    odd: tuple[int, int] = (983, 15401),
    least: int = 819,
    smoothing_bits: int = 10,
    bits: int = 14,
    clamping: bool = False,
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, y, noise = (b.tensor((channels,), "uint32") for _ in range(3))
        b.custom(
            *("SignalFilterBankSpectralSubtraction", [x], [y, noise]),
            alternate_one_minus_smoothing=odd[1],
            alternate_smoothing=odd[0],
            clamping=clamping,
            min_signal_remaining=least,
            num_channels=channels,
            one_minus_smoothing=even[1],
            smoothing=even[0],
            smoothing_bits=smoothing_bits,
            spectral_subtraction_bits=bits,
        )
        return [x], [y, noise]

    return case


def framer(shape: Shape, size: int, step: int, *, prefill: bool = False) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor(shape, "int16")
        y = b.tensor((*shape[:-1], shape[-1] // step, size), "int16")
        valid = b.tensor((), "bool")
        b.custom(
            *("SignalFramer", [x], [y, valid]), frame_size=size, frame_step=step, prefill=prefill
        )
        return [x], [y, valid]

    return case


def overlap_add(shape: Shape, step: int, dtype: str = "int16") -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, y = b.tensor(shape, dtype), b.tensor((*shape[:-2], shape[-2] * step), dtype)
        b.custom("SignalOverlapAdd", [x], [y], T=TENSOR_TYPES[dtype], frame_step=step)
        return [x], [y]

    return case


def delay(shape: Shape, length: int) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, y = b.tensor(shape, "int16"), b.tensor(shape, "int16")
        b.custom("SignalDelay", [x], [y], delay_length=length)
        return [x], [y]

    return case


def stacker(channels: int, left: int, right: int, step: int) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor((channels,), "int16")
        y, valid = b.tensor((channels * (left + right + 1),), "int16"), b.tensor((), "bool")
        b.custom(
            *("SignalStacker", [x], [y, valid]),
            num_channels=channels,
            stacker_left_context=left,
            stacker_right_context=right,
            stacker_step=step,
        )
        return [x], [y, valid]

    return case


CASES: dict[str, Case] = {
    "subtraction": spectral_subtraction(20),
    "subtraction, clamped": spectral_subtraction(21, clamping=True),
    "subtraction unsmoothed": spectral_subtraction(9, smoothing_bits=0, bits=0),
    "subtraction of great weights": spectral_subtraction(
        *(9,), even=(2**31 - 1, 2**30), odd=(7, 2**31 - 1), least=2**30, bits=40
    ),
    "subtraction, negative weights": spectral_subtraction(
        9, even=(-5, -(2**31)), odd=(-1, 3), least=-9, smoothing_bits=31, bits=31
    ),
    "framer": framer((1, 12), 20, 4),
    "framer, prefilled": framer((1, 12), 20, 4, prefill=True),
    "framer of uneven frames": framer((12,), 19, 6),
    "framer of uneven frames, prefilled": framer((12,), 19, 6, prefill=True),
    "framer without overlap": framer((2, 12), 6, 6),
    "framer with gaps": framer((2, 12), 4, 6),
    "framer of rows": framer((2, 3, 5), 12, 5),
    "framer, one sample a step": framer((3,), 7, 1),
    "overlap add": overlap_add((1, 3, 20), 8),
    "overlap add of rows": overlap_add((2, 2, 2, 9), 3),
    "overlap add without overlap": overlap_add((3, 8), 8),
    "overlap add f32": overlap_add((1, 3, 20), 8, "float32"),
    "overlap add of rows f32": overlap_add((2, 2, 9), 4, "float32"),
    "delay": delay((1, 16), 5),
    "delay longer than the input": delay((1, 6), 17),
    "delay of rows": delay((2, 3, 4), 9),
    "no delay": delay((7,), 0),
    "stacker": stacker(4, 2, 1, 1),
    "stacker of every third": stacker(4, 2, 3, 3),
    "stacker of one frame": stacker(5, 0, 0, 1),
    "stacker of none twice": stacker(3, 1, 2, 4),
    "stacker to the right": stacker(3, 0, 4, 2),
}
