# SPDX-License-Identifier: Apache-2.0
"""`tinyflow calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tinyflow.boards import Board, board_ids, load_board
from tinyflow.cli.console import ConsoleProgress, out, print_json
from tinyflow.cli.shared_options import Json
from tinyflow.errors import InputError
from tinyflow.report.fitted_table import Column, FittedTable


def command(
    build: Annotated[
        Path | None,
        typer.Argument(
            metavar="BUILD",
            help="A folder that `tinyflow build` made, which was flashed to the board.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="The board: serial:PORT.", show_default=False),
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            help="An .npy with a sample of one input, once per input of the model; of several "
            "samples the first is taken. Default: the build's first test vector.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[
        int, typer.Option(min=1, help="Inferences on the board; their median counts.")
    ] = 5,
    show: Annotated[bool, typer.Option("--show", help="List what was measured so far.")] = False,
    forget: Annotated[
        str | None,
        typer.Option(
            metavar="BOARD", help="Drop what was measured on this board.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a build on a board of your own, so that later reports follow that board.

    The board's cycle counter is compared with the model. What is measured is kept by board, one
    measurement for each model; the reports of later builds for the board, and its profiles, are
    multiplied by the geometric mean, and say so.

    \b
      tinyflow calibrate build/stm32l4r5 --target serial:/dev/ttyACM0
      tinyflow calibrate --show
      tinyflow calibrate --forget stm32l4r5
    """
    chosen = [build is not None, show, forget is not None]
    if sum(chosen) != 1:
        raise InputError(
            "calibrate takes one of BUILD, --show and --forget",
            hint="For example: tinyflow calibrate BUILD --target serial:PORT",
        )
    if forget is not None:
        _forget(forget, as_json=as_json)
    elif show or build is None:
        _show(as_json=as_json)
    else:
        _measure(build, target, inputs, runs, as_json=as_json)


def _measure(
    build: Path, target: str | None, inputs: list[Path] | None, runs: int, *, as_json: bool
) -> None:
    from tinyflow.timing.latency_correction import remember
    from tinyflow.tools.board_cycles import measure_on_board
    from tinyflow.tools.build_folder import read_build
    from tinyflow.tools.run import first_sample

    built = read_build(build)
    if target is None:
        raise InputError("no board named", hint="Give --target serial:PORT.")
    board = load_board(built.report.board.id)
    sample, _ = first_sample(built, inputs)
    with ConsoleProgress() as progress:
        progress.stage(f"measure on {target}")
        measurement = measure_on_board(
            built, board, sample, target=target, runs=runs, on_line=progress.line
        )
        remember(measurement)
    if as_json:
        print_json({"measurement": measurement.model_dump(), "calibration": _summary(board)})
        return
    out.print(
        Text(
            f"{measurement.model} on {board.id}: {measurement.measured:,} cycles measured, "
            f"{measurement.modelled:,} modelled: x{measurement.ratio:.3f}"
        )
    )
    out.print(Text(_in_words(board)))


def _show(*, as_json: bool) -> None:
    from tinyflow.timing.latency_correction import basis_of, measurements, measurements_file

    found = measurements()
    known = {name: load_board(name) for name in board_ids()}
    boards = [known[name] for name in dict.fromkeys(each.board for each in found) if name in known]
    current = {board.id: basis_of(board) for board in boards}
    if as_json:
        print_json(
            {
                "file": str(measurements_file()),
                "measurements": [
                    {**each.model_dump(), "used": each.basis == current.get(each.board)}
                    for each in found
                ],
                "calibrations": {board.id: _summary(board) for board in boards},
            }
        )
        return
    if not found:
        out.print("nothing was measured yet")
        return
    table = FittedTable(
        [
            *(Column(title) for title in ("board", "model")),
            *(Column(title, "number") for title in ("measured", "modelled", "ratio", "runs")),
            Column("date", "prose", least=14),
            Column("", "prose"),
        ]
    )
    for each in found:
        table.add_row(
            each.board,
            each.model,
            f"{each.measured:,}",
            f"{each.modelled:,}",
            f"{each.ratio:.3f}",
            str(each.runs),
            each.date.replace("T", " "),
            "" if each.basis == current.get(each.board) else "not used: by another tinyflow",
        )
    out.print(table)
    for board in boards:
        out.print(Text(_in_words(board)))
    out.print(Text(f"kept in {measurements_file()}", style="dim"), soft_wrap=True)


def _forget(name: str, *, as_json: bool) -> None:
    from tinyflow.timing.latency_correction import forget, measurements

    known = {*board_ids(), *(each.board for each in measurements())}
    if name not in known:
        raise InputError(
            f"unknown board {name!r}", hint="`tinyflow calibrate --show` lists what is kept."
        )
    dropped = forget(name)
    if as_json:
        print_json({"board": name, "forgotten": dropped})
    else:
        out.print(Text(f"{name}: {dropped} measurement(s) forgotten"))


def _summary(board: Board) -> dict[str, float | int] | None:
    from tinyflow.timing.latency_correction import correction_of
    from tinyflow.timing.validation import error_bar

    found = correction_of(board)
    if found is None:
        return None
    return {
        "factor": found.factor,
        "measurements": found.measurements,
        "spread_percent": found.spread_percent,
        "error_percent": found.error_bar(error_bar(board)).percent,
    }


def _in_words(board: Board) -> str:
    found = _summary(board)
    if found is None:
        return f"{board.id}: not calibrated"
    plural = "" if found["measurements"] == 1 else "s"
    return (
        f"{board.id}: later reports are multiplied by {found['factor']:.3f}, "
        f"±{found['error_percent']} %, from {found['measurements']} measurement{plural}"
    )


command.__name__ = "calibrate"
