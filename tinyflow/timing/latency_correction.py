# SPDX-License-Identifier: Apache-2.0
"""Measurements on the user's own boards, kept in a file of theirs, and what follows from them.

Each measurement is one model's cycles by a board's own counter, and the modelled ones. What is
kept for a board gives the factor by which later reports multiply. The file is `calibration.json`
in TINYFLOW_CONFIG, or in `tinyflow` in the user's configuration folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from tinyflow.boards import Board
from tinyflow.distribution import VERSION
from tinyflow.errors import InputError
from tinyflow.storage.files import write_file
from tinyflow.timing.validation import ErrorBar

#: Corrected figures are never said to be nearer than this.
_SMALLEST_BAR_PERCENT = 2


class BoardMeasurement(BaseModel):
    """One model on one board.

    Attributes:
        board: the board's id.
        model: the model's name; `sha256` that of its `.tflite`.
        modelled: cycles of one inference by the model, without a correction.
        measured: cycles by the board's counter, the median of `runs` inferences.
        basis: of the board file and the tinyflow that modelled.
        date: when, ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    board: str
    model: str
    sha256: str
    modelled: PositiveInt
    measured: PositiveInt
    runs: PositiveInt
    basis: str
    date: str

    @property
    def ratio(self) -> float:
        """Measured over modelled."""
        return self.measured / self.modelled


class _MeasurementsFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(default=1, ge=1, le=1)
    measurements: tuple[BoardMeasurement, ...] = ()


@dataclass(frozen=True)
class LatencyCorrection:
    """Result of several measurements on a board.

    Attributes:
        factor: by which modelled cycles are multiplied: the geometric mean of the ratios.
        measurements: how many.
        spread_percent: how far the farthest ratio is from the factor.
    """

    factor: float
    measurements: int
    spread_percent: float

    def error_bar(self, before: ErrorBar) -> ErrorBar:
        """The error bar of corrected cycles, from that of the uncorrected ones.

        The spread of the measurements, but no less than 2 %, and no less than the former bar
        divided by one more than the measurements: few of them do not show how much models differ.
        """
        few = math.ceil(before.percent / (self.measurements + 1))
        percent = max(_SMALLEST_BAR_PERCENT, math.ceil(self.spread_percent), few)
        models = "1 model" if self.measurements == 1 else f"{self.measurements} models"
        return ErrorBar(
            percent,
            f"{models} measured on a board of the user's, within {self.spread_percent:.1f} %",
        )


def basis_of(board: Board) -> str:
    """Names what a measurement compares with; another basis makes it worthless."""
    text = f"{VERSION}\n{board.model_dump_json()}"
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def correction_of(board: Board) -> LatencyCorrection | None:
    """Return the calibration of a board from its measurements; None if there are none that hold.

    Raises:
        InputError: the file is damaged.
    """
    basis = basis_of(board)
    return _together([found for found in measurements(board.id) if found.basis == basis])


def _together(found: Sequence[BoardMeasurement]) -> LatencyCorrection | None:
    if not found:
        return None
    logarithms = [math.log(measurement.ratio) for measurement in found]
    mean = math.fsum(logarithms) / len(logarithms)
    spread = max(math.expm1(abs(each - mean)) for each in logarithms)
    return LatencyCorrection(math.exp(mean), len(found), 100 * spread)


def measurements(board: str | None = None) -> tuple[BoardMeasurement, ...]:
    """All that is kept, or what is of one board.

    Raises:
        InputError: the file is damaged.
    """
    kept = _read(measurements_file()).measurements
    return tuple(found for found in kept if board in (None, found.board))


def remember(measurement: BoardMeasurement) -> None:
    """Keep a measurement; it replaces the same model's on the same board.

    Raises:
        InputError: the file is damaged or cannot be written.
    """
    _rewrite(
        lambda other: (other.board, other.sha256) != (measurement.board, measurement.sha256),
        (measurement,),
    )


def forget(board: str) -> int:
    """Drop what is kept of a board; returns how many measurements that were.

    Raises:
        InputError: the file is damaged or cannot be written.
    """
    return _rewrite(lambda other: other.board != board, ())


def measurements_file() -> Path:
    """Return the path of the file that keeps the measurements."""
    named = os.environ.get("TINYFLOW_CONFIG")
    if named:
        return Path(named) / "calibration.json"
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "tinyflow" / "calibration.json"


def _read(path: Path) -> _MeasurementsFile:
    try:
        return _MeasurementsFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _MeasurementsFile()
    except (ValidationError, ValueError) as error:
        raise InputError(
            f"{path}: damaged, or of another version of tinyflow",
            hint="Remove it, and calibrate again.",
        ) from error


def _rewrite(keep: Callable[[BoardMeasurement], bool], new: Sequence[BoardMeasurement]) -> int:
    """Rewrite the file in one step; returns how many measurements were dropped."""
    path = measurements_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            before = _read(path).measurements
            kept = tuple(filter(keep, before))
            text = _MeasurementsFile(measurements=(*kept, *new)).model_dump_json(indent=2) + "\n"
            write_file(path, text)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}",
            hint="Name another folder in TINYFLOW_CONFIG.",
        ) from error
    return len(before) - len(kept)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep a second process from writing at the same time."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path.with_name(f".{path.name}.lock"), flags, 0o666), "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
