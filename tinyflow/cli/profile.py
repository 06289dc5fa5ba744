# SPDX-License-Identifier: Apache-2.0
"""`tinyflow profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from tinyflow.arrays import Array
from tinyflow.boards import load_board
from tinyflow.cli.console import ConsoleProgress, err, out
from tinyflow.cli.shared_options import BuildFolder, Json
from tinyflow.tools.build_folder import read_build

#: Blocks that the page and the JSON hold at least.
_BLOCKS = 20


def command(
    build: BuildFolder,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            help="An .npy with a sample of one input, once per input of the model; of several "
            "samples the first is taken. Default: the test vector that the report's latency is of.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Where the page goes. Default: BUILD/profile.html.", show_default=False),
    ] = None,
    top: Annotated[
        int,
        typer.Option(
            min=0,
            help="How many of the hottest blocks to print with their instructions; the page and "
            f"the JSON have {_BLOCKS} or more.",
        ),
    ] = 3,
    as_json: Json = False,
) -> None:
    """Say where the cycles of one inference go: layers, functions, hottest code.

    Runs the build's image in the simulator with the cycle model on, prints tables, and writes a
    page with a flame graph that opens in any browser, offline.

    \b
      tinyflow profile build/stm32l4r5
      tinyflow profile build/stm32l4r5 --inputs x.npy --html profile.html --top 10
    """
    from tinyflow.errors import InputError
    from tinyflow.report.profile_data import PROFILE_PAGE
    from tinyflow.report.profile_page import render_page
    from tinyflow.report.profile_terminal import render_profile
    from tinyflow.storage.files import write_file
    from tinyflow.storage.manifest import add_to_build
    from tinyflow.tools.profile import profile_build
    from tinyflow.tools.run import first_sample, typical_sample

    built = read_build(build)
    own = built.folder / PROFILE_PAGE
    page = html or own
    if not page.parent.is_dir():
        raise InputError(f"{page}: the folder {page.parent} does not exist")
    before: list[tuple[Array, ...]] = []
    if inputs:
        sample, source = first_sample(built, inputs)
    else:
        sample, preceding, source = typical_sample(built)
        if built.report.memory.ram.state:
            before = preceding
    with ConsoleProgress() as progress:
        progress.stage(f"profile on {built.report.board.id}")
        profile = profile_build(
            built,
            load_board(built.report.board.id),
            sample,
            before=before,
            source=source,
            top=max(top, _BLOCKS),
        )
        if page.parent.resolve() / page.name == own:
            add_to_build(built.folder, PROFILE_PAGE, render_page(profile))
        else:
            write_file(page, render_page(profile))
    if as_json:
        typer.echo(profile.to_json(), nl=False)
    else:
        out.print(render_profile(profile, top=top), crop=False)  # names are whole
    err.print(f"\n[dim]the page is[/] {escape(str(page))}", soft_wrap=True)


command.__name__ = "profile"
