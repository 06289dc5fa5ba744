# SPDX-License-Identifier: Apache-2.0
"""The MLPerf Tiny models: our kernels compared with CMSIS-NN, BakeNN, and published results.

    python benchmarks/mlperf_tiny.py --cmsis-nn path/to/CMSIS-NN
    python benchmarks/mlperf_tiny.py --board stm32l4r5 --model kws --goal speed    # a part of it

Builds whole images, runs each in the simulator, and compares every output byte with the oracle.
Instructions, arena, stack and flash are exact: the same on every machine, for the same compiler.
Cycles are modelled, with the error bar of the board; published ones were measured on it. All
constants are read from flash, but for one figure of each model: that of speed with weights in RAM.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pages
import typer
from common import MODELS, TFLITE, Json, Models, err, finish, require, verdict
from others import (
    BARS,
    DIRECT,
    DIRECT_FLASH,
    DIRECT_INSTRUCTIONS,
    PUBLISHED,
    Direct,
    best_published,
)
from rich.table import Table

import tinyflow
from tinyflow.boards import load_board
from tinyflow.kernels.cmsis_nn.source import CmsisNN, find_cmsis_nn
from tinyflow.oracle.oracle import Oracle
from tinyflow.report.report_data import Report
from tinyflow.settings.project_file import Objective
from tinyflow.timing.traced_run import FunctionCall, call_function

BOARDS = ("stm32l4r5", "stm32f746")
GOALS: tuple[Objective, ...] = ("speed", "balanced", "size", "ram")
#: Vectors of each build that are compared with the oracle.
VECTORS = 5
_BAKENN = "BakeNN"


@dataclass(frozen=True)
class Row:
    """One inference of one model.

    Attributes:
        board: where.
        model: kws, ic, vww or ad.
        kernels: whose: `CMSIS-NN 4.0.0`, `BakeNN 1.0.0`, or `tinyflow`.
        goal: what tinyflow's kernels were chosen for.
        instructions: executed.
        cycles: modelled.
        error_percent: how far the cycles may be off.
        arena: bytes.
        stack: bytes at most in use; None without a firmware around the model.
        flash: bytes of the whole image; None likewise.
        mismatches: output bytes that differ from the oracle's.
        broken: the bars that are missed, in words.
        judged: there are bars for it.
        cycles_with_ram: with constants in RAM too; None if that was not asked for or does not pay.
        weights_in_ram: bytes of them.
    """

    board: str
    model: str
    kernels: str
    goal: str | None
    instructions: int
    cycles: int
    error_percent: int
    arena: int
    stack: int | None
    flash: int | None
    mismatches: int
    broken: tuple[str, ...] = ()
    judged: bool = True
    cycles_with_ram: int | None = None
    weights_in_ram: int = 0

    @property
    def label(self) -> str:
        return f"tinyflow, {self.goal}" if self.goal else self.kernels

    @property
    def kept(self) -> bool | None:
        if self.mismatches:
            return False
        return not self.broken if self.judged else None


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
        list[str] | None, typer.Option(help="Only these boards.", show_default=", ".join(BOARDS))
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Only these models.", show_default=", ".join(TFLITE))
    ] = None,
    goal: Annotated[
        list[str] | None, typer.Option(help="Only these goals.", show_default=", ".join(GOALS))
    ] = None,
    others: Annotated[bool, typer.Option(help="CMSIS-NN and BakeNN as well.")] = True,
    write: Annotated[bool, typer.Option(help="Write the tables of docs/performance.md.")] = False,
    as_json: Json = False,
) -> None:
    """Build kws, ic, vww and ad for each board and each goal, and compare.

    Exits with 1 when a figure of ours is above its bar, when our calls of CMSIS-NN take more than
    3 % more instructions than direct ones, a larger arena or more than 8 KiB more flash, or when
    one output byte differs from the oracle.
    """
    require(models, "name the folder with --models or TINYFLOW_MODELS")
    whole = not (board or model or goal) and others
    if write and not whole:
        raise typer.BadParameter("only a whole run can be written", param_hint="--write")
    copies = _copies(cmsis_nn or [])
    rows: list[Row] = []
    for each_board in board or BOARDS:
        for each_model in model or TFLITE:
            path = models / TFLITE[each_model]
            if others:
                rows += [_cmsis_nn(path, each_model, each_board, copy) for copy in copies]
                rows += _bakenn(path, each_model, each_board)
            rows += [_ours(path, each_model, each_board, each) for each in goal or GOALS]
    if write:
        for each_board in board or BOARDS:
            pages.write(f"mlperf-tiny-{each_board}", _page(rows, each_board))
        pages.write("published", _published_page(rows))
    finish(
        _table(rows),
        [
            *(f"[red]{row.board} {row.model} {row.label}[/]: {one}" for row in rows
              for one in row.broken),
            "cycles: modelled; to CMSIS-NN: those of the faster copy of CMSIS-NN divided by these.",
            "weights in RAM: what speed takes with those that pay there, and their bytes.",
            "published: the fewest cycles published for the board, measured: benchmarks/others.py.",
        ],
        {
            "rows": [{**asdict(row), "kept": row.kept} for row in rows],
            "published": [{**asdict(each), "cycles": each.cycles} for each in PUBLISHED],
        },
        as_json=as_json,
        passed=all(row.kept is not False for row in rows),
    )  # fmt: skip


# --------------------------------------------------------------------------- measuring


def _copies(folders: list[Path]) -> list[CmsisNN]:
    """The copy that a plain build would use, then the named ones, each once."""
    found = [find_cmsis_nn(), *(find_cmsis_nn(folder) for folder in folders)]
    by_root = {copy.root: copy for copy in found if copy.root is not None}
    return list(by_root.values())


def _report(path: Path, model: str, board: str, **options: Any) -> Report:
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as folder:
        return tinyflow.build(
            path,
            board=board,
            name=model,
            output=Path(folder) / "build",
            vectors=VECTORS,
            **options,
        )


def _build(path: Path, model: str, board: str, **options: Any) -> dict[str, Any]:
    """The figures of an image that reads all constants from flash."""
    report = _report(path, model, board, placement="code", **options)
    return {
        "board": board,
        "model": model,
        "instructions": report.latency.instructions,
        "cycles": report.latency.cycles,
        "error_percent": report.latency.error_percent,
        "arena": report.memory.ram.arena,
        "stack": report.memory.ram.stack_peak,
        "flash": report.memory.flash.total,
        "mismatches": report.exact.mismatches,
    }


def _ours(path: Path, model: str, board: str, goal: str) -> Row:
    err.print(f"[dim]{model} on {board}, {goal}[/]")
    figures = _build(path, model, board, optimize=goal)
    bars = [
        bar for bar in BARS if (bar.model, bar.goal) == (model, goal) and bar.board in (board, None)
    ]
    broken = tuple(
        f"{figures[bar.figure]:,} {bar.figure}, the bar is {bar.most:,}"
        for bar in bars
        if figures[bar.figure] > bar.most
    )
    if goal == "speed":
        figures |= _with_ram(_report(path, model, board, optimize=goal, placement="ram"))
    return Row(kernels="tinyflow", goal=goal, broken=broken, judged=bool(bars), **figures)


def _with_ram(report: Report) -> dict[str, Any]:
    """Return the figures of the build with constants in RAM, or none if that does not pay."""
    weights = report.memory.ram.weights
    if not weights:
        return {}
    return {"cycles_with_ram": report.latency.cycles, "weights_in_ram": weights}


def _cmsis_nn(path: Path, model: str, board: str, copy: CmsisNN) -> Row:
    kernels = f"CMSIS-NN {copy.version}"
    err.print(f"[dim]{model} on {board}, {kernels}[/]")
    figures = _build(path, model, board, kernels="cmsis-nn", optimize="speed", cmsis_nn=copy.root)
    direct = DIRECT.get(copy.version, {}).get(model)
    if direct is None or load_board(board).core != "cortex-m4":
        return Row(kernels=kernels, goal=None, judged=False, **figures)
    return Row(kernels=kernels, goal=None, broken=tuple(_beyond(direct, figures)), **figures)


def _beyond(direct: Direct, figures: dict[str, Any]) -> Iterator[str]:
    """Yield the measures in which our calls of CMSIS-NN are worse than direct ones."""
    if figures["instructions"] > DIRECT_INSTRUCTIONS * direct.instructions:
        yield f"{figures['instructions']:,} instructions, direct calls {direct.instructions:,}"
    if figures["arena"] > direct.arena:
        yield f"{figures['arena']:,} bytes of arena, direct calls {direct.arena:,}"
    if direct.flash is not None and figures["flash"] > direct.flash + DIRECT_FLASH:
        yield f"{figures['flash']:,} bytes of flash, direct calls {direct.flash:,}"


def _bakenn(path: Path, model: str, board: str) -> list[Row]:
    """BakeNN's row; none, with the reason printed, if it is not installed or refuses the model."""
    try:
        import bakenn
        import tflite  # noqa: F401 - what BakeNN's importer needs
        from bakenn_code import CMSIS_NN, bake, for_bakenn
    except ImportError as error:
        err.print(f"[dim]without BakeNN: {error}[/]")
        return []
    err.print(f"[dim]{model} on {board}, {_BAKENN} {bakenn.__version__}[/]")
    content = for_bakenn(path.read_bytes())
    try:
        graph = bakenn.import_tflite(content, name=model)
    except bakenn.BakeNNError as error:
        err.print(f"[dim]BakeNN refuses {model}: {error}[/]")
        return []
    shape = graph.values[graph.inputs[0]].shape
    values = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    target = load_board(board)
    baked = bake(graph, target, CMSIS_NN, name=model, codes=values.ravel().tolist())
    call = call_function(baked.image, target, FunctionCall("infer"), read=["output"])
    expected = Oracle(content).run(values)[0].tobytes()
    found = call.memory["output"]
    return [
        Row(
            board=board,
            model=model,
            kernels=f"{_BAKENN} {bakenn.__version__}",
            goal=None,
            instructions=call.timing.instructions,
            cycles=call.timing.cycles,
            error_percent=call.timing.error.percent,
            arena=baked.ram,
            stack=None,
            flash=None,
            mismatches=sum(one != other for one, other in zip(found, expected, strict=True)),
            judged=False,
        )
    ]


