# SPDX-License-Identifier: Apache-2.0
"""The process in which a quantised model is compared with its float model.

Started by `fidelity.py` through `tinyflow.worker`. Next to the job: `float.tflite`,
`quantised.tflite` and `samples.npz`. Reply: a `Fidelity`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.pipeline.fidelity import measure_fidelity


def main(_: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Do one job; see the module's docstring."""
    with np.load(folder / "samples.npz", allow_pickle=False) as arrays:
        samples = [arrays[str(index)] for index in range(len(arrays.files))]
    in_float, quantised = (folder / f"{name}.tflite" for name in ("float", "quantised"))
    return measure_fidelity(in_float.read_bytes(), quantised.read_bytes(), samples).to_json()
