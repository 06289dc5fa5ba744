# SPDX-License-Identifier: Apache-2.0
"""Weights of two output channels in one run of words, as the matrix tiles read them.

For each pair of channels: both biases, the weights step by step, and of either channel the two
constants of its requantisation. A step is what one SMLAD takes of a pixel's window: two elements.
The window is expanded four bytes at a time, to the halfwords (byte 0, byte 2) and (byte 1, byte 3),
so that steps take elements 0 and 2, 1 and 3, 4 and 6, and so on.

Two forms hold the four weights of a step in a word:

packed: two halfwords of `256 * high + low`. An SMLAD with the word as it is sums `256 * h + l`, h
and l being the channels' sums; with the sign-extended low bytes of the halfwords it sums l. Then
`h = (256 * h + l - l) >> 8`, for which `256 * h` must fit 32 bits and each halfword 16.

bytes: low, high, low, high. SXTB16 extracts the halfwords of either channel; all weights are
allowed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyflow.kernels.generated.requantise import Requantisation

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]

#: Steps of a window's word: four elements, two a step.
STEPS_PER_WORD = 2
#: Bytes of a pair of channels in the packed weights, besides its steps.
FURTHER_WORDS = 6


def folded_bias(bias: NDArray[np.int32] | None, weights: NDArray[np.int8], zero: int) -> Int64s:
    """Biases from which the weights' sums times the input's zero point are taken.

    Args:
        bias: int32 (channels,), None for zeros.
        weights: int8 (channels, ...).
        zero: the input's zero point.

    Returns:
        int64 (channels,), within int32: sums wrap, as those of the accumulator do.
    """
    sums = weights.reshape(len(weights), -1).astype(np.int64).sum(axis=1)
    folded = (0 if bias is None else bias.astype(np.int64)) - zero * sums
    return wrapped(folded).astype(np.int64)


def wrapped(values: Int64s) -> Int32s:
    """Return the low 32 bits as int32."""
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def packs(weights: NDArray[np.int8], bias: Int64s) -> bool:
    """Whether the packed form is exact.

    Args:
        weights: int8 (channels, elements).
        bias: int64 (channels,), folded.
    """
    pairs = _pairs(weights.astype(np.int64))
    halfwords = 256 * pairs[:, 1] + pairs[:, 0]
    # Bound on the magnitude of the sum, for any int8 input.
    reach = np.abs(bias) + 128 * np.abs(weights.astype(np.int64)).sum(axis=1)
    return bool(
        np.all((halfwords >= -(2**15)) & (halfwords < 2**15)) and np.all(reach[1::2] < 2**23)
    )


def packed_weights(
    weights: NDArray[np.int8],
    bias: Int64s,
    requant: Requantisation,
    *,
    steps: int,
    packed: bool,
    is_4x2: bool = False,
) -> NDArray[np.uint32]:
    """Pack the weights of a layer.

    Args:
        weights: int8 (channels, elements), an element for each byte of a window.
        bias: int64 (channels,), folded.
        requant: the layer's requantisation.
        steps: of a pair of channels; those beyond the window have weights of zero.
        packed: the form, see above.
        is_4x2: two pairs together: their biases, then their weights step by step, then both
            requantisations; the channels are a multiple of four.

    Returns:
        uint32 (pairs * (steps + 6),); a last channel without partner is paired with zeros.
    """
    channels, elements = weights.shape
    padded = np.zeros((channels, 2 * steps), np.int64)
    padded[:, :elements] = weights
    # (pairs, low or high, words, byte) to (pairs, low or high, steps, half)
    words = _pairs(padded).reshape(-1, 2, steps // STEPS_PER_WORD, 4)
    low, high = (
        np.stack([words[:, i, :, 0:2], words[:, i, :, 2:4]], axis=-1).reshape(-1, steps, 2)
        for i in (0, 1)
    )
    halfwords = 256 * high + low if packed else 256 * (high & 0xFF) + (low & 0xFF)
    halfwords &= 0xFFFF
    biases = _pairs(bias[:, None])[:, :, 0]
    if packed:
        biases = np.stack([biases[:, 0], 256 * biases[:, 1] + biases[:, 0]], axis=1)
    parts = (
        biases & 0xFFFFFFFF,
        halfwords[:, :, 0] | halfwords[:, :, 1] << 16,
        _pairs(requant.words.astype(np.int64)).reshape(-1, 4),
    )
    if is_4x2:
        first, among, last = (part.reshape(-1, 2, part.shape[1]) for part in parts)
        count = len(first)
        parts = (
            first.reshape(count, -1),
            among.transpose(0, 2, 1).reshape(count, -1),
            last.reshape(count, -1),
        )
    return np.concatenate(parts, axis=1).astype(np.uint32).ravel()


def _pairs(rows: Int64s) -> Int64s:
    """Rows of channels two by two: (pairs, 2, ...); a last one without partner gets zeros."""
    odd = len(rows) % 2
    padded = np.concatenate([rows, np.zeros((odd, *rows.shape[1:]), rows.dtype)])
    return padded.reshape(-1, 2, *rows.shape[1:])
