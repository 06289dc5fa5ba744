"""`tinyflow build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tinyflow.boards import load_board
from tinyflow.cli.console import ConsoleProgress, err, out
from tinyflow.cli.options import Json
from tinyflow.errors import BudgetError, ExactnessError, InputError
from tinyflow.project import PROJECT_FILE, Project, make_project, read_project

if TYPE_CHECKING:
    from tinyflow.report.model import Report


def command(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="A .keras, .h5, SavedModel folder or int8 .tflite. Without it, tinyflow.toml "
            "of this folder says what to build.",
            show_default=False,
        ),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(help="The board; `tinyflow boards` lists them.", show_default=False),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Representative samples for quantisation, an .npz with an array x (or one array "
            "per input, by name) or an .npy.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Held-out samples x and labels y (.npz): the accuracy is counted on them.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Where the project goes. Default: build/BOARD.", show_default=False),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the C functions. Default: the file's.", show_default=False),
    ] = None,
    cmsis_nn: Annotated[
        Path | None,
        typer.Option(
            help="Folder of CMSIS-NN's sources. Default: an installed CMSIS-Pack, else the copy "
            "in PyPI's bakenn, else PlatformIO fetches it.",
            show_default=False,
        ),
    ] = None,
    vectors: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Inputs on which the firmware is compared with the oracle. Default: 20.",
            show_default=False,
        ),
    ] = None,
    emit_tflite_array: Annotated[
        bool, typer.Option("--emit-tflite-array", help="Also emit the .tflite as a C array.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compile a model to firmware, run it in the emulator, and report.

    With no MODEL, builds what the tinyflow.toml of this folder says; `tinyflow init` writes one.

    \b
      tinyflow build --board stm32f746
      tinyflow build kws.tflite --board stm32l4r5
      tinyflow build net.keras --board nrf52840 --calibration samples.npz
    """
    from tinyflow.pipeline import run
    from tinyflow.report.model import Report
    from tinyflow.request import BuildRequest

    project = _project(model, calibration, test)
    chosen = board or project.build.board
    if chosen is None:
        raise InputError(
            "no board named",
            hint="Give --board BOARD, or `board` in [build]; `tinyflow boards` lists them.",
        )
    target = load_board(chosen)
    request = BuildRequest(
        model=project.model.path,
        board=target,
        output=(output or Path("build") / target.id).resolve(),
        name=name or project.model.name,
        calibration=project.data.calibration,
        training=project.data.training,
        test=project.data.test,
        test_samples=project.data.test_samples,
        calibration_samples=project.quantize.samples,
        prune=project.prune,
        budget=project.budget,
        cmsis_nn=cmsis_nn or project.build.cmsis_nn,
        vectors=vectors or project.build.vectors,
        emit_tflite_array=emit_tflite_array or project.build.emit_tflite_array,
    )
    try:
        with ConsoleProgress() as progress:
            report = run(request, progress)
    except (BudgetError, ExactnessError):
        if not as_json:
            _show(Report.read(request.output / "report.json"), request.output, as_json=False)
        raise
    _show(report, request.output, as_json=as_json)


def _project(model: Path | None, calibration: Path | None, test: Path | None) -> Project:
    """The project file's content with the command line's choices over it."""
    if model is None:
        project = read_project(Path(PROJECT_FILE))
    else:
        project = make_project(
            {"model": {"path": model}}, base=Path.cwd(), source="the command line"
        )
    data = {
        key: path.resolve()
        for key, path in (("calibration", calibration), ("test", test))
        if path is not None
    }
    return project.model_copy(update={"data": project.data.model_copy(update=data)})


def _show(report: Report, folder: Path, *, as_json: bool) -> None:
    from tinyflow.report.terminal import print_report

    if as_json:
        typer.echo(report.to_json(), nl=False)
        return
    print_report(out, report)
    err.print(f"\n[dim]the project is in[/] {escape(str(folder))}", soft_wrap=True)


command.__name__ = "build"
