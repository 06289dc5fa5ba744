"""`tinyflow doctor`."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.markup import escape
from rich.table import Table

from tinyflow.cli.console import out, print_json
from tinyflow.cli.options import Json
from tinyflow.errors import ToolMissingError


def command(as_json: Json = False) -> None:
    """Say what is installed, what is missing, and the command that installs it.

    Exits with code 5 when something that every build needs is missing.
    """
    from tinyflow.tools.doctor import examine

    findings = examine()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = Table(box=None)
        for column in ("", "what", "found", "needed for"):
            table.add_column(column)
        for finding in findings:
            mark = (
                "[green]ok[/]"
                if finding.present
                else "[red]missing[/]"
                if finding.required
                else "[yellow]absent[/]"
            )
            found = finding.version if finding.present else f"install: {finding.install}"
            table.add_row(mark, finding.name, escape(found), finding.purpose)
        out.print(table)
    if any(finding.required and not finding.present for finding in findings):
        raise typer.Exit(ToolMissingError.exit_code)


command.__name__ = "doctor"
