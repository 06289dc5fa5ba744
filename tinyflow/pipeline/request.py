# SPDX-License-Identifier: Apache-2.0
"""Request of a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinyflow.arrays import Array
from tinyflow.boards import Board
from tinyflow.settings.project_file import (
    Activations,
    BudgetTable,
    KernelSet,
    Objective,
    Placement,
    Project,
    PruneTable,
)

#: A data file, or the arrays themselves.
DataSource = Path | str | Array | Sequence[Array] | Mapping[str, Array]


@dataclass(frozen=True)
class BuildRequest:
    """Everything a build depends on."""

    model: Path
    board: Board
    output: Path
    name: str | None = None
    calibration: DataSource | None = None
    training: DataSource | None = None
    test: DataSource | None = None
    test_samples: int | None = None
    calibration_samples: int = 200
    activations: Activations = "int8"
    prune: PruneTable = field(default_factory=PruneTable)
    budget: BudgetTable = field(default_factory=BudgetTable)
    cmsis_nn: Path | None = None
    kernels: KernelSet = "auto"
    optimize: Objective = "balanced"
    placement: Placement = "auto"
    vectors: int = 20
    emit_tflite_array: bool = False
    dump: Path | None = None


def request_of(
    project: Project,
    board: Board,
    output: Path,
    dump: Path | None = None,
    **data: DataSource,
) -> BuildRequest:
    """Return a project's request for a board.

    Args:
        project: the options.
        board: the board, which need not be the project's.
        output: the folder of the build, from `output_path`.
        dump: the folder of the dump, from `output_path`; None for none.
        data: `calibration`, `training` or `test` given as arrays, in place of the project's files.
    """
    sources = {**dict(project.data), **data}
    return BuildRequest(
        model=project.model.path,
        board=board,
        output=output,
        name=project.model.name,
        calibration=sources["calibration"],
        training=sources["training"],
        test=sources["test"],
        test_samples=project.data.test_samples,
        calibration_samples=project.quantize.samples,
        activations=project.quantize.activations,
        prune=project.prune,
        budget=project.budget,
        cmsis_nn=project.build.cmsis_nn,
        kernels=project.build.kernels,
        optimize=project.build.optimize,
        placement=project.build.placement,
        vectors=project.build.vectors,
        emit_tflite_array=project.build.emit_tflite_array,
        dump=dump,
    )
