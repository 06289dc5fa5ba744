"""The MLPerf Tiny models beside CMSIS-NN called directly: instructions, arena, stack and flash.

    python benchmarks/mlperf_tiny.py --cmsis-nn path/to/CMSIS-NN

Builds each model for a Cortex-M4 board with each copy of CMSIS-NN at hand, runs the image in the
simulator, and compares. All figures are exact: the same on every machine, for the same compiler.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from common import MODELS, TFLITE, Json, Models, err, finish, require, verdict
from rich.table import Table

import tinyflow
from tinyflow.kernels.cmsis_nn.source import CmsisNN, find_cmsis_nn
from tinyflow.report.model import Report

#: The bar: at most so many times the instructions, the same arena, so many bytes more of flash.
INSTRUCTIONS_RATIO = 1.03
FLASH_MARGIN = 8 * 1024


@dataclass(frozen=True)
class Direct:
    """CMSIS-NN called directly on a Cortex-M4, with a hand-written static plan."""

    instructions: int
    arena: int
    flash: int | None = None
    stack: int | None = None


#: By CMSIS-NN version and model. GCC 12.2, -O2; executed instructions counted in Unicorn, and
#: confirmed by QEMU. Flash and stack were measured with 7.0.0 only.
DIRECT = {
    "4.0.0": {
        "kws": Direct(7_668_000, 17_152),
        "ic": Direct(31_835_000, 51_456),
        "vww": Direct(23_907_000, 69_120),
        "ad": Direct(574_000, 768),
    },
    "7.0.0": {
        "kws": Direct(7_696_000, 16_256, 52_432, 644),
        "ic": Direct(29_860_000, 51_456, 101_724, 676),
        "vww": Direct(24_090_000, 65_536, 267_840, 644),
        "ad": Direct(580_000, 768, 277_488, 276),
    },
}


@dataclass(frozen=True)
class Row:
    """One model with one version of CMSIS-NN, ours beside the direct calls."""

    cmsis_nn: str
    model: str
    instructions: int
    arena: int
    stack: int
    flash: int
    mismatches: int
    direct: Direct | None

    @property
    def ratio(self) -> float | None:
        return None if self.direct is None else self.instructions / self.direct.instructions

    @property
    def kept(self) -> bool | None:
        if self.mismatches:
            return False
        if self.direct is None or self.ratio is None:
            return None
        flash = self.direct.flash
        return (
            self.ratio <= INSTRUCTIONS_RATIO
            and self.arena <= self.direct.arena
            and (flash is None or self.flash <= flash + FLASH_MARGIN)
        )


def main(
    models: Models = MODELS,
    cmsis_nn: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of CMSIS-NN's sources to measure too; may be given several times. The "
            "copy tinyflow finds by itself is always measured.",
            show_default=False,
        ),
    ] = None,
    board: Annotated[
        str, typer.Option(help="The board; the bar is for a Cortex-M4.")
    ] = "stm32l4r5",
    as_json: Json = False,
) -> None:
    """Build kws, ic, vww and ad with each CMSIS-NN and compare with CMSIS-NN called directly.

    Exits with 1 when a model needs more than 3 % more instructions, a larger arena, or more than
    8 KiB more flash, or when one output byte differs from the oracle.
    """
    require(models, "name the folder with --models or TINYFLOW_MODELS")
    copies = _copies(cmsis_nn or [])
    if not copies:
        err.print("no CMSIS-NN on this machine: give --cmsis-nn, or pip install bakenn")
        raise typer.Exit(1)
    rows = [_measure(model, models, board, copy) for copy in copies for model in TFLITE]
    finish(
        _table(rows, board),
        [
            "direct: CMSIS-NN called directly with a hand-written static plan, GCC 12.2 -O2, "
            "Cortex-M4, executed instructions counted in Unicorn.",
            "bar: instructions at most 3 % more, arena no larger, flash at most 8 KiB more, every "
            "output byte equal to the oracle's.",
        ],
        {"board": board, "rows": [_as_dict(row) for row in rows]},
        as_json=as_json,
        passed=all(row.kept is not False for row in rows),
    )


def _copies(folders: list[Path]) -> list[CmsisNN]:
    """The copy that a plain build would use, then the named ones, each once."""
    found = [find_cmsis_nn(), *(find_cmsis_nn(folder) for folder in folders)]
    by_root = {copy.root: copy for copy in found if copy.root is not None}
    return list(by_root.values())


def _measure(model: str, models: Path, board: str, copy: CmsisNN) -> Row:
    err.print(f"[dim]{model} with CMSIS-NN {copy.version}[/]")
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as folder:
        report: Report = tinyflow.build(
            models / TFLITE[model],
            board=board,
            name=model,
            output=Path(folder) / "build",
            cmsis_nn=copy.root,
        )
    ram = report.memory.ram
    return Row(
        cmsis_nn=copy.version,
        model=model,
        instructions=report.latency.instructions,
        arena=ram.arena,
        stack=ram.stack,
        flash=report.memory.flash.total,
        mismatches=report.exact.mismatches,
        direct=DIRECT.get(copy.version, {}).get(model)
        if report.board.core == "cortex-m4"
        else None,
    )


def _as_dict(row: Row) -> dict[str, Any]:
    return {**asdict(row), "ratio": row.ratio, "kept": row.kept}


def _table(rows: list[Row], board: str) -> Table:
    table = Table(title=f"MLPerf Tiny on {board}, one inference", box=None)
    for column in ("CMSIS-NN", "model"):
        table.add_column(column, no_wrap=True)
    columns = (
        "instructions", "direct", "ratio", "arena", "direct", "stack", "direct", "flash", "direct",
    )  # fmt: skip
    for column in columns:
        style = "dim" if column == "direct" else None
        table.add_column(column, justify="right", no_wrap=True, style=style)
    table.add_column("bar")
    for row in rows:
        direct = row.direct
        table.add_row(
            row.cmsis_nn,
            row.model,
            f"{row.instructions:,}",
            _bytes(direct and direct.instructions),
            "-" if row.ratio is None else f"{row.ratio:.3f}",
            f"{row.arena:,}",
            _bytes(direct and direct.arena),
            f"{row.stack:,}",
            _bytes(direct and direct.stack),
            f"{row.flash:,}",
            _bytes(direct and direct.flash),
            verdict(row.kept),
        )
    return table


def _bytes(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


if __name__ == "__main__":
    typer.run(main)
