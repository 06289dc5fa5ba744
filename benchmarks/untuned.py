# SPDX-License-Identifier: Apache-2.0
"""Networks that no kernel was tuned on: our kernels compared with CMSIS-NN's, on Cortex-M4 and M7.

    python benchmarks/untuned.py

Networks of known families with random weights (`benchmarks/networks.py`), quantised by the
TFLite converter once and kept in tinyflow's cache. Each image runs in the simulator, every output
byte is compared with the oracle. How long the C takes to be generated is printed too: CPU time,
which varies from machine to machine, and is no part of the bar.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import networks
import numpy as np
import pages
import typer
from common import Json, err, finish, verdict
from rich.table import Table

import tinyflow
from tinyflow import __version__
from tinyflow.boards import Board, load_board
from tinyflow.codegen.library import generate_model
from tinyflow.convert.convert import quantize
from tinyflow.datasets.dataset import Dataset
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.oracle.process import first_output
from tinyflow.passes import optimise
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.limits import choose
from tinyflow.pipeline.request import BuildRequest
from tinyflow.report.report_data import Report
from tinyflow.settings.project_file import Objective
from tinyflow.storage.cache import Cache, ContentHash
from tinyflow.tflite.importer import import_model

BOARDS = ("stm32l4r5", "stm32f746")
#: The bar: how many times fewer instructions and cycles than CMSIS-NN.
RATIO = 2.2
#: Seconds of CPU time that the generation of a model's C is meant to stay below.
GENERATION_S = 5.0
VECTORS = 3
_CALIBRATION = 100


@dataclass(frozen=True)
class Row:
    """One network on one board: instructions and modelled cycles of one inference."""

    network: str
    board: str
    macs: int
    cmsis_nn: str
    cmsis_instructions: int
    cmsis_cycles: int
    instructions: int
    cycles: int
    error_percent: int
    arena: int
    cmsis_arena: int
    flash: int
    cmsis_flash: int
    mismatches: int
    generation_s: float

    @property
    def instruction_ratio(self) -> float:
        return self.cmsis_instructions / self.instructions

    @property
    def cycle_ratio(self) -> float:
        return self.cmsis_cycles / self.cycles

    @property
    def kept(self) -> bool:
        return not self.mismatches and min(self.instruction_ratio, self.cycle_ratio) >= RATIO


def main(
    cmsis_nn: Annotated[
        Path | None, typer.Option(help="A folder of CMSIS-NN's sources.", show_default=False)
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(help="Only these.", show_default=", ".join(networks.NETWORKS)),
    ] = None,
    board: Annotated[
        list[str] | None, typer.Option(help="Only these boards.", show_default=", ".join(BOARDS))
    ] = None,
    write: Annotated[bool, typer.Option(help="Write the table of docs/performance.md.")] = False,
    as_json: Json = False,
) -> None:
    """Build each network with CMSIS-NN and with the kernels tinyflow chooses for speed.

    Exits with 1 when instructions or cycles are not 2.2 times fewer, or when one output byte
    differs from the oracle.
    """
    if write and (network or board):
        raise typer.BadParameter("only a whole run can be written", param_hint="--write")
    models = quantised()
    rows = [
        _measure(name, models / f"{name}.tflite", load_board(each), cmsis_nn)
        for name in network or networks.NETWORKS
        for each in board or BOARDS
    ]
    if write:
        pages.write("untuned", _page(rows))
    finish(
        _table(rows),
        [
            f"bar: instructions and modelled cycles {RATIO:g} times fewer than with CMSIS-NN, "
            "every output byte equal to the oracle's.",
            "generation: from the .tflite to C for the slowest objective, CPU time, meant to be "
            f"below {GENERATION_S:g} s.",
        ],
        {
            "rows": [
                {
                    **asdict(row),
                    "instruction_ratio": row.instruction_ratio,
                    "cycle_ratio": row.cycle_ratio,
                    "kept": row.kept,
                }
                for row in rows
            ]
        },
        as_json=as_json,
        passed=all(row.kept for row in rows),
    )


# --------------------------------------------------------------------------- the networks


def quantised() -> Path:
    """The folder of the quantised networks, made where the cache has it not."""
    source = Path(networks.__file__)
    key = ContentHash("untuned networks", __version__, source.read_text(), _CALIBRATION).key()
    return Cache().fetch(key, _make)


def _make(folder: Path) -> None:
    err.print("[dim]making and quantising the networks[/]")
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        command = [sys.executable, networks.__file__, name]
        subprocess.run(command, check=True, capture_output=True)
        for network, shape in networks.NETWORKS.items():
            samples = np.random.default_rng(3).normal(size=(_CALIBRATION, *shape))
            quantize(
                Path(name) / f"{network}.keras",
                Dataset((samples.astype(np.float32),)),
                output_path=folder / f"{network}.tflite",
            )


# ----------------------------------------------------------------------------- measuring


def _measure(name: str, path: Path, board: Board, cmsis_nn: Path | None) -> Row:
    err.print(f"[dim]{name} on {board.id}[/]")
    theirs = _build(path, name, board, kernels="cmsis-nn", optimize="speed", cmsis_nn=cmsis_nn)
    ours = _build(path, name, board, optimize="speed", cmsis_nn=cmsis_nn)
    return Row(
        network=name,
        board=board.id,
        macs=theirs.model.macs,
        cmsis_nn=theirs.kernels.cmsis_nn,
        cmsis_instructions=theirs.latency.instructions,
        cmsis_cycles=theirs.latency.cycles,
        instructions=ours.latency.instructions,
        cycles=ours.latency.cycles,
        error_percent=ours.latency.error_percent,
        arena=ours.memory.ram.arena,
        cmsis_arena=theirs.memory.ram.arena,
        flash=ours.memory.flash.total,
        cmsis_flash=theirs.memory.flash.total,
        mismatches=ours.exact.mismatches + theirs.exact.mismatches,
        generation_s=max(
            _generation_seconds(path, board, cmsis_nn, goal) for goal in get_args(Objective)
        ),
    )


def _build(path: Path, name: str, board: Board, **options: Any) -> Report:
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as folder:
        return tinyflow.build(
            path,
            board=board,
            name=name,
            output=Path(folder) / "build",
            vectors=VECTORS,
            placement="code",  # CMSIS-NN's weights would wait for flash too
            **options,
        )


def _generation_seconds(path: Path, board: Board, cmsis_nn: Path | None, goal: Objective) -> float:
    """CPU time from the `.tflite` to the C of the model's library."""
    content, cmsis = path.read_bytes(), find_cmsis_nn(cmsis_nn)
    request = BuildRequest(model=path, board=board, output=path.parent, optimize=goal)
    begin = time.process_time()
    graph = optimise(import_model(content, path, name="net"), content, path, first_output)
    planned = choose(BuildContext(request, cmsis), graph)
    generate_model(graph, planned.plan, cmsis, content)
    return time.process_time() - begin


