"""The Python API: `tinyflow.build`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyflow.boards import Board, load_board
from tinyflow.pipeline.build import run
from tinyflow.pipeline.output import output_path
from tinyflow.pipeline.request import BuildRequest, DataSource
from tinyflow.progress import Progress
from tinyflow.project import Activations, BudgetTable, KernelSet, Objective, Placement, PruneTable
from tinyflow.report.model import Report

if TYPE_CHECKING:
    import keras


def build(
    model: Path | str | keras.Model,
    *,
    board: str | Board,
    calibration: DataSource | None = None,
    output: Path | str | None = None,
    name: str | None = None,
    training: DataSource | None = None,
    test: DataSource | None = None,
    activations: Activations = "int8",
    prune: PruneTable | None = None,
    budget: BudgetTable | None = None,
    cmsis_nn: Path | str | None = None,
    kernels: KernelSet = "auto",
    optimize: Objective = "balanced",
    placement: Placement = "auto",
    vectors: int = 20,
    emit_tflite_array: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Compile a model to firmware, run it in the simulator, and report.

    Args:
        model: a `.keras`, `.h5`, SavedModel folder or quantised `.tflite`, or a Keras model.
        board: a board's name, see `tinyflow boards`.
        calibration: representative samples: a file, an array (samples, *shape), or a mapping
            from input names to arrays. Needed unless the model is a `.tflite`.
        output: where the project goes; `build/<board>` where absent.
        name: name of the C functions; from the file's or the model's name where absent.
        training: samples `x` and labels `y`, for fine-tuning after pruning.
        test: samples `x` and labels `y`, for the accuracy.
        activations: what a Keras model's activations are quantised to, weights being int8.
        prune: pruning before quantisation.
        budget: limits, see `BudgetTable`.
        cmsis_nn: folder of CMSIS-NN's sources.
        kernels: `auto` takes the best for each layer; `native` and `cmsis-nn` take these
            wherever they can serve.
        optimize: what the choice of kernels makes best: `speed`, `size` (flash), `ram`, or all
            in balance.
        placement: `auto` copies code to RAM where that pays and, for speed, weights that are
            read over and over; `ram` code and all weights; `code` only code; `flash` nothing.
        vectors: inputs on which the firmware is compared with the oracle.
        emit_tflite_array: also emit the `.tflite` as a C array.
        progress: told about stages.

    Raises:
        TinyflowError: see `tinyflow.errors`.
    """
    target = board if isinstance(board, Board) else load_board(board)

    def request(path: Path, fallback: str | None) -> BuildRequest:
        return BuildRequest(
            model=path,
            board=target,
            output=output_path(None if output is None else Path(output), target.id),
            name=name or fallback,
            calibration=calibration,
            training=training,
            test=test,
            activations=activations,
            prune=prune or PruneTable(),
            budget=budget or BudgetTable(),
            cmsis_nn=None if cmsis_nn is None else Path(cmsis_nn),
            kernels=kernels,
            optimize=optimize,
            placement=placement,
            vectors=vectors,
            emit_tflite_array=emit_tflite_array,
        )

    if isinstance(model, str | Path):
        return run(request(Path(model), None), progress)
    saved: Any = model
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as folder:
        path = Path(folder) / "model.keras"
        saved.save(path)
        return run(request(path, str(saved.name)), progress)
