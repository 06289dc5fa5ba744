# SPDX-License-Identifier: Apache-2.0
"""Prediction of a kernel's cost on a board, from a table of measurements.

A table holds, for each kernel, how many modelled cycles each unit of its `work` takes, and the
bytes of the functions it runs. `tinyflow.costs` makes the tables; `docs/kernels.md` says how far
to trust them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tinyflow.boards import Board
from tinyflow.kernels.base import Kernel, RowForm, Source
from tinyflow.kernels.name import KernelName

COSTS = Path(__file__).resolve().parent / "boards"

#: Parameters that a generated file's size does not depend on.
_OF_NO_SIZE = frozenset(
    "function greatest high least line line_pitch line_stride low name output_line pitch shift "
    "times zero".split()
)
#: Instructions to call a turn and to find a row, and the code bytes that a turn fetches again:
#: measured on the networks of MLPerf Tiny.
_STEP_INSTRUCTIONS, _ROW_INSTRUCTIONS, _STEP_BYTES = 10, 32, 640
_WORD = re.compile(r"\d+|[^\s\d,_]+")
#: The dissimilarity of two words; numbers differ by the logarithm of their ratio.
_UNLIKE = 1.0


@dataclass(frozen=True)
class Cost:
    """Cost of one inference of a layer."""

    cycles: int
    instructions: int


class KernelCosts(BaseModel):
    """The measurements of one kernel, in all shapes it was tried in.

    Attributes:
        digest: of the measured code; the entry is stale if it differs.
        cycles: for each unit of work, by its name.
        instructions: the same of executed instructions.
        points: number of shapes measured.
        error_percent: the largest error of the prediction at one of them.
    """

    model_config = ConfigDict(frozen=True)

    digest: str
    cycles: dict[str, float]
    instructions: dict[str, float]
    points: int
    error_percent: float


class FamilyCode(BaseModel):
    """Flash bytes that all variants of a kernel need in addition to their generated files.

    Attributes:
        functions: of every function, by symbol.
        layer_bytes: upper bound for the calling layer's code and structures.
    """

    model_config = ConfigDict(frozen=True)

    functions: dict[str, int]
    layer_bytes: int


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
        model: the timing model that measured: `tinyflow.costs.digest.model_digest`.
        families: by `kernel_family`.
        kernels: by `kernel_name`.
        sources: generated files that were measured.
    """

    model_config = ConfigDict(frozen=True)

    board: str
    model: str
    families: dict[str, FamilyCode]
    kernels: dict[str, KernelCosts]
    sources: tuple[SourceSize, ...]

    def cost(self, kernel: Kernel) -> Cost | None:
        """The predicted cost; None if the kernel was not measured."""
        costs = self.of(kernel)
        if costs is None or not kernel.work:
            return None
        return Cost(_dot(costs.cycles, kernel.work), _dot(costs.instructions, kernel.work))

    def by_rows(self, kernel: Kernel, rows: int, board: Board) -> Cost | None:
        """Return the extra cost if the kernel computes its rows one by one, interleaved with other
        layers.

        Args:
            kernel: the kernel.
            rows: of its output.
            board: that of the table.

        Returns:
            At least 1 cycle; None if the kernel was not measured or cannot. For a kernel with a
            `row_kernel`, the cost of that less its own, where one that was not measured counts
            as nothing: then this is an upper bound.
        """
        able = kernel.by_rows
        costs = None if able is None else self.of(able)
        if able is None or able.row_form is None or costs is None:
            return None
        turn, form = step_cost(able.row_form, board), able.row_form
        more = {name: rows * count - able.work.get(name, 0) for name, count in form.work.items()}
        cycles = _dot(costs.cycles, more) + rows * turn.cycles
        instructions = _dot(costs.instructions, more) + rows * turn.instructions
        if able is not kernel:
            own, other = self.cost(kernel) or Cost(0, 0), self.cost(able) or Cost(0, 0)
            cycles += other.cycles - own.cycles
            instructions += other.instructions - own.instructions
        return Cost(max(1, cycles), max(1, instructions))

    def code(self, kernel: Kernel) -> dict[str, int]:
        """Bytes of the functions and generated files that the kernel runs, by symbol or file."""
        family = self.families.get(kernel_family(kernel))
        found = {} if family is None else family.functions
        return found | {source.file: self.source_bytes(source) for source in kernel.sources}

    def source_bytes(self, source: Source) -> int:
        """Bytes of a generated file: those of the most similar one that was measured."""
        wanted = source_parameters(source)
        similar = min(
            (known for known in self.sources if known.template == source.template),
            key=lambda known: sum(_unlike(known.parameters.get(name), v) for name, v in wanted),
            default=None,
        )
        return 0 if similar is None else similar.bytes

    def of(self, kernel: Kernel) -> KernelCosts | None:
        """The kernel's entry, or that of the most similar variant that was measured."""
        name = kernel_name(kernel)
        if name in self.kernels:
            return self.kernels[name]
        family = kernel_family(kernel)
        relatives = (known for known in self.kernels if _family_of(known) == family)
        nearest = min(relatives, key=lambda known: dissimilarity(known, name), default=None)
        return None if nearest is None else self.kernels[nearest]

    def layer_bytes(self, kernel: Kernel) -> int:
        """Bytes in flash of the layer itself."""
        family = self.families.get(kernel_family(kernel))
        return 0 if family is None else family.layer_bytes

    def to_json(self) -> str:
        """The text of a table's file, a line for each entry."""
        whole = self.model_dump(mode="json")
        parts = ",\n".join(f'"{name}": {_lines(part)}' for name, part in whole.items())
        return f"{{\n{parts}\n}}\n"