# -------------------------------------------------------------------------------- tables

_HEAD = (
    "network", "board", "instructions", "with CMSIS-NN", "fewer", "cycles", "with CMSIS-NN",
    "fewer", "generation",
)  # fmt: skip
_MEMORY_HEAD = ("arena", "with CMSIS-NN", "flash", "with CMSIS-NN")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.network,
        row.board,
        f"{row.instructions:,}",
        f"{row.cmsis_instructions:,}",
        f"{row.instruction_ratio:.2f}",
        f"{row.cycles:,} ±{row.error_percent} %",
        f"{row.cmsis_cycles:,}",
        f"{row.cycle_ratio:.2f}",
        f"{row.generation_s:.1f} s",
    )


def _memory_cells(row: Row) -> tuple[str, ...]:
    figures = (row.arena, row.cmsis_arena, row.flash, row.cmsis_flash)
    return tuple(f"{figure:,}" for figure in figures)


def _page(rows: list[Row]) -> str:
    """The tables for docs/performance.md."""
    return "\n".join(
        (
            pages.table(_HEAD, map(_cells, rows)),
            pages.table(
                (*_HEAD[:2], "MACs", *_MEMORY_HEAD),
                ((row.network, row.board, f"{row.macs:,}", *_memory_cells(row)) for row in rows),
            ),
        )
    )


def _table(rows: list[Row]) -> Table:
    table = Table(title="Networks nothing was tuned on, one inference", box=None)
    for position, column in enumerate(_HEAD):
        justify: Any = "left" if position < 2 else "right"
        table.add_column(column.replace("with ", ""), justify=justify, no_wrap=True)
    table.add_column("bar")
    for row in rows:
        table.add_row(*_cells(row), verdict(row.kept))
    return table


if __name__ == "__main__":
    typer.run(main)
