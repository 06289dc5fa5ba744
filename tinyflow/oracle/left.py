# SPDX-License-Identifier: Apache-2.0
"""Operators that leave outputs as they are in memory, where TFLM's kernels have nothing to write.

What is there is garbage, in an arena. The oracle gives it a meaning: what the output was in the run
before, or zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tinyflow.arrays import Array
from tinyflow.errors import InputError
from tinyflow.tflite.custom_options import DamagedOptionsError, read_options


class Left(Protocol):
    """Function that returns the elements that count in the outputs of such an operator."""

    def settled(
        self, found: Sequence[Array], before: Sequence[Array] | None, runs: int
    ) -> list[Array]:
        """The outputs as they count.

        Args:
            found: as the kernel left them.
            before: as they counted in the run before; None in the first run.
            runs: before this one, since the state's reset.
        """


class StackerLeft:
    """SignalStacker: without new frames its output is the last one, zeros at first."""

    def settled(
        self, found: Sequence[Array], before: Sequence[Array] | None, runs: int
    ) -> list[Array]:
        """See `Left`; the outputs are the frames, and whether they are new."""
        frames, is_new = found
        if not is_new:
            frames = np.zeros_like(frames) if before is None else before[0]
        return [frames, is_new]


@dataclass(frozen=True)
class FramerLeft:
    """SignalFramer: frames that are not whole are zeros, which they are in the first runs alone.

    Attributes:
        size: samples of a frame.
        step: samples from one to the next.
    """

    size: int
    step: int

    def settled(
        self, found: Sequence[Array], before: Sequence[Array] | None, runs: int
    ) -> list[Array]:
        """See `Left`; the outputs are the frames, and whether all are whole."""
        frames, valid = found
        count = frames.shape[-2]
        samples = (runs * count + np.arange(1, count + 1)) * self.step
        whole = (samples >= self.size)[:, np.newaxis]
        return [np.where(whole, frames, 0).astype(frames.dtype), valid]


class DetectionsLeft:
    """TFLite_Detection_PostProcess: detections beyond their number are zeros."""

    def settled(
        self, found: Sequence[Array], before: Sequence[Array] | None, runs: int
    ) -> list[Array]:
        """See `Left`; the outputs are boxes, classes, scores and their number."""
        *detections, count = found
        number = int(count.ravel()[0])
        kept = []
        for tensor, width in zip(detections, (4, 1, 1), strict=True):
            flat = tensor.ravel().copy()
            flat[number * width :] = 0
            kept.append(flat.reshape(tensor.shape))
        return [*kept, count]


def left_by(kind: str, options: Any) -> Left | None:
    """Return the elements that count in an operator's outputs; None if its kernel always writes all
    of them.

    Args:
        kind: the operator's name.
        options: the bytes of a custom operator's options.

    Raises:
        InputError: the options are damaged.
    """
    if kind == "TFLite_Detection_PostProcess":
        return DetectionsLeft()
    if kind not in ("SignalFramer", "SignalStacker"):
        return None
    try:
        found = read_options(bytes(bytearray(options)))
        values = {name: value.signed for name, value in found.items()}
        if kind == "SignalStacker":
            always = values["stacker_right_context"] == 0 and values["stacker_step"] == 1
            return None if always else StackerLeft()
        size, step = values["frame_size"], values["frame_step"]
        return None if values["prefill"] or size <= step else FramerLeft(size, step)
    except (DamagedOptionsError, KeyError, TypeError) as error:
        raise InputError(f"the oracle cannot run this model: {kind} without its options") from error