# ----------------------------------------------------------------------------- tables

_HEAD = (
    "kernels", "instructions", "cycles", "to CMSIS-NN", "published", "arena", "stack", "flash",
    "weights in RAM",
)  # fmt: skip


def _cells(row: Row, rows: list[Row]) -> tuple[str, ...]:
    """A row's cells, the last column of the terminal's table left out."""
    peers = [
        other.cycles
        for other in rows
        if (other.board, other.model) == (row.board, row.model)
        and other.kernels.startswith("CMSIS-NN")
    ]
    published = best_published(row.board, row.model)
    return (
        row.label,
        f"{row.instructions:,}",
        f"{row.cycles:,} ±{row.error_percent} %",
        f"{min(peers) / row.cycles:.2f}" if peers else "-",
        f"{published.cycles / row.cycles:.2f}" if published else "-",
        f"{row.arena:,}",
        "-" if row.stack is None else f"{row.stack:,}",
        "-" if row.flash is None else f"{row.flash:,}",
        "-"
        if row.cycles_with_ram is None
        else f"{row.cycles_with_ram:,} cycles, {row.weights_in_ram:,} bytes",
    )


def _table(rows: list[Row]) -> Table:
    table = Table(title="MLPerf Tiny, one inference", box=None)
    for column in ("board", "model", _HEAD[0]):
        table.add_column(column, no_wrap=True)
    for column in _HEAD[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("bar")
    for row in rows:
        table.add_row(row.board, row.model, *_cells(row, rows), verdict(row.kept))
    return table


def _page(rows: list[Row], board: str) -> str:
    """The table of one board for docs/performance.md."""
    here = [row for row in rows if row.board == board]
    return pages.table(("model", *_HEAD), ((row.model, *_cells(row, rows)) for row in here))


def _published_page(rows: list[Row]) -> str:
    """Compare published figures of others with our speed."""

    def cells() -> Iterator[tuple[str, ...]]:
        for each in PUBLISHED:
            ours = [
                row.cycles
                for row in rows
                if (row.board, row.model, row.goal) == (each.board, each.model, "speed")
            ]
            yield (
                f"{each.model} on {each.board}",
                each.engine,
                "closed" if each.closed else "open",
                f"{each.per_second:g}",
                f"{each.cycles:,}",
                *(f"{cycles:,} | {each.cycles / cycles:.2f}" for cycles in ours),
                f"`{each.source}`",
            )

    head = (
        "model", "engine", "its source", "inferences a second", "cycles", "ours, modelled",
        "ratio", "results",
    )  # fmt: skip
    return pages.table(head, cells())


if __name__ == "__main__":
    typer.run(main)
