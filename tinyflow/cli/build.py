# SPDX-License-Identifier: Apache-2.0
"""`tinyflow build`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from rich.markup import escape

from tinyflow.boards import Board, load_board
from tinyflow.cli.completion import complete_board
from tinyflow.cli.console import ConsoleProgress, err, out, print_json
from tinyflow.cli.shared_options import Json
from tinyflow.errors import BudgetError, ExactnessError, InputError
from tinyflow.settings.options import Option, OptionError, build_options, with_options
from tinyflow.settings.project_file import PROJECT_FILE, Project, make_project, read_project

if TYPE_CHECKING:
    from tinyflow.pipeline.request import BuildRequest
    from tinyflow.report.report_data import Report

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_METAVARS = {Path: "PATH", int: "N", float: "X", str: "NAME"}
#: Meaning of a command line option beyond the project's key.
_SEVERAL_BOARDS = " Several times: builds for each and compares."


def command(model: Path | None, as_json: bool, **options: Any) -> None:
    """Compile a model to firmware, run it in the emulator, and report.

    With no MODEL, builds what the tinyflow.toml of this folder says; `tinyflow init` writes one.
    Every option is a key of tinyflow.toml, too, and overrides it.

    \b
      tinyflow build --board stm32f746
      tinyflow build kws.tflite --board stm32l4r5
      tinyflow build net.keras --board nrf52840 --calibration samples.npz
      tinyflow build kws.tflite --board stm32f746 --board stm32l4r5
    """
    from tinyflow.pipeline.request import request_of

    boards = options.pop("board") or []
    try:
        project = with_options(_project(model), options)
    except OptionError as error:
        raise typer.BadParameter(error.message) from error
    targets = [load_board(name) for name in _boards(boards, project)]
    requests = [
        request_of(
            project,
            target,
            _folder(project.build.output, target, len(targets) > 1),
            project.build.dump and _folder(project.build.dump, target, len(targets) > 1),
        )
        for target in targets
    ]
    _build_all(requests, as_json=as_json)


def _parameter(option: Option) -> inspect.Parameter:
    """An option as a parameter that Typer reads; None means that it was not given."""
    annotation: Any = option.field.annotation
    text, complete = option.help, None
    if option.name == "board":
        annotation, text = list[str], text + _SEVERAL_BOARDS
        complete = complete_board
    shown = typer.Option(
        option.flag,
        help=text,
        show_default=False,
        metavar=_metavar(annotation),
        rich_help_panel=option.title,
        autocompletion=complete,
    )
    return inspect.Parameter(
        option.name, _KEYWORD, default=None, annotation=Annotated[annotation | None, shown]
    )


def _metavar(annotation: Any) -> str | None:
    """Return the help's name for a value: short, since the description names the choices."""
    kinds = (annotation, *get_args(annotation))
    if bool in kinds:
        return None
    if get_origin(annotation) is Literal:
        return "CHOICE"
    return next(name for kind, name in _METAVARS.items() if kind in kinds)


_MODEL = Annotated[
    Path | None,
    typer.Argument(
        help="A .keras, .h5, SavedModel folder or quantised .tflite. Without it, tinyflow.toml of "
        "this folder says what to build.",
        show_default=False,
    ),
]
command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        inspect.Parameter("model", _KEYWORD, default=None, annotation=_MODEL),
        *map(_parameter, build_options()),
        inspect.Parameter("as_json", _KEYWORD, default=False, annotation=Json),
    ]
)


def _boards(named: list[str], project: Project) -> list[str]:
    chosen = named or ([project.build.board] if project.build.board else [])
    if not chosen:
        raise InputError(
            "no board named",
            hint="Give --board BOARD, or `board` in [build]; `tinyflow boards` lists them.",
        )
    return list(dict.fromkeys(chosen))


def _folder(output: Path | None, board: Board, several: bool) -> Path:
    from tinyflow.pipeline.output import output_path

    return output_path(output / board.id if output and several else output, board.id)


def _build_all(requests: list[BuildRequest], *, as_json: bool) -> None:
    """Build each and show them; what a complete build is judged to be is raised at the end."""
    from tinyflow.pipeline.build import run
    from tinyflow.report.report_data import Report

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


def _project(model: Path | None) -> Project:
    """The project file's content, or a project of a model alone."""
    if model is None:
        return read_project(Path(PROJECT_FILE))
    return make_project({"model": {"path": model}}, base=Path.cwd(), source="the command line")


command.__name__ = "build"
