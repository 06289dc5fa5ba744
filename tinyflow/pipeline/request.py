"""What a build is asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinyflow.arrays import Array
from tinyflow.boards import Board
from tinyflow.project import Activations, BudgetTable, KernelSet, Objective, Placement, PruneTable

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
