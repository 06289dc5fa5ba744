# SPDX-License-Identifier: Apache-2.0
"""Times `tinyflow build`: wall-clock times, which vary from machine to machine.

    python benchmarks/pace.py

Each run is the real command in a new process. `cold` starts from a .tflite with nothing
cached, neither by tinyflow nor by PlatformIO; `warm` is the same command again. In all of them
TensorFlow and Keras are replaced by packages that refuse to be imported and leave a mark, so a
run that needed them would be found out.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from common import MODELS, TFLITE, Json, Models, err, finish, require, verdict
from rich.table import Table

#: The bar, seconds.
COLD_BAR, WARM_BAR = 10.0, 2.0

_BLOCKED = ("tensorflow", "keras", "tf_keras")
_BLOCKER = """\
import pathlib
pathlib.Path({mark!r}).touch()
raise ImportError("{package} is blocked by benchmarks/pace.py")
"""


def main(
    models: Models = MODELS,
    board: Annotated[str, typer.Option(help="The board to build for.")] = "stm32f746",
    runs: Annotated[int, typer.Option(min=1, help="Runs of each kind; the median counts.")] = 3,
    as_json: Json = False,
) -> None:
    """Time `tinyflow build` of kws: with nothing cached, and again with nothing changed.

    Exits with 1 when the median of the first is 10 s or more, that of the second 2 s or more, or
    when TensorFlow or Keras was imported.
    """
    require(models, "name the folder with --models or TINYFLOW_MODELS")
    cold, warm = [], []
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        folder = Path(name)
        mark = folder / "imported"
        blockers = _write_blockers(folder / "blockers", mark)
        _check_blocker(blockers, mark)
        for run in range(runs):
            err.print(f"[dim]run {run + 1} of {runs}[/]")
            place = folder / str(run)
            place.mkdir()
            environment = {
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(blockers), os.environ.get("PYTHONPATH", "")]),
                "TINYFLOW_CACHE": str(place / "cache"),
                "PLATFORMIO_CORE_DIR": str(place / "platformio"),
            }
            command = [
                sys.executable, "-m", "tinyflow", "build", str(models / TFLITE["kws"]),
                "--board", board, "--output", str(place / "build"),
            ]  # fmt: skip
            cold.append(_timed(command, environment))
            warm.append(_timed(command, environment))
        imported = mark.exists()
    figures = {"cold_s": statistics.median(cold), "warm_s": statistics.median(warm)}
    kept = (figures["cold_s"] < COLD_BAR, figures["warm_s"] < WARM_BAR)
    finish(
        _table(board, (cold, warm), kept),
        [
            f"TensorFlow and Keras imported: {'YES' if imported else 'no'}",
            "Wall-clock times: they vary with the machine and with what else it does.",
        ],
        {
            "board": board,
            "cold_runs_s": cold,
            "warm_runs_s": warm,
            **figures,
            "cold_bar_s": COLD_BAR,
            "warm_bar_s": WARM_BAR,
            "tensorflow_imported": imported,
        },
        as_json=as_json,
        passed=all(kept) and not imported,
    )


def _write_blockers(folder: Path, mark: Path) -> Path:
    for package in _BLOCKED:
        (folder / package).mkdir(parents=True)
        text = _BLOCKER.format(mark=str(mark), package=package)
        (folder / package / "__init__.py").write_text(text)
    return folder


def _check_blocker(folder: Path, mark: Path) -> None:
    """The control: with the blockers first on the path, an import fails and leaves the mark."""
    done = subprocess.run(
        [sys.executable, "-c", "import tensorflow"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0 and mark.exists(), "the import blocker does not block"
    mark.unlink()


def _timed(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        err.print(done.stderr, markup=False)
        raise typer.Exit(1)
    return seconds


def _table(board: str, times: tuple[list[float], list[float]], kept: tuple[bool, bool]) -> Table:
    table = Table(title=f"tinyflow build of kws for {board}", box=None)
    table.add_column("", no_wrap=True)
    for column in ("median", "fastest", "slowest", "bar"):
        table.add_column(column, justify="right", no_wrap=True)
    labels = ("cold: from .tflite, nothing cached", "warm: again, nothing changed")
    for label, values, limit, ok in zip(labels, times, (COLD_BAR, WARM_BAR), kept, strict=True):
        table.add_row(
            label,
            f"{statistics.median(values):.2f} s",
            f"{min(values):.2f} s",
            f"{max(values):.2f} s",
            f"{limit:g} s {verdict(ok)}",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
