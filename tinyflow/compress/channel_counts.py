# SPDX-License-Identifier: Apache-2.0
"""The numbers of channels that structured pruning may keep, as models whose cost can be predicted.

Kernels take channels in fours, eights or sixteens: 30 channels can cost twice as much as 32. What a
board likes is not known here; each form becomes an int8 `.tflite`, and the one with the fewest
cycles is chosen where costs are known.

Imports Keras, hence TensorFlow: called in worker processes only.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.compress.channel_sets import Granularity
from tinyflow.compress.structured import prune_channels
from tinyflow.convert._worker import _convert, _load

#: The finest first.
_GRANULARITIES = (
    Granularity(1, 1),
    Granularity(4, 4),
    Granularity(8, 4),
    Granularity(8, 8),
    Granularity(16, 4),
    Granularity(16, 8),
    Granularity(16, 16),
)


def make_candidates(
    path: Path, model: Any, ratio: float, folder: Path
) -> list[dict[str, int] | None]:
    """Write `candidate_N.tflite` for every form that differs in some number of channels.

    Args:
        path: the model's file.
        model: the model, loaded.
        ratio: share of channels to remove.
        folder: holds `calibration.npz`, and receives the files.

    Returns:
        The granularity of each, as plain values; None for the model as it is, which comes first.
    """
    with np.load(folder / "calibration.npz", allow_pickle=False) as arrays:
        samples = [arrays[str(index)] for index in range(len(arrays.files))]
    forms: dict[tuple[int, ...], Granularity] = {}
    for granularity in _GRANULARITIES:
        _, summary = prune_channels(model, ratio, granularity=granularity)
        kept = tuple(layer.after for layer in summary.layers)
        if kept != tuple(layer.before for layer in summary.layers):
            forms.setdefault(kept, granularity)
    found: list[dict[str, int] | None] = []
    # Models are saved before the first conversion: that changes layers and functions of Keras.
    paths = [path]
    for granularity in forms.values():
        pruned, _ = prune_channels(model, ratio, granularity=granularity)
        paths.append(folder / f"form_{len(paths)}.keras")
        pruned.save(paths[-1], include_optimizer=False)
    for index, form in enumerate(paths):
        print(f"weighing form {index + 1} of {len(paths)}")
        loaded = _load(form)
        given = [
            np.asarray(each, spec.dtype) for each, spec in zip(samples, loaded.inputs, strict=True)
        ]
        converted = _convert(loaded, given, "int8")
        (folder / f"candidate_{index}.tflite").write_bytes(converted.quantised)
        found.append(None if index == 0 else asdict(list(forms.values())[index - 1]))
    return found
