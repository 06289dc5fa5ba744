# SPDX-License-Identifier: Apache-2.0
"""`tinyflow compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyflow.cli.completion import complete_build
from tinyflow.cli.console import out
from tinyflow.cli.shared_options import Json
from tinyflow.tools.build_folder import read_build


def command(
    builds: Annotated[
        list[Path],
        typer.Argument(
            metavar="BUILD...",
            help="Folders that `tinyflow build` made; ratios are relative to the first.",
            autocompletion=complete_build,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Put builds side by side: boards, models, kernels, or before and after.

    Latency, memory and exactness of each, with the ratio to the first; and layer by layer where
    all have the same layers.

    \b
      tinyflow compare build/stm32f746 build/stm32l4r5
      tinyflow compare before/stm32l4r5 after/stm32l4r5 --json
    """
    from tinyflow.report.compare import compare, render_comparison

    reports = [read_build(folder).report for folder in builds]
    comparison = compare(reports, builds)
    if as_json:
        typer.echo(comparison.to_json(), nl=False)
        return
    out.print(render_comparison(comparison))


command.__name__ = "compare"
