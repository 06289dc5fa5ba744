"""`tinyflow build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tinyflow.boards import Board, load_board
from tinyflow.cli.completion import complete_board
from tinyflow.cli.console import ConsoleProgress, err, out, print_json
from tinyflow.cli.options import Json
from tinyflow.errors import BudgetError, ExactnessError, InputError
from tinyflow.project import (
    PROJECT_FILE,
    Activations,
    KernelSet,
    Objective,
    Placement,
    Project,
    make_project,
    read_project,
)

if TYPE_CHECKING:
    from tinyflow.pipeline.request import BuildRequest
    from tinyflow.report.model import Report


def command(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="A .keras, .h5, SavedModel folder or quantised .tflite. Without it, tinyflow.toml "
            "of this folder says what to build.",
            show_default=False,
        ),
    ] = None,
    board: Annotated[
        list[str] | None,
        typer.Option(
            help="The board; `tinyflow boards` lists them. Several times: builds for each and "
            "compares.",
            show_default=False,
            autocompletion=complete_board,
        ),
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
    activations: Annotated[
        Activations | None,
        typer.Option(
            help="What the activations of a Keras model are quantised to. Default: int8.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Where the project goes; for several boards the folder over theirs. "
            "Default: build/BOARD.",
            show_default=False,
        ),
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
    optimize: Annotated[
        Objective | None,
        typer.Option(
            help="What the choice of kernels makes best: speed, size (flash), ram, or all in "
            "balance. Default: balanced.",
            show_default=False,
        ),
    ] = None,
    kernels: Annotated[
        KernelSet | None,
        typer.Option(
            help="Which kernels may serve: auto takes the best for each layer; native and "
            "cmsis-nn take these wherever they can serve. Default: auto.",
            show_default=False,
        ),
    ] = None,
    placement: Annotated[
        Placement | None,
        typer.Option(
            help="What start-up copies to RAM where it waits too long for flash: auto, code on "
            "boards that can and, with --optimize speed, weights that are read over and over; "
            "ram, code and all weights; code, code only; flash, nothing. Default: auto.",
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
      tinyflow build kws.tflite --board stm32f746 --board stm32l4r5
    """
    from tinyflow.pipeline.request import BuildRequest

    project = _project(model, calibration, test)
    targets = [load_board(name) for name in _boards(board, project)]
    requests = [
        BuildRequest(
            model=project.model.path,
            board=target,
            output=_folder(output, target, several=len(targets) > 1).resolve(),
            name=name or project.model.name,
            calibration=project.data.calibration,
            training=project.data.training,
            test=project.data.test,
            test_samples=project.data.test_samples,
            calibration_samples=project.quantize.samples,
            activations=activations or project.quantize.activations,
            prune=project.prune,
            budget=project.budget,
            cmsis_nn=cmsis_nn or project.build.cmsis_nn,
            kernels=kernels or project.build.kernels,
            optimize=optimize or project.build.optimize,
            placement=placement or project.build.placement,
            vectors=vectors or project.build.vectors,
            emit_tflite_array=emit_tflite_array or project.build.emit_tflite_array,
        )
        for target in targets
    ]
    _build_all(requests, as_json=as_json)


def _boards(named: list[str] | None, project: Project) -> list[str]:
    chosen = named or ([project.build.board] if project.build.board else [])
    if not chosen:
        raise InputError(
            "no board named",
            hint="Give --board BOARD, or `board` in [build]; `tinyflow boards` lists them.",
        )
    return list(dict.fromkeys(chosen))


def _folder(output: Path | None, board: Board, *, several: bool) -> Path:
    if output is None:
        return Path("build") / board.id
    return output / board.id if several else output


def _build_all(requests: list[BuildRequest], *, as_json: bool) -> None:
    """Build each and show them; what a complete build is judged to be is raised at the end."""
    from tinyflow.pipeline.build import run
    from tinyflow.report.model import Report

    reports: list[Report] = []
    failed: list[BudgetError | ExactnessError] = []
    for request in requests:
        try:
            with ConsoleProgress() as progress:
                reports.append(run(request, progress))
        except (BudgetError, ExactnessError) as error:
            failed.append(error)
            reports.append(Report.read(request.output / "report.json"))
    if not (as_json and failed):  # the error is the one JSON document then
        _show(reports, [request.output for request in requests], as_json=as_json)
    if not as_json:
        for request in requests:
            err.print(f"\n[dim]the project is in[/] {escape(str(request.output))}", soft_wrap=True)
    if failed:
        raise failed[0]


def _show(reports: list[Report], folders: list[Path], *, as_json: bool) -> None:
    from tinyflow.report.compare import compare, render_comparison
    from tinyflow.report.terminal import print_report

    if len(reports) == 1:
        if as_json:
            typer.echo(reports[0].to_json(), nl=False)
        else:
            print_report(out, reports[0])
        return
    comparison = compare(reports, folders)
    if as_json:
        print_json(
            {
                "reports": [report.model_dump(mode="json", by_alias=True) for report in reports],
                "comparison": comparison.model_dump(mode="json"),
            }
        )
    else:
        out.print(render_comparison(comparison))


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


command.__name__ = "build"
