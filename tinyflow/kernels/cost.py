"""What a kernel is predicted to cost on a board, from a table of measurements.

A table holds, for each kernel, how many modelled cycles each unit of its `work` takes, and the
bytes of the functions it runs. `tinyflow.tune` makes the tables; `docs/kernels.md` says how far
to trust them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tinyflow.boards import Board
from tinyflow.cache import ContentHash
from tinyflow.kernels.base import Kernel, Source

_NUMBER = re.compile(r"\d+")
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
        code: bytes in flash, by symbol, of every function that it runs and that is not in a
            generated file.
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


class SourceSize(BaseModel):
    """Bytes of code in flash of a generated file."""

    model_config = ConfigDict(frozen=True)

    template: str
    parameters: dict[str, int | str | bool]
    bytes: int


class CostTable(BaseModel):
    """The kernels' costs on one board.

    Attributes:
        board: what was measured: `board_key`.
        model: the timing model that measured: `tinyflow.tune.digest.model_digest`.
        kernels: by `kernel_name`.
        sources: generated files that were measured.
    """

    model_config = ConfigDict(frozen=True)

    board: str
    model: str
    kernels: dict[str, KernelCosts]
    sources: tuple[SourceSize, ...]

    def cost(self, kernel: Kernel) -> Cost | None:
        """The predicted cost; None where the kernel was not measured."""
        costs = self.of(kernel)
        if costs is None or not kernel.work or not costs.cycles.keys() >= kernel.work.keys():
            return None
        return Cost(_dot(costs.cycles, kernel.work), _dot(costs.instructions, kernel.work))

    def code(self, kernel: Kernel) -> dict[str, int]:
        """Bytes of the functions and generated files that the kernel runs, by symbol or file."""
        costs = self.of(kernel)
        found = {} if costs is None else dict(costs.code)
        return found | {source.file: self.source_bytes(source) for source in kernel.sources}

    def source_bytes(self, source: Source) -> int:
        """Bytes of a generated file: those of the most similar one that was measured."""
        wanted = set(source.parameters)
        similar = max(
            (known for known in self.sources if known.template == source.template),
            key=lambda known: len(wanted & known.parameters.items()),
            default=None,
        )
        return 0 if similar is None else similar.bytes

    def of(self, kernel: Kernel) -> KernelCosts | None:
        """The kernel's entry, or that of the most similar variant that was measured."""
        name = kernel_name(kernel)
        if name in self.kernels:
            return self.kernels[name]
        distances = ((dissimilarity(known, name), known) for known in self.kernels)
        distance, nearest = min(distances, default=(math.inf, ""))
        return self.kernels[nearest] if distance < math.inf else None

    def to_json(self) -> str:
        """The text of a table's file."""
        return self.model_dump_json(indent=1) + "\n"


def _dot(coefficients: Mapping[str, float], work: Mapping[str, int]) -> int:
    return round(sum(coefficients[name] * count for name, count in work.items()))


def kernel_name(kernel: Kernel) -> str:
    """What a table knows a kernel by: its family and its variant."""
    family = kernel_family(kernel)
    return f"{family}: {kernel.variant}" if kernel.variant else family


def kernel_family(kernel: Kernel) -> str:
    """What the variants of a kernel have in common: its function, or, where that is generated
    with them, the template of its call.
    """
    return kernel.template.removesuffix(".c.j2") if kernel.is_native else kernel.function


def dissimilarity(one: str, other: str) -> float:
    """How much the numbers in two kernels' names differ; infinite where the words do."""
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return math.inf
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return sum(abs(math.log((int(a) + 1) / (int(b) + 1))) for a, b in pairs)


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
