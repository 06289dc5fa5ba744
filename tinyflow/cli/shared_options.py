# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyflow.cli.completion import complete_build

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
BuildFolder = Annotated[
    Path,
    typer.Argument(
        metavar="BUILD",
        help="A folder that `tinyflow build` made, such as build/stm32f746.",
        autocompletion=complete_build,
    ),
]
