# SPDX-License-Identifier: Apache-2.0
"""`tinyflow doctor`."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.text import Text

from tinyflow.cli.console import out, print_json
from tinyflow.cli.shared_options import Json
from tinyflow.errors import ToolMissingError
from tinyflow.report.fitted_table import Column, FittedTable


def command(as_json: Json = False) -> None:
    """Say what is installed, what is missing, and the command that installs it.

    Exits with code 5 when something that every build needs is missing.
    """
    from tinyflow.tools.doctor import examine

    findings = examine()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = FittedTable(
            [
                Column("", least=7),
                Column("what", least=17),
                Column("found", "prose", least=20),
                Column("needed for", "prose", least=16),
            ]
        )
        for finding in findings:
            mark = (
                Text("ok", style="green")
                if finding.present
                else Text("missing", style="red")
                if finding.required
                else Text("broken", style="yellow")
                if finding.problem
                else Text("absent", style="yellow")
            )
            found = finding.version or finding.problem or "-"
            table.add_row(mark, finding.name, found, finding.purpose)
        out.print(table)
        for finding in findings:
            if not finding.present:
                out.print(Text(f"{finding.name}: {finding.install}"), soft_wrap=True)
    if any(finding.required and not finding.present for finding in findings):
        raise typer.Exit(ToolMissingError.exit_code)


command.__name__ = "doctor"
