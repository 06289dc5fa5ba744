# SPDX-License-Identifier: Apache-2.0
"""Console output of the commands: results to standard output, progress and errors to standard
error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from tinyflow.errors import TinyflowError
from tinyflow.progress import Progress

#: Columns where standard output is no terminal and COLUMNS is not set.
_PIPE_WIDTH = 120

_measured = sys.stdout.isatty() or "COLUMNS" in os.environ
out = Console(highlight=False, width=None if _measured else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """A result for a program: one JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_error(error: TinyflowError, *, as_json: bool) -> None:
    """One clear error; for a program a JSON document on standard output as well."""
    if as_json:
        print_json_error(type(error).__name__, error.message, error.hint, error.exit_code)
    err.print(Text.assemble(("error: ", "bold red"), printable(error.message)), soft_wrap=True)
    if error.hint:
        err.print(Text(f"  {printable(error.hint)}"), soft_wrap=True)


def print_json_error(kind: str, message: str, hint: str | None, exit_code: int) -> None:
    """An error for a program: one JSON document on standard output."""
    print_json({"error": {"kind": kind, "message": message, "hint": hint, "exit_code": exit_code}})


def printable(text: str) -> str:
    """A text that cannot steer the terminal, whatever names it quotes."""
    return "".join(
        char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text
    )


class ConsoleProgress(Progress):
    """A line per finished stage with its time, and a moving line for the running one."""

    def __init__(self) -> None:
        self._status: Status | None = None
        self._name = ""
        self._began = 0.0

    def __enter__(self) -> ConsoleProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish(failed=error is not None)

    def stage(self, name: str) -> None:
        """A stage begins, and the one before it is done."""
        self._finish()
        self._name, self._began = name, time.monotonic()
        if err.is_terminal:
            self._status = err.status(escape(name))
            self._status.start()
        else:
            err.print(f"  ... {escape(name)}")

    def line(self, text: str) -> None:
        """Report a stage's progress, shown next to its name on a terminal."""
        if self._status is not None:
            self._status.update(f"{escape(self._name)}  [dim]{escape(text[:100])}[/]")

    def skipped(self, name: str) -> None:
        """Nothing had to be done."""
        self._finish()
        err.print(f"  [dim]=[/] {escape(name)} [dim](unchanged)[/]")

    def warn(self, text: str) -> None:
        """A line that stays, above what runs."""
        err.print(Text.assemble(("warning: ", "yellow"), printable(text)), soft_wrap=True)

    def _finish(self, *, failed: bool = False) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        if self._name:
            mark = "[red]x[/]" if failed else "[green]ok[/]"
            err.print(
                f"  {mark} {escape(self._name)}  [dim]{time.monotonic() - self._began:.1f} s[/]"
            )
            self._name = ""