def _lines(part: object) -> str:
    """JSON of one level with a line for each of its members."""
    if isinstance(part, dict):
        members = ",\n".join(f"{json.dumps(key)}: {json.dumps(part[key])}" for key in part)
        return f"{{\n{members}\n}}"
    if isinstance(part, list):
        return "[\n" + ",\n".join(map(json.dumps, part)) + "\n]"
    return json.dumps(part)


def _dot(coefficients: Mapping[str, float], work: Mapping[str, int]) -> int:
    return round(sum(coefficients.get(name, 0.0) * count for name, count in work.items()))


def source_parameters(source: Source) -> tuple[tuple[str, int | str | bool], ...]:
    """The parameters that a generated file's size may depend on."""
    return tuple(pair for pair in source.parameters if pair[0] not in _OF_NO_SIZE)


def _unlike(value: int | str | bool | None, other: int | str | bool) -> float:
    """Return the difference of two parameter values; for numbers the logarithm of the ratio."""
    if type(value) is int and type(other) is int:
        return abs(math.log((abs(value) + 1) / (abs(other) + 1)))
    return 0.0 if value == other else _UNLIKE


def kernel_name(kernel: Kernel) -> str:
    """Return the key of a kernel in cost tables: its name, or its function and variant."""
    return ", ".join(filter(None, (kernel.title, kernel.variant)))


def kernel_family(kernel: Kernel) -> str:
    """Return the part of a kernel's name that its variants share."""
    return kernel.function if kernel.name is None else kernel.name.family


@cache  # each kernel of an operator asks for all names of the table
def _family_of(name: str) -> str:
    """Return the family of a `kernel_name`."""
    generated = KernelName.parse(name)
    return name.partition(", ")[0] if generated is None else generated.family


def dissimilarity(one: str, other: str) -> float:
    """Return how different the words and numbers of two kernels' names are; 0 for the same."""
    words, others = _WORD.findall(one), _WORD.findall(other)
    if len(words) != len(others):
        return _UNLIKE * max(len(words), len(others))
    return sum(_distance(a, b) for a, b in zip(words, others, strict=True))


def _distance(word: str, other: str) -> float:
    if word.isdigit() and other.isdigit():
        return abs(math.log((int(word) + 1) / (int(other) + 1)))
    return 0.0 if word == other else _UNLIKE


def board_key(board: Board) -> str:
    """A hash of all of a board that modelled cycles depend on."""
    timing = None if board.timing is None else _without_sources(board.timing.model_dump())
    what = (board.core, board.fpu, board.float_abi, board.flash.origin, board.ram.origin, timing)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


def _without_sources(value: Any) -> Any:
    """Board data without the texts that say where it is from."""
    if isinstance(value, dict):
        return {key: _without_sources(part) for key, part in value.items() if key != "source"}
    if isinstance(value, list | tuple):
        return [_without_sources(part) for part in value]
    return value


def step_cost(form: RowForm, board: Board) -> Cost:
    """Return the cost of one row of a layer besides its kernel, where layers run row by row.

    Other layers run between two turns and evict a layer's code from a small cache.
    """
    instructions = _STEP_INSTRUCTIONS + _ROW_INSTRUCTIONS * form.height
    timing = board.timing
    if timing is None or timing.fetch.cache is None:
        return Cost(instructions, instructions)
    lines = _STEP_BYTES // timing.fetch.cache.line_bytes
    return Cost(round(instructions + lines * timing.cycles(timing.fetch)), instructions)


def shipped_costs(board: Board) -> CostTable | None:
    """The table that is shipped for a board, or for another one with the same core and memory."""
    return next((table for table in _shipped() if table.board == board_key(board)), None)


@cache
def _shipped() -> tuple[CostTable, ...]:
    return tuple(table for path in sorted(COSTS.glob("*.json")) if (table := read_costs(path)))


def read_costs(path: Path) -> CostTable | None:
    """The table in a file; None if it is missing, or of another version."""
    try:
        return CostTable.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
