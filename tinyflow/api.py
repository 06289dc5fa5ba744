# SPDX-License-Identifier: Apache-2.0
"""The Python API: `tinyflow.build`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tinyflow.boards import Board, load_board
from tinyflow.pipeline.build import run
from tinyflow.pipeline.output import output_path
from tinyflow.pipeline.request import DataSource, request_of
from tinyflow.progress import Progress
from tinyflow.report.report_data import Report
from tinyflow.settings.options import with_options
from tinyflow.settings.project_file import (
    Activations,
    KernelSet,
    Objective,
    Placement,
    make_project,
)

if TYPE_CHECKING:
    import keras

_DATA = ("calibration", "training", "test")


def build(
    model: Path | str | keras.Model,
    *,
    board: str | Board,
    name: str | None = None,
    calibration: DataSource | None = None,
    training: DataSource | None = None,
    test: DataSource | None = None,
    test_samples: int | None = None,
    prune: Literal["none", "structured", "magnitude"] = "none",
    prune_ratio: float = 0.5,
    prune_epochs: int = 10,
    prune_learning_rate: float = 1e-3,
    prune_batch_size: int = 32,
    prune_seed: int = 0,
    activations: Activations = "int8",
    calibration_samples: int = 200,
    cmsis_nn: Path | str | None = None,
    optimize: Objective = "balanced",
    kernels: KernelSet = "auto",
    placement: Placement = "auto",
    vectors: int = 20,
    emit_tflite_array: bool = False,
    output: Path | str | None = None,
    dump: Path | str | None = None,
    latency_ms: float | None = None,
    ram_kib: float | None = None,
    flash_kib: float | None = None,
    accuracy_drop: float | None = None,
    max_error: float | None = None,
    progress: Progress | None = None,
) -> Report:
    """Compile a model to firmware, run it in the simulator, and report.

    The keywords are the options of `tinyflow build` and the keys of tinyflow.toml, with the same
    meaning and the same defaults; the page on usage describes each.

    Args:
        model: a `.keras`, `.h5`, SavedModel folder or quantised `.tflite`, or a Keras model.
        board: a board's name, see `tinyflow boards`, or a `Board`.
        calibration: representative samples: a file, an array (samples, *shape), or a mapping
            from input names to arrays. Needed unless the model is a `.tflite`. `training` and
            `test` are given alike, with the arrays `x` and `y`.
        progress: receives the stages of the build.

    Returns:
        What the board will show; the same as `report.json` in the output folder.

    Raises:
        TinyflowError: see `tinyflow.errors`.
    """
    given = dict(locals())
    for other in ("model", "board", "progress"):
        del given[other]
    data = {key: value for key in _DATA if (value := given.pop(key)) is not None}
    target = board if isinstance(board, Board) else load_board(board)

    def built(path: Path, fallback: str | None) -> Report:
        content = {"model": {"path": path, "name": fallback}}
        project = make_project(content, base=Path.cwd(), source="the arguments")
        project = with_options(project, given)
        folder = output_path(project.build.output, target.id)
        dump_to = project.build.dump and output_path(project.build.dump, target.id)
        return run(request_of(project, target, folder, dump_to, **data), progress)

    if isinstance(model, str | Path):
        return built(Path(model), None)
    saved: Any = model
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as temporary:
        path = Path(temporary) / "model.keras"
        saved.save(path)
        return built(path, str(saved.name))
