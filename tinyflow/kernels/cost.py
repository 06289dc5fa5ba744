"""What a kernel is predicted to cost on a board, from a table of measurements.

A table holds, for each kernel, how many modelled cycles each unit of its `work` takes, and the
bytes of the functions it runs. `tinyflow.tune` makes the tables; `docs/kernels.md` says how far
to trust them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tinyflow.boards import Board
from tinyflow.cache import ContentHash
from tinyflow.kernels.base import Kernel

COSTS = Path(__file__).resolve().parent / "costs"


@dataclass(frozen=True)
class Cost:
    """What one inference of a layer takes."""

    cycles: int
    instructions: int


class KernelCosts(BaseModel):
    """The measurements of one kernel, in all shapes it was tried in.

    Attributes:
        digest: of what was measured; another one says that the entry is stale.
        cycles: for each unit of work, by its name.
        instructions: the same of executed instructions.
        code: bytes in flash of every function that it runs, by symbol.
        layer_bytes: bytes in flash of what calls it, at most: code and structures.
        points: how many shapes were measured.
        error_percent: how far the prediction is from one of them at most.
    """

    model_config = ConfigDict(frozen=True)

    digest: str
    cycles: dict[str, float]
    instructions: dict[str, float]
    code: dict[str, int]
    layer_bytes: int
    points: int
    error_percent: float


class CostTable(BaseModel):
    """The kernels' costs on one board.

    Attributes:
        board: what was measured: `board_key`.
        model: the timing model that measured: `tinyflow.tune.digest.model_digest`.
        kernels: by `kernel_name`.
    """

    model_config = ConfigDict(frozen=True)

    board: str
    model: str
    kernels: dict[str, KernelCosts]

    def cost(self, kernel: Kernel) -> Cost | None:
        """The predicted cost; None where the kernel was not measured."""
        costs = self.of(kernel)
        if kernel.aliases_input:
            return Cost(0, 0)
        if costs is None or not kernel.work or not costs.cycles.keys() >= kernel.work.keys():
            return None
        return Cost(_dot(costs.cycles, kernel.work), _dot(costs.instructions, kernel.work))

    def code(self, kernel: Kernel) -> Mapping[str, int]:
        """Bytes of the functions that the kernel runs, by symbol; none where not measured."""
        costs = self.of(kernel)
        return {} if costs is None else costs.code

    def of(self, kernel: Kernel) -> KernelCosts | None:
        """The kernel's entry."""
        return self.kernels.get(kernel_name(kernel))

    def to_json(self) -> str:
        """The text of a table's file."""
        return self.model_dump_json(indent=1) + "\n"


def _dot(coefficients: Mapping[str, float], work: Mapping[str, int]) -> int:
    return round(sum(coefficients[name] * count for name, count in work.items()))


def kernel_name(kernel: Kernel) -> str:
    """What a table knows a kernel by: function, variant, and the code generated for it."""
    parts = [kernel.function, kernel.variant, *sorted(source.file for source in kernel.sources)]
    return " | ".join(part for part in parts if part)


def board_key(board: Board) -> str:
    """A hash of all of a board that modelled cycles depend on."""
    timing = None if board.timing is None else _without_sources(board.timing.model_dump())
    return ContentHash(
        board.core, board.fpu, board.float_abi, board.flash.origin, board.ram.origin, repr(timing)
    ).key()[:16]


def _without_sources(value: Any) -> Any:
    """Board data without the texts that say where it is from."""
    if isinstance(value, dict):
        return {key: _without_sources(part) for key, part in value.items() if key != "source"}
    if isinstance(value, list | tuple):
        return [_without_sources(part) for part in value]
    return value


def shipped_costs(board: Board) -> CostTable | None:
    """The table that is shipped for a board, or for another one with the same core and memory."""
    return next((table for table in _shipped() if table.board == board_key(board)), None)


@cache
def _shipped() -> tuple[CostTable, ...]:
    return tuple(table for path in sorted(COSTS.glob("*.json")) if (table := read_costs(path)))


def read_costs(path: Path) -> CostTable | None:
    """The table in a file; None where it is missing, or of another version."""
    try:
        return CostTable.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
